"""Mixed precision: the few operations with the most quantization noise get 16 bits, or stay float.

A tensor has 16 bits where its writer and its readers are int16-activation operations; between the
two kinds the quantizer puts QUANTIZE operations. A float fallback operation is the same in float.
Which tensors: each is tried by itself, on one shared calibration, and the signal-to-noise ratio of
the output is measured.
"""

import functools
import math
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.arrays import Array, Model
from pipeline.errors import ConversionError
from pipeline.export.bias_range import fit_biases
from pipeline.export.equalize import Graph
from pipeline.export.ranges import Files, ranges_of, same_files, samples_of
from pipeline.ondevice.interpreter import match_input_name
from pipeline.ondevice.quantize import dequantize, quantize
from pipeline.tasks.metrics import sqnr_db

Ends = Mapping[str, tuple[float, float]]
Kind = Literal["wide", "float"]
Mixer = Callable[[Collection[str]], bytes]

NO_SUCH_FORM = (RuntimeError, ValueError, KeyError)  # of an operation, as its quantizer says
DENSE_TENSOR = "dense_tensor"  # granularity: one scale for all weights of a dense layer
MOST = 150  # operations of a net that are tried one by one; some cost a tenth of a second each
SAMPLES = 32  # of the calibration samples, for each try


def most_sensitive(
    float32: str, calibration: str, kind: Kind, share: float, granularity: str, known: Ends
) -> list[str]:
    """Return the outputs of the operations that get 16-bit activations, or stay in float.

    Args:
        float32: path of the float32 file.
        calibration: path of calibration.npz: model inputs by name.
        kind: which of the two.
        share: fraction of the operations, in (0, 1]; those that gain most come first.
        granularity: of the weights' scales: channel, tensor, or dense_tensor.
        known: input name -> (low, high) of inputs whose range is known.

    Raises:
        ConversionError: there are too many operations to try each.
    """
    inputs = tuple(sorted((name, *ends) for name, ends in known.items()))
    groups, count = _by_gain(same_files(float32, calibration), inputs, kind, granularity)
    chosen: list[str] = []
    for group in groups:
        chosen += [name for name in group if name not in chosen]
        if len(chosen) >= math.ceil(share * count):
            break
    return chosen


@functools.lru_cache(maxsize=4)
def _by_gain(
    files: Files, known: tuple[tuple[str, float, float], ...], kind: Kind, granularity: str
) -> tuple[list[list[str]], int]:
    """Return writer and readers of each tensor, the largest gain first, and the count."""
    graph = Graph(Path(files.float32).read_bytes())
    outputs = [graph.name(int(op.outputs[0])) for op in graph.graph.operators]
    if len(outputs) > MOST:
        raise ConversionError(
            f"int8: {len(outputs)} operations are too many to try each alone; wanted at most {MOST}"
        )
    ends = {name: (low, high) for name, low, high in known}
    ranges = ranges_of(files.float32, files.calibration, clipping="min_max", bits=8, known=ends)
    samples = samples_of(files.calibration)[:SAMPLES]
    wanted = _run(Path(files.float32).read_bytes(), samples)
    mixed = _mixer(files.float32, ranges, kind, granularity)
    plain = _outputs_of(mixed, [], samples)
    least = -math.inf if plain is None else sqnr_db(wanted, plain)
    found = []
    for place, op in enumerate(graph.graph.operators):
        readers = graph.readers.get(int(op.outputs[0]), [])
        group = [outputs[i] for i in dict.fromkeys((place, *readers))]
        computed = _outputs_of(mixed, group, samples)
        gain = 0.0 if computed is None else sqnr_db(wanted, computed) - least
        if gain > 0:
            found.append((-gain, place, group))
    return [group for *_, group in sorted(found)], len(outputs)


def _mixer(float32: str, ranges: Any, kind: Kind, granularity: str) -> Mixer:
    """Return the function that makes a file with some operations at higher precision."""

    def mix(chosen: Collection[str]) -> bytes:
        maker = integer_maker(float32, 8, granularity)
        set_apart(maker, kind, chosen, granularity=granularity)
        return quantize_file(maker, ranges, float32)

    return mix


def _outputs_of(mixed: Mixer, chosen: list[str], samples: Any) -> Array | None:
    """Return the outputs of a mixed file (N, K); None where no such file runs."""
    try:
        return _run(mixed(chosen), samples)
    except NO_SUCH_FORM:
        return None


def integer_maker(float32: str, bits: int, granularity: str) -> Any:
    """Return a quantizer that brings all it can to integers.

    Args:
        float32: path of the float32 file.
        bits: of the activations; weights have 8.
        granularity: of the weights' scales: channel, tensor, or dense_tensor.
    """
    from ai_edge_quantizer import quantizer

    maker = quantizer.Quantizer(float32)
    _quantize(maker, ".*", bits, granularity)
    return maker


def quantize_file(maker: Model, ranges: Mapping[str, Any], float32: str) -> bytes:
    """Return the file that a quantizer makes, every bias within its integers.

    Args:
        maker: by `integer_maker`.
        ranges: name -> {min, max} of every tensor.
        float32: path of the float32 file that the quantizer reads.
    """
    made = maker.quantize(ranges, enable_progress_report=False)
    return fit_biases(bytes(made.quantized_model), float32)


def set_apart(maker: Any, kind: Kind, chosen: Collection[str], *, granularity: str) -> None:
    """Give operations of a quantizer 16-bit activations, or leave them in float.

    Args:
        maker: the quantizer.
        kind: which of the two.
        chosen: the names of their first outputs.
        granularity: as for `integer_maker`.
    """
    from ai_edge_quantizer import qtyping

    everything = qtyping.TFLOperationName.ALL_SUPPORTED
    for name in chosen:  # a scope is the names of all outputs, each with a semicolon behind it
        scope = f"^{re.escape(name)};"
        if kind == "wide":
            _quantize(maker, scope, 16, granularity)
        else:
            maker.update_quantization_recipe(scope, everything, algorithm_key="no_quantize")


def _quantize(maker: Any, scope: str, bits: int, granularity: str) -> None:
    """Bring what a quantizer can in a scope to integers, weights to 8 bits."""
    from ai_edge_quantizer import qtyping

    names, scales = qtyping.TFLOperationName, qtyping.QuantGranularity
    of_all = scales.TENSORWISE if granularity == "tensor" else scales.CHANNELWISE
    maker.add_static_config(scope, names.ALL_SUPPORTED, bits, 8, of_all)
    if granularity == DENSE_TENSOR:
        maker.add_static_config(scope, names.FULLY_CONNECTED, bits, 8, scales.TENSORWISE)


def _run(content: bytes, samples: list[dict[str, Array]]) -> Array:
    """Return the dequantized outputs (N, K) of a file."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    found = []
    for sample in samples:
        interpreter.reset_all_variables()
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(
                detail["index"], quantize(sample[match_input_name(detail, sample)], detail)
            )
        interpreter.invoke()
        written = interpreter.get_output_details()
        outputs = [dequantize(interpreter.get_tensor(d["index"]), d).ravel() for d in written]
        found.append(np.concatenate(outputs))
    return np.stack(found)
