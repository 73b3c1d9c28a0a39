"""LiteRT's CompiledModel: the successor of its interpreter, on the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pipeline.readers.side import Call, Tensor, Values


def load(path: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Call:
    """Return a function that runs one sample: arrays (1, ...) to arrays (1, ...).

    Raises:
        RuntimeError: it refuses the file, as it does one with state (a fused LSTM).
        ValueError: the file has no signature.
    """
    from ai_edge_litert.compiled_model import CompiledModel

    model = CompiledModel.from_file(path)
    signatures = model.get_signature_list()
    if not signatures:
        raise ValueError("the file has no signature, by which its inputs are found")
    key = next(iter(signatures))
    reads = _names(model.get_input_tensor_details(key), inputs)
    writes = _names(model.get_output_tensor_details(key), outputs)
    given = {name: model.create_input_buffer_by_name(key, name) for name in reads}
    made = {name: model.create_output_buffer_by_name(key, name) for name in writes}

    def call(values: Values) -> Values:
        for name, value in zip(reads, values, strict=True):
            given[name].write(np.ascontiguousarray(value))
        model.run_by_name(key, given, made)
        return [_read(made[n], tensor) for n, tensor in zip(writes, outputs, strict=True)]

    return call


def _names(details: Mapping[str, Any], tensors: Sequence[Tensor]) -> list[str]:
    """Return the names in the signature of tensors, in the order of the file."""
    by_tensor = {detail["name"]: name for name, detail in details.items()}
    return [by_tensor[tensor.name] for tensor in tensors]


def _read(buffer: Any, tensor: Tensor) -> Any:
    """Return the values of an output."""
    count = int(np.prod(tensor.shape))
    return buffer.read(count, np.dtype(tensor.dtype).type).reshape(tensor.shape)
