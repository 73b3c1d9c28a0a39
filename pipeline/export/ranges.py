"""The range of every tensor over the calibration samples, in full or cut where that errs less.

Runs in the worker process. Activations of one sample are in memory at a time; histograms stay.
"""

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.artifacts import sha256_file
from pipeline.export.clipping import CLIPPINGS
from pipeline.export.linear import least_widths
from pipeline.export.logits import in_question, output_activations

Ranges = dict[str, dict[str, Any]]

FULL = "min_max"  # ranges that are not cut
WIDE = 16  # bits
NEAR_POWER = 2e-3  # of log2; TFLite's own tolerance is half of it
ASIDE = 1.004  # 16 bits have 0.4 % to spare
SIGNATURE = "serving_default"
REMEMBERED = 4  # pairs of files: those of some rungs are the same
BINS = 2048  # of a tensor's histogram: eight to a step of int8


def ranges_of(
    float32: str, calibration: str, *, clipping: str, bits: int, known: Mapping[str, Any]
) -> Ranges:
    """Return name -> {min, max} of every tensor; in 8 bits logits go as far as they matter.

    Args:
        float32: path of the float32 file.
        calibration: path of calibration.npz: model inputs by name.
        clipping: min_max: the least and greatest value; else a key of CLIPPINGS.
        bits: of an activation.
        known: input name -> (low, high) of inputs whose range is known whatever the samples hold.
    """
    files = same_files(float32, calibration)
    found = {name: dict(span) for name, span in _measured(files).items()}
    if bits < WIDE:
        found |= _of_logits(files)
    if clipping != FULL:
        found |= _clipped(found, _histograms(files), clipping, bits)
    found = {name: _not_empty(span, _least_widths(files).get(name)) for name, span in found.items()}
    found = {name: _off_powers(span) for name, span in found.items()} if bits == WIDE else found
    tensors = _input_tensors(float32)
    for name, (low, high) in known.items():
        found[tensors[name]] = {"min": np.array([low]), "max": np.array([high])}
    return found


def _not_empty(span: dict[str, Any], least: float | None) -> dict[str, Any]:
    """Return a range that is no narrower than its writer's kernel takes.

    The range of a tensor that is zero on every sample is 1, as TFLite's converter has it.

    Args:
        span: least and greatest value.
        least: of the width; None: nothing but zero is too narrow.
    """
    low, high = span_of(span)
    least = least or (1.0 if low == high else 0.0)
    return span if high - low >= least else span | {"max": np.array([low + least])}


def _off_powers(span: dict[str, Any]) -> dict[str, Any]:
    """Return a range whose 16-bit step is not near a power of two.

    TFLite takes such steps for powers of two, and then shifts in place of multiplying: an addition
    whose output has a finer step than its inputs does not start.
    """
    reach = max(abs(end) for end in span_of(span))
    if reach == 0 or abs(np.log2(reach) - np.round(np.log2(reach))) > NEAR_POWER:
        return span
    return {name: np.asarray(end) * ASIDE for name, end in span.items()}


def tensor_ranges(float32: str, calibration: str) -> dict[str, Any]:
    """Return the ranges that fake quantization rounds by, cut to the least squared error.

    Args:
        float32: path of the float32 file.
        calibration: path of calibration.npz.

    Returns:
        `tensors`: [name, [low, high]] of what each operation writes, in order; `inputs`: name ->
        [low, high].
    """
    interpreter = open_keeping_tensors(float32)
    details = {d["index"]: d for d in interpreter.get_tensor_details()}
    ends = [int(i) for op in interpreter._get_ops_details() for i in op["outputs"]]
    written = {i: details[i]["name"] for i in ends if details[i]["dtype"] == np.float32}
    full = ranges_of(float32, calibration, clipping="mse", bits=8, known={})
    known = {name: span_of(span) for name, span in full.items()}
    others = [i for i, name in written.items() if name not in known]
    for kept in values_of(interpreter, others, samples_of(calibration)):
        for index, values in kept.items():
            low, high = known.get(written[index], (0.0, 0.0))
            known[written[index]] = min(low, float(values.min())), max(high, float(values.max()))
    inputs = _input_tensors(float32)
    return {
        "tensors": [[name, list(known[name])] for name in written.values()],
        "inputs": {name: list(known[tensor]) for name, tensor in inputs.items() if tensor in known},
    }


@dataclass(frozen=True)
class Files:
    """A float32 file and calibration samples, with equality by bytes: paths are used again."""

    sha256: tuple[str, str]
    float32: str = field(compare=False)
    calibration: str = field(compare=False)


def same_files(float32: str, calibration: str) -> Files:
    """Return the key of the two files in the cache.

    Args:
        float32: path of the float32 file.
        calibration: path of calibration.npz.
    """
    hashes = sha256_file(Path(float32)), sha256_file(Path(calibration))
    return Files(hashes, float32, calibration)


@functools.lru_cache(maxsize=REMEMBERED)
def _measured(files: Files) -> Ranges:
    """Return the least and greatest value of every tensor.

    The library's own default, a moving average of them, breaks whole families; see its update rule.
    """
    from ai_edge_quantizer import calibrator, qtyping, quantizer
    from ai_edge_quantizer.utils import qsv_utils

    maker = quantizer.Quantizer(files.float32)
    maker.add_static_config(".*", qtyping.TFLOperationName.ALL_SUPPORTED, 8, 8)
    observer = calibrator.Calibrator(
        Path(files.float32).read_bytes(),
        num_threads=1,
        mode=calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED,
        qsv_update_func=qsv_utils.min_max_update,
    )
    observer.calibrate({SIGNATURE: samples_of(files.calibration)}, maker._recipe_manager)
    return dict(observer.get_model_qsvs())


