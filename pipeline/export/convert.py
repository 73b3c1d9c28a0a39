"""Turn a model into .tflite files; these functions run in the worker process (see worker.py).

float32 comes from the TFLite converter, by way of the tf-keras twin; float16 too; all the rest is
made from the float32 file by ai-edge-quantizer, 70 times faster than converting anew. What to do is
decided by compress and written in the recipe; nothing is decided here.
"""

import functools
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import read_json
from pipeline.errors import PipelineError
from pipeline.export import borders, vela
from pipeline.verify.layers import layer_errors

SIGNATURE = "serving_default"
BITS = {"int8": 8, "int16x8": 16}
INTEGER_BORDERS = ("int8", "uint8")


def float_file(model: str, spec: str, out: str, form: str) -> None:
    """Write the float32 or float16 file of a model.

    Args:
        model: path of the `.keras` file.
        spec: path of spec.json.
        out: path of the file to write.
        form: float32 or float16.
    """
    import tensorflow as tf

    from pipeline.export.twin import twin_of

    converter = tf.lite.TFLiteConverter.from_keras_model(
        twin_of(Path(model), read_json(Path(spec)))
    )
    if form == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    Path(out).write_bytes(converter.convert())


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
    Path(out).write_bytes(maker.quantize(enable_progress_report=False).quantized_model)


def integer_file(
    float32: str,
    out: str,
    form: str,
    io: str,
    calibration: str,
    clipping: str,
    keep_float: list[str],
) -> None:
    """Write the int8 or int16x8 file.

    Args:
        float32: path of the float32 file.
        out: path of the file to write.
        form: int8, or int16x8 (16-bit activations, 8-bit weights).
        io: type of input and output: int8 and uint8 mean integers (16-bit ones for int16x8).
        calibration: path of calibration.npz: model inputs by name.
        clipping: how ranges are set: min_max, or mse.
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
    ranges = _ranges(float32, calibration, clipping, BITS[form])
    content = bytes(maker.quantize(ranges, enable_progress_report=False).quantized_model)
    if io == "uint8" and form == "int8":
        content = borders.with_uint8(content)
    Path(out).write_bytes(content)


@functools.lru_cache(maxsize=4)
def _measured(float32: str, calibration: str, stamp: tuple[int, int]) -> dict[str, Any]:
    """Return the least and greatest value of every tensor over the calibration samples.

    The library's own default, a moving average of them, breaks whole families; see its update rule.
    """
    from ai_edge_quantizer import calibrator, qtyping, quantizer
    from ai_edge_quantizer.utils import qsv_utils

    maker = quantizer.Quantizer(float32)
    maker.add_static_config(".*", qtyping.TFLOperationName.ALL_SUPPORTED, 8, 8)
    observer = calibrator.Calibrator(
        Path(float32).read_bytes(),
        num_threads=1,
        mode=calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED,
        qsv_update_func=qsv_utils.min_max_update,
    )
    observer.calibrate({SIGNATURE: _samples(calibration)}, maker._recipe_manager)
    return dict(observer.get_model_qsvs())


def _samples(calibration: str) -> list[dict[str, Any]]:
    with np.load(calibration) as arrays:
        inputs = {name: arrays[name] for name in arrays.files}
    count = len(next(iter(inputs.values())))
    return [{name: values[i : i + 1] for name, values in inputs.items()} for i in range(count)]


def _ranges(float32: str, calibration: str, clipping: str, bits: int) -> dict[str, Any]:
    """Return the range of every tensor, clipped as the recipe says."""
    stamp = (Path(float32).stat().st_mtime_ns, Path(calibration).stat().st_mtime_ns)
    measured = _measured(float32, calibration, stamp)
    if clipping == "min_max":
        return measured
    values = dict(_activations(float32, calibration))
    return {name: _clipped(span, values.get(name), bits) for name, span in measured.items()}


def _activations(float32: str, calibration: str) -> Iterator[tuple[str, Any]]:
    """Yield each tensor's name and its values over the calibration samples."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(float32, experimental_preserve_all_tensors=True, num_threads=1)
    runner = interpreter.get_signature_runner(SIGNATURE)
    details = [d for d in interpreter.get_tensor_details() if d["dtype"] == np.float32]
    seen: dict[str, list[Any]] = {}
    for sample in _samples(calibration):
        runner(**sample)
        for detail in details:
            try:
                seen.setdefault(detail["name"], []).append(
                    interpreter.get_tensor(detail["index"]).ravel()
                )
            except ValueError:  # a tensor that the delegate fused away has no values
                continue
    for name, parts in seen.items():
        yield name, np.concatenate(parts)


CLIPS = np.linspace(1.0, 0.3, 29)  # shares of the full range that are tried
SAMPLED = 200_000  # values of a tensor that are looked at; more do not move the minimum


def _clipped(span: Mapping[str, Any], values: Any, bits: int) -> dict[str, Any]:
    """Return the range, cut to where the quantization error is least in the mean square.

    Range setting by MSE: Nagel et al. 2021, section 3.1 (arXiv:2106.08295). A tensor without values
    keeps its range.
    """
    low, high = float(np.min(span["min"])), float(np.max(span["max"]))
    if values is None or not len(values) or high <= low:
        return dict(span)
    values = values[:: max(1, len(values) // SAMPLED)].astype(np.float64)
    errors = []
    for clip in CLIPS:
        step = max((high - low) * clip / (2**bits - 1), 1e-12)
        kept = np.clip(values, low * clip, high * clip)
        errors.append(float(((np.round(kept / step) * step - values) ** 2).mean()))
    best = CLIPS[int(np.argmin(errors))]
    return {**span, "min": np.asarray(span["min"]) * best, "max": np.asarray(span["max"]) * best}


OPERATIONS: dict[str, Callable[..., Any]] = {
    "float_file": float_file,
    "dynamic_file": dynamic_file,
    "integer_file": integer_file,
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
            import traceback

            traceback.print_exc()
            answer = {
                "error": f"{asked['operation']}: {type(error).__name__}: {error}",
                "kind": "PipelineError",
            }
        replies.write(json.dumps(answer) + "\n")
        replies.flush()


if __name__ == "__main__":
    serve(os.fdopen(int(sys.argv[1]), "w"))
