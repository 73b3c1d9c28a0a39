"""Mixed precision: the few tensors whose coarse steps cost most get 16 bits, the others keep 8.

A tensor is wide where both who writes and who reads it work on 16-bit activations; between the two
kinds the quantizer puts QUANTIZE operations, and nothing is float. Which tensors: each is made wide
alone, on one shared calibration, and the signal to noise ratio of the answer is measured.
"""

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import sha256_file
from pipeline.device.runner import dequantize, name_of, quantize
from pipeline.export.equalize import Graph
from pipeline.export.ranges import ranges_of, samples_of
from pipeline.export.worker import ConversionError
from pipeline.verify.parity import sqnr_db

Array = np.ndarray[Any, np.dtype[Any]]
Ends = Mapping[str, tuple[float, float]]

MOST = 150  # operations of a net that are tried one by one; each costs about a tenth of a second
SAMPLES = 32  # of the calibration samples, for each try


def wide_layers(float32: str, calibration: str, share: float, known: Ends) -> list[str]:
    """Return the outputs of the operations that get 16-bit activations.

    Args:
        float32: path of the float32 file.
        calibration: path of calibration.npz: model inputs by name.
        share: of the operations, in (0, 1], those that gain most first.
        known: input name -> (low, high) of inputs whose range is known.

    Raises:
        ConversionError: there are too many operations to try each.
    """
    paths = _Paths(sha256_file(Path(float32)), sha256_file(Path(calibration)), float32, calibration)
    groups, count = _by_gain(paths, tuple(sorted((name, *ends) for name, ends in known.items())))
    wide: list[str] = []
    for group in groups:
        wide += [name for name in group if name not in wide]
        if len(wide) >= math.ceil(share * count):
            break
    return wide


@dataclass(frozen=True)
class _Paths:
    """Files, told apart by their bytes."""

    float32_sha256: str
    calibration_sha256: str
    float32: str = field(compare=False)
    calibration: str = field(compare=False)


@functools.lru_cache(maxsize=4)
def _by_gain(
    paths: _Paths, known: tuple[tuple[str, float, float], ...]
) -> tuple[list[list[str]], int]:
    """Return who writes and reads each tensor, the tensor that gains most first, and the count."""
    graph = Graph(Path(paths.float32).read_bytes())
    outputs = [graph.name(int(op.outputs[0])) for op in graph.graph.operators]
    if len(outputs) > MOST:
        raise ConversionError(
            f"int8: {len(outputs)} operations are too many to try each at 16 bits; wanted at most "
            f"{MOST}"
        )
    ends = {name: (low, high) for name, low, high in known}
    ranges = ranges_of(paths.float32, paths.calibration, clipping="min_max", bits=8, known=ends)
    samples = samples_of(paths.calibration)[:SAMPLES]
    wanted = _answers(Path(paths.float32).read_bytes(), samples)
    plain = sqnr_db(wanted, _answers(quantized(paths.float32, ranges, []), samples))
    found = []
    for place, op in enumerate(graph.graph.operators):
        readers = graph.readers.get(int(op.outputs[0]), [])
        group = [outputs[i] for i in dict.fromkeys((place, *readers))]
        answers = _answers_of(paths.float32, ranges, group, samples)
        gain = 0.0 if answers is None else sqnr_db(wanted, answers) - plain
        if gain > 0:
            found.append((-gain, place, group))
    return [group for *_, group in sorted(found)], len(outputs)


def _answers_of(float32: str, ranges: Any, wide: list[str], samples: Any) -> Array | None:
    """Return what a mixed file answers; None where there is no such file that runs."""
    try:
        return _answers(quantized(float32, ranges, wide), samples)
    except (RuntimeError, ValueError, KeyError):  # no 16-bit form of this operation
        return None


def quantized(float32: str, ranges: Any, wide: list[str]) -> bytes:
    """Return the int8 file whose operations with these outputs have 16-bit activations."""
    from ai_edge_quantizer import qtyping, quantizer

    names = qtyping.TFLOperationName
    maker = quantizer.Quantizer(float32)
    maker.add_static_config(".*", names.ALL_SUPPORTED, 8, 8)
    widen(maker, wide)
    return bytes(maker.quantize(ranges, enable_progress_report=False).quantized_model)


def widen(maker: Any, wide: list[str], granularity: str = "channel") -> None:
    """Give operations of a quantizer 16-bit activations, by the name of their first output."""
    from ai_edge_quantizer import qtyping

    scales = qtyping.QuantGranularity[f"{granularity.upper()}WISE"]
    for name in wide:  # a scope is the names of all outputs, each with a semicolon behind it
        scope = f"^{re.escape(name)};"
        maker.add_static_config(scope, qtyping.TFLOperationName.ALL_SUPPORTED, 16, 8, scales)


def _answers(content: bytes, samples: list[dict[str, Array]]) -> Array:
    """Return what a file answers to samples, in real numbers."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    found = []
    for sample in samples:
        interpreter.reset_all_variables()
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(
                detail["index"], quantize(sample[name_of(detail, sample)], detail)
            )
        interpreter.invoke()
        written = interpreter.get_output_details()
        answers = [dequantize(interpreter.get_tensor(d["index"]), d).ravel() for d in written]
        found.append(np.concatenate(answers))
    return np.stack(found)
