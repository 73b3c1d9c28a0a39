"""Turn a model into .tflite files; these functions run in the worker process (see worker.py).

float32 comes from the TFLite converter, by way of the tf-keras twin; float16 too. The rest is made
from the float32 file by ai-edge-quantizer, 70 times faster than converting anew; it leaves some
operations in float (fused LSTM, LeakyReLU, the split of a GRU), and files with those are made by
the converter. What to do is decided by compress and written in the recipe; nothing is decided here.
"""

import contextlib
import ctypes
import functools
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.artifacts import read_json, sha256_file
from pipeline.errors import PipelineError
from pipeline.export import borders, states, vela
from pipeline.export.ranges import ranges_of, samples_of
from pipeline.export.worker import ConversionError
from pipeline.verify.layers import layer_errors

BITS = {"int8": 8, "int16x8": 16}
INTEGER_BORDERS = ("int8", "uint8")
PR_SET_PDEATHSIG = 1  # linux/prctl.h
KEPT = 8  # files that are kept in memory, for who asks for the same again
QUOTED = 300  # characters of what a converter says; it may quote the whole graph


def float_file(model: str, spec: str, out: str, form: str) -> None:
    """Write the float32 or float16 file of a model.

    Args:
        model: path of the `.keras` file.
        spec: path of spec.json.
        out: path of the file to write.
        form: float32 or float16.
    """
    Path(out).write_bytes(_float_content(_network(model, spec), form))


@dataclass(frozen=True)
class _Network:
    """A model and its spec, told apart by their bytes: two stages ask for the same files."""

    sha256: tuple[str, str]
    model: Path = field(compare=False)
    spec: Path = field(compare=False)


def _network(model: str, spec: str) -> _Network:
    hashes = sha256_file(Path(model)), sha256_file(Path(spec))
    return _Network(hashes, Path(model), Path(spec))


@functools.lru_cache(maxsize=KEPT)
def _float_content(network: _Network, form: str) -> bytes:
    import tensorflow as tf

    converter = _converter(network)
    if form == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    with _refusals(form):
        return bytes(converter.convert())


def _converter(network: _Network) -> Any:
    """Return the TFLite converter of a model's twin."""
    import tensorflow as tf

    from pipeline.export.twin import twin_of

    converter = tf.lite.TFLiteConverter.from_keras_model(
        twin_of(network.model, read_json(network.spec))
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]  # no Flex, ever
    return converter


@contextlib.contextmanager
def _refusals(form: str) -> Iterator[None]:
    """Turn whatever a converter raises into the one error that says why there is no such file."""
    try:
        yield
    except Exception as error:
        traceback.print_exc()
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = next((line for line in lines if "error:" in line), lines[0] if lines else "")
        raise ConversionError(
            f"{form}: the converter refuses this model: {type(error).__name__}: {said[:QUOTED]}"
        ) from error


def dynamic_file(float32: str, out: str) -> None:
    """Write the file with int8 weights and float activations.

    Dense layers get one scale a tensor: tflite-runtime 2.14 loads the channel-wise form and answers
    garbage.
    """
    from ai_edge_quantizer import qtyping, quantizer

    names = qtyping.TFLOperationName
    maker = quantizer.Quantizer(float32)
    maker.add_dynamic_config(".*", names.ALL_SUPPORTED, 8)
    maker.add_dynamic_config(".*", names.FULLY_CONNECTED, 8, qtyping.QuantGranularity.TENSORWISE)
    with _refusals("dynamic"):
        content = bytes(maker.quantize(enable_progress_report=False).quantized_model)
    Path(out).write_bytes(content)