@functools.lru_cache(maxsize=REMEMBERED)
def _least_widths(files: Files) -> dict[str, float]:
    spans = {name: span_of(span) for name, span in _measured(files).items()}
    return least_widths(open_keeping_tensors(files.float32), spans)


@functools.lru_cache(maxsize=REMEMBERED)
def _of_logits(files: Files) -> Ranges:
    """Return the ranges of what a last softmax or sigmoid reads."""
    interpreter, full = open_keeping_tensors(files.float32), _measured(files)
    names = {d["index"]: d["name"] for d in interpreter.get_tensor_details()}
    readers = {
        i: reader for i, reader in output_activations(interpreter).items() if names[i] in full
    }
    if not readers:
        return {}
    spans = {index: span_of(full[names[index]]) for index in readers}
    samples = values_of(interpreter, readers, samples_of(files.calibration))
    found = in_question(readers, spans, samples)
    return {names[i]: {"min": np.array([a]), "max": np.array([b])} for i, (a, b) in found.items()}


def samples_of(calibration: str) -> list[dict[str, Array]]:
    """Return the calibration samples one by one: name -> model input (1, ...)."""
    with np.load(calibration) as arrays:
        inputs = {name: arrays[name] for name in arrays.files}
    count = len(next(iter(inputs.values())))
    return [{name: values[i : i + 1] for name, values in inputs.items()} for i in range(count)]


def _input_tensors(float32: str) -> dict[str, str]:
    """Return input name -> name of its tensor."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(float32, num_threads=1).get_signature_runner(SIGNATURE)
    return {name: detail["name"] for name, detail in runner.get_input_details().items()}


def _clipped(full: Ranges, histograms: Mapping[str, Array], clipping: str, bits: int) -> Ranges:
    """Return the ranges that a way of clipping finds; those of outputs and logits stay.

    Likely classes that were clipped to the same logit would tie.
    """
    ends = {n: CLIPPINGS[clipping](c, *span_of(full[n]), bits) for n, c in histograms.items()}
    return {name: {"min": np.array([a]), "max": np.array([b])} for name, (a, b) in ends.items()}


@functools.lru_cache(maxsize=REMEMBERED)
def _histograms(files: Files) -> dict[str, Array]:
    """Return tensor -> histogram of its values over its full range; exact zeros are left out.

    Zero is exact whatever the range: it costs nothing.
    """
    full = _measured(files)
    interpreter = open_keeping_tensors(files.float32)
    tensors = _inner_tensors(interpreter, full)
    spans = {name: span_of(full[name]) for name in tensors}
    counts = {name: np.zeros(BINS, np.int64) for name in tensors}
    for kept in values_of(interpreter, tensors.values(), samples_of(files.calibration)):
        for name, index in tensors.items():
            counts[name] += count_values(kept[index], *spans[name])
    return counts


def count_values(values: Array, low: float, high: float) -> Array:
    """Return the histogram of nonzero values over [low, high]: counts (BINS,).

    It takes a third of the time of NumPy's histogram, which allows bins of any width.

    Args:
        values: float32 of any shape, within [low, high].
        low: at most zero.
        high: at least zero, and above low.
    """
    zeros = values.size - np.count_nonzero(values)
    found = np.bincount(_bins(values.ravel(), low, high), minlength=BINS)
    found[_bins(np.zeros(1, np.float32), low, high)] -= zeros
    return found


def _bins(values: Array, low: float, high: float) -> Array:
    """Return the bin of each value; what rounding brings out of the range is in the outermost."""
    places = values - np.float32(low)
    places *= np.float32(BINS / (high - low))
    return np.clip(places, 0, BINS - 1, out=places).astype(np.intp)


def open_keeping_tensors(file: str) -> Any:
    """Return an interpreter of a .tflite file from which every tensor can be read after a run."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        file,
        num_threads=1,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()  # a state can be reset from then on
    return interpreter


def values_of(
    interpreter: Any, tensors: Collection[int], samples: Iterable[Mapping[str, Array]]
) -> Iterator[dict[int, Array]]:
    """Run a float32 file on samples, and yield some tensors' values for each.

    Args:
        interpreter: by `open_keeping_tensors`.
        tensors: their indices.
        samples: input name -> array (1, …).

    Yields:
        Index -> values, in the shape of the tensor.
    """
    runner = interpreter.get_signature_runner(SIGNATURE)
    for sample in samples:
        interpreter.reset_all_variables()
        runner(**sample)
        yield {index: interpreter.get_tensor(index) for index in tensors}


def _inner_tensors(interpreter: Any, full: Ranges) -> dict[str, int]:
    """Return name -> index of the tensors whose range may be cut."""
    kept = {int(detail["index"]) for detail in interpreter.get_output_details()}
    kept |= set(output_activations(interpreter))
    found = {int(detail["index"]) for detail in interpreter.get_input_details()}
    found |= {int(index) for op in interpreter._get_ops_details() for index in op["outputs"]}
    details = {d["index"]: d for d in interpreter.get_tensor_details()}
    names = {details[index]["name"]: index for index in sorted(found - kept)}
    return {n: i for n, i in names.items() if n in full and np.ptp(span_of(full[n])) > 0}


def span_of(span: Mapping[str, Any]) -> tuple[float, float]:
    """Return a range widened to hold zero, as an integer tensor's always does."""
    return min(0.0, float(np.min(span["min"]))), max(0.0, float(np.max(span["max"])))
