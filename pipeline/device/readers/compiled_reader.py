"""LiteRT's CompiledModel: the successor of its interpreter, on the CPU."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np


def load(path: str, borders: Mapping[str, Any]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Return a function that runs one sample.

    Raises:
        RuntimeError: it refuses the file.
        ValueError: the file has no signature, or keeps state, which is never reset here.
    """
    from ai_edge_litert.compiled_model import CompiledModel

    model = CompiledModel.from_file(path)
    signatures = model.get_signature_list()
    if not signatures:
        raise ValueError("the file has no signature, by which its inputs are found")
    key = next(iter(signatures))
    inputs = _buffers(model.get_input_tensor_details(key), borders["inputs"])
    outputs = _buffers(model.get_output_tensor_details(key), borders["outputs"])
    given = {name: model.create_input_buffer_by_name(key, name) for name in inputs}
    made = {name: model.create_output_buffer_by_name(key, name) for name in outputs}
    sides = borders["outputs"]

    def call(values: Sequence[Any]) -> Sequence[Any]:
        for name, value in zip(inputs, values, strict=True):
            given[name].write(np.ascontiguousarray(value))
        model.run_by_name(key, given, made)
        return [
            made[name]
            .read(int(np.prod(side["shape"])), np.dtype(side["dtype"]).type)
            .reshape(side["shape"])
            for name, side in zip(outputs, sides, strict=True)
        ]

    return call


def _buffers(details: Mapping[str, Any], sides: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names in the signature of tensors, in the order of the file."""
    by_tensor = {detail["name"]: name for name, detail in details.items()}
    return [by_tensor[side["name"]] for side in sides]
