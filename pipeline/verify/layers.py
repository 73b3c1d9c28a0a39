"""Where the noise comes from: each tensor of an integer file against the float file's, by name.

Both files are run on the same samples with every intermediate tensor kept. It runs in the worker
process, like everything that may bring an interpreter down.
"""

from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.export.logits import output_activations
from pipeline.export.ranges import open_keeping_tensors
from pipeline.ondevice.interpreter import match_input_name
from pipeline.ondevice.quantize import dequantize, quantize
from pipeline.tasks.metrics import SILENCE_DB, sqnr_db


def layer_errors(
    float32: str, file: str, samples: str, is_equalized: bool = False
) -> list[dict[str, Any]]:
    """Return [{name, sqnr_db}] of the tensors that both files compute, in the order of computation.

    Args:
        float32: path of the float32 file.
        file: path of the file made from it.
        samples: path of an .npz with float32 model inputs by name, (n, ...).
        is_equalized: whether channels were scaled (see export/equalize.py): they are compared in
            the scale in which they are nearest.

    Logits are compared as far as the file's go, for they are cut on purpose (export/logits.py).
    """
    with np.load(samples) as arrays:
        inputs = {name: arrays[name] for name in arrays.files}
    wanted, found = _tensors(float32, inputs), _tensors(file, inputs)
    ends = _ends_of_logits(file)
    rows = []
    for name, values in wanted.items():
        if name in found and found[name].shape == values.shape:
            values = np.clip(values, *ends[name]) if name in ends else values
            ratio = sqnr_db(values, _nearest(values, found[name]) if is_equalized else found[name])
            if ratio < SILENCE_DB:  # else equal to the last bit: not quantized
                rows.append({"name": _short(name), "sqnr_db": ratio})
    return rows


def _ends_of_logits(file: str) -> dict[str, tuple[float, float]]:
    """Return name -> least and greatest value that the logits of an integer file can have."""
    interpreter = open_keeping_tensors(file)
    details = {d["index"]: d for d in interpreter.get_tensor_details()}
    found = {}
    for index in output_activations(interpreter):
        if np.issubdtype(details[index]["dtype"], np.integer):
            reach = np.iinfo(details[index]["dtype"])
            low, high = dequantize(np.array([reach.min, reach.max]), details[index])
            found[details[index]["name"]] = float(low), float(high)
    return found


def _nearest(wanted: Array, found: Array) -> Array:
    """Return the values with each channel scaled to be nearest to the reference's."""
    axes = tuple(range(found.ndim - 1))
    size = (found.astype(np.float64) ** 2).sum(axis=axes)
    common = (wanted.astype(np.float64) * found).sum(axis=axes)
    return np.asarray(found * np.divide(common, size, out=np.ones_like(size), where=size > 0))


def _tensors(file: str, inputs: dict[str, Array]) -> dict[str, Array]:
    """Return name -> real values over all samples of the tensors that operations write."""
    interpreter = open_keeping_tensors(file)
    written = [int(index) for op in interpreter._get_ops_details() for index in op["outputs"]]
    details = {d["index"]: d for d in interpreter.get_tensor_details()}
    kept: dict[str, list[Array]] = {}
    for i in range(len(next(iter(inputs.values())))):
        for detail in interpreter.get_input_details():
            x = inputs[match_input_name(detail, inputs)][i : i + 1]
            interpreter.set_tensor(detail["index"], quantize(x, detail))
        interpreter.reset_all_variables()
        interpreter.invoke()
        for index in written:
            values = dequantize(interpreter.get_tensor(index), details[index])
            kept.setdefault(details[index]["name"], []).append(values)
    return {name: np.concatenate(parts) for name, parts in kept.items()}


def _short(name: str) -> str:
    """Return the layer of a tensor: `cnn/conv_1_relu/Relu;cnn/conv_1/Conv2D` is conv_1_relu.

    The converter calls the model's own output after the function that it was traced from.
    """
    parts = name.split(";")[0].split("/")
    if parts[0].startswith("StatefulPartitionedCall"):
        return "output"
    return parts[1] if len(parts) > 2 else parts[0].split(":")[0]