def integer_file(
    float32: str,
    out: str,
    form: str,
    io: str,
    calibration: str,
    clipping: str,
    input_ranges: Mapping[str, tuple[float, float]],
    keep_float: list[str],
) -> None:
    """Write the int8 or int16x8 file.

    Args:
        float32: path of the float32 file.
        out: path of the file to write.
        form: int8, or int16x8 (16-bit activations, 8-bit weights).
        io: type of input and output: int8, uint8 or float32; where it is an integer one, those of
            int16x8 are int16.
        calibration: path of calibration.npz: model inputs by name.
        clipping: how ranges are set: min_max, or mse.
        input_ranges: name -> (low, high) of inputs whose range is known, as that of pixels is.
        keep_float: regular expressions of output tensors whose operations stay in float.
    """
    from ai_edge_quantizer import qtyping, quantizer

    names = qtyping.TFLOperationName
    maker = quantizer.Quantizer(float32)
    maker.add_static_config(".*", names.ALL_SUPPORTED, BITS[form], 8)
    if io not in INTEGER_BORDERS:
        for border in (names.INPUT, names.OUTPUT):
            maker.update_quantization_recipe(".*", border, algorithm_key="no_quantize")
    for tensor in keep_float:
        maker.update_quantization_recipe(tensor, names.ALL_SUPPORTED, algorithm_key="no_quantize")
    with _refusals(form):
        ranges = ranges_of(
            float32, calibration, clipping=clipping, bits=BITS[form], known=input_ranges
        )
        content = bytes(maker.quantize(ranges, enable_progress_report=False).quantized_model)
    if io == "uint8" and form == "int8":
        content = borders.with_uint8(content)
    Path(out).write_bytes(content)


def converted_integer_file(
    model: str, spec: str, out: str, form: str, io: str, calibration: str
) -> None:
    """Write the int8 or int16x8 file by the converter alone, which has an integer form of more.

    Ranges are the least and greatest value of each tensor.

    Args:
        model: path of the `.keras` file.
        spec: path of spec.json.
        out: path of the file to write.
        form: int8 or int16x8.
        io: as for `integer_file`.
        calibration: path of calibration.npz: model inputs by name.
    """
    samples = _Samples(sha256_file(Path(calibration)), calibration)
    content = _integer_content(_network(model, spec), samples, form, io in INTEGER_BORDERS)
    if io == "uint8" and form == "int8":
        content = borders.with_uint8(content)
    Path(out).write_bytes(content)


@dataclass(frozen=True)
class _Samples:
    """Calibration samples, told apart by their bytes."""

    sha256: str
    path: str = field(compare=False)


@functools.lru_cache(maxsize=KEPT)
def _integer_content(
    network: _Network, calibration: _Samples, form: str, has_integer_borders: bool
) -> bytes:
    import tensorflow as tf

    converter = _converter(network)
    sets = tf.lite.OpsSet
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [
        sets.TFLITE_BUILTINS_INT8
        if form == "int8"
        else sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
    inputs = read_json(network.spec)["inputs"]
    names, samples = [entry["name"] for entry in inputs], samples_of(calibration.path)
    converter.representative_dataset = lambda: ([sample[n] for n in names] for sample in samples)
    if has_integer_borders:
        kind = tf.int8 if form == "int8" else tf.int16
        is_real = all(entry["dtype"] == "float32" for entry in inputs)
        converter.inference_input_type = kind if is_real else tf.float32  # words stay int32
        converter.inference_output_type = kind
    with _refusals(form):
        return states.requantized(converter.convert())


OPERATIONS: dict[str, Callable[..., Any]] = {
    "float_file": float_file,
    "dynamic_file": dynamic_file,
    "integer_file": integer_file,
    "converted_integer_file": converted_integer_file,
    "vela": vela.compile_file,
    "layer_errors": layer_errors,
}


def serve(replies: Any) -> None:
    """Answer requests from standard input until it closes."""
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"result": OPERATIONS[asked["operation"]](**asked["arguments"])}
        except PipelineError as error:
            answer = {"error": str(error), "kind": type(error).__name__}
        except Exception as error:  # the traceback goes to the log; the pipeline gets the reason
            traceback.print_exc()
            answer = {
                "error": f"{asked['operation']}: {type(error).__name__}: {error}",
                "kind": "PipelineError",
            }
        replies.write(json.dumps(answer) + "\n")
        replies.flush()


def end_with(parent: int) -> None:
    """Have Linux kill this process when its parent goes, in the middle of a conversion too.

    Elsewhere it ends when it next looks for a request, and finds the pipe closed.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it went before it could be watched
            sys.exit(1)


if __name__ == "__main__":
    end_with(int(sys.argv[2]))
    serve(os.fdopen(int(sys.argv[1]), "w"))
