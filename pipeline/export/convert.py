"""Turn a model into .tflite files; these functions run in the worker process (see pipeline.worker).

float32 comes from the TFLite converter, by way of the tf_keras copy. The rest is made from the
float32 file, float16 by float16.py, integers by ai-edge-quantizer, 70 times faster than converting
anew; it leaves some operations in float (fused LSTM, LeakyReLU, the split of a GRU), and files with
those are made by the converter. What to do is decided by compress and written in the recipe.
"""

import contextlib
import functools
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.artifacts import sha256_file
from pipeline.documents.spec import Spec
from pipeline.errors import ConversionError, PipelineError, ShortageError
from pipeline.export import io_dtype, lstm_state_scales
from pipeline.export.bias_correction import correct_biases
from pipeline.export.equalize import equalized_file
from pipeline.export.float16 import with_float16
from pipeline.export.frozen import float32_of
from pipeline.export.inline_buffers import inline_buffers
from pipeline.export.mixed import (
    DENSE_TENSOR,
    Kind,
    integer_maker,
    most_sensitive,
    quantize_file,
    set_apart,
)
from pipeline.export.ranges import ranges_of, samples_of
from pipeline.export.saved import converter_of, converter_of_copy
from pipeline.export.tf_keras_copy import compare, make_copy, outputs_of_copy, outputs_of_file
from pipeline.models.graph import FROM_OUTSIDE
from pipeline.models.save import load_keras
from pipeline.models.translate import Untranslatable
from pipeline.resource_errors import words_of

BITS = {"int8": 8, "int16x8": 16}
INTEGER_BORDERS = ("int8", "uint8")
KEPT = 8  # files that are cached in memory, for repeated requests
COPY, KERAS = "tf_keras copy", "Keras 3"
QUOTED = 300  # characters of what a converter says; it may quote the whole graph


def float_file(model: str, spec: str, out: str) -> None:
    """Write the float32 file of a model.

    Args:
        model: path of the `.keras` file.
        spec: path of spec.json.
        out: path of the file to write.
    """
    network = _network(model, spec)
    Path(out).write_bytes(_converted(network, _front_end(network)[0]))


def float16_file(float32: str, out: str) -> None:
    """Write the file with float16 weights.

    Args:
        float32: path of the float32 file.
        out: path of the file to write.
    """
    Path(out).write_bytes(with_float16(Path(float32).read_bytes()))


@dataclass(frozen=True)
class _Network:
    """A model and its spec, with equality by bytes: two stages ask for the same files."""

    sha256: tuple[str, str]
    model: Path = field(compare=False)
    spec: Path = field(compare=False)


def _network(model: str, spec: str) -> _Network:
    hashes = sha256_file(Path(model)), sha256_file(Path(spec))
    return _Network(hashes, Path(model), Path(spec))


def front_end(model: str, spec: str) -> dict[str, Any]:
    """Return the copy of a model to convert, and the reason where it is not the tf_keras copy.

    Args:
        model: path of the `.keras` file.
        spec: path of spec.json.
    """
    name, why = _front_end(_network(model, spec))
    return {"name": name, "why": why}


@functools.lru_cache(maxsize=KEPT)
def _front_end(network: _Network) -> tuple[str, str | None]:
    """Return the tf_keras copy where it can be made and converted; else the Keras 3 model."""
    if Spec.read(network.spec).model.kind not in FROM_OUTSIDE:
        return COPY, None
    try:
        _converted(network, COPY)
    except ShortageError:
        raise
    except (Untranslatable, PipelineError, ValueError, TypeError, AttributeError) as error:
        return KERAS, f"no tf_keras copy: {str(error).strip().splitlines()[0][:QUOTED]}"
    return COPY, None


@functools.lru_cache(maxsize=KEPT)
def _converted(network: _Network, way: str) -> bytes:
    if way == KERAS:
        with _refusals("float32"):
            return bytes(_converter(network, way).convert())
    model, spec = load_keras(network.model), Spec.read(network.spec)
    copy = make_copy(model, network.model, spec)
    with _refusals("float32"):
        content = float32_of(copy, spec)
    compare(model, spec, outputs_of_file(content))
    return content


def _converter(network: _Network, way: str) -> Any:
    """Return the TFLite converter of a model, through its copy or as it is."""
    import tensorflow as tf

    spec = Spec.read(network.spec)
    if way == COPY:
        model = load_keras(network.model)
        copy = make_copy(model, network.model, spec)
        compare(model, spec, outputs_of_copy(copy))
        converter = converter_of_copy(copy, spec)
    else:
        converter = converter_of(network.model, spec)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]  # no Flex, ever
    return converter


@contextlib.contextmanager
def _refusals(form: str) -> Iterator[None]:
    """Turn any exception of a converter into one ConversionError with the reason."""
    try:
        yield
    except Exception as error:
        if words_of(error) is not None:  # a shortage of the machine is no fault of the model
            raise
        traceback.print_exc()
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = next((line for line in lines if "error:" in line), lines[0] if lines else "")
        raise ConversionError(
            f"{form}: the converter refuses this model: {type(error).__name__}: {said[:QUOTED]}"
        ) from error


def dynamic_file(float32: str, out: str) -> None:
    """Write the file with int8 weights and float activations.

    Dense layers get one scale a tensor: tflite-runtime 2.14 loads the channel-wise form, but
    computes garbage.
    """
    from ai_edge_quantizer import qtyping, quantizer

    names = qtyping.TFLOperationName
    maker = quantizer.Quantizer(float32)
    maker.add_dynamic_config(".*", names.ALL_SUPPORTED, 8)
    maker.add_dynamic_config(".*", names.FULLY_CONNECTED, 8, qtyping.QuantGranularity.TENSORWISE)
    with _refusals("dynamic"):
        content = bytes(maker.quantize(enable_progress_report=False).quantized_model)
    Path(out).write_bytes(inline_buffers(content))


def integer_file(
    float32: str,
    out: str,
    form: str,
    io: str,
    calibration: str,
    granularity: str,
    clipping: str,
    correct: bool,
    int16_fraction: float,
    float_fraction: float,
    input_ranges: Mapping[str, tuple[float, float]],
) -> None:
    """Write the int8 or int16x8 file.

    Args:
        float32: path of the float32 file.
        out: path of the file to write.
        form: int8, or int16x8 (16-bit activations, 8-bit weights).
        io: type of input and output: int8, uint8 or float32. With an integer type, those of
            int16x8 are int16, and so are those of an int8 file at an int16-activation operation.
        calibration: path of calibration.npz: model inputs by name.
        granularity: of the weights' scales: channel, tensor, or dense_tensor.
        clipping: how ranges are set: min_max, or a key of CLIPPINGS.
        correct: whether channels are equalised before, and biases corrected after.
        int16_fraction: fraction of an int8 file's operations that have 16-bit activations.
        float_fraction: fraction of an int8 file's operations that stay in float.
        input_ranges: name -> (low, high) of inputs whose range is known, as that of pixels is.
    """
    from ai_edge_quantizer import qtyping

    if correct:
        float32 = equalized_file(float32, calibration)
    maker = integer_maker(float32, BITS[form], granularity)
    if io not in INTEGER_BORDERS:
        for border in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT):
            maker.update_quantization_recipe(".*", border, algorithm_key="no_quantize")
    fractions: dict[Kind, float] = {"wide": int16_fraction, "float": float_fraction}
    for kind, share in fractions.items():
        if share and form == "int8":
            chosen = most_sensitive(float32, calibration, kind, share, granularity, input_ranges)
            set_apart(maker, kind, chosen, granularity=granularity)
    with _refusals(form):
        ranges = ranges_of(
            float32, calibration, clipping=clipping, bits=BITS[form], known=input_ranges
        )
        content = quantize_file(maker, ranges, float32)
    if correct:
        content = correct_biases(content, float32, calibration)
    if io == "uint8" and form == "int8":
        content = io_dtype.with_uint8(content)
    Path(out).write_bytes(inline_buffers(content))


def converted_integer_file(
    model: str, spec: str, out: str, form: str, io: str, calibration: str, granularity: str
) -> None:
    """Write the int8 or int16x8 file by the converter only, which quantizes more operations.

    Ranges are the least and greatest value of each tensor.

    Args:
        model: path of the `.keras` file.
        spec: path of spec.json.
        out: path of the file to write.
        form: int8 or int16x8.
        io: as for `integer_file`.
        calibration: path of calibration.npz: model inputs by name.
        granularity: as for `integer_file`.
    """
    samples = _Samples(sha256_file(Path(calibration)), calibration)
    content = _integer_content(
        _network(model, spec), samples, form, granularity, io in INTEGER_BORDERS
    )
    if io == "uint8" and form == "int8":
        content = io_dtype.with_uint8(content)
    Path(out).write_bytes(content)


@dataclass(frozen=True)
class _Samples:
    """Calibration samples, with equality by bytes."""

    sha256: str
    path: str = field(compare=False)


@functools.lru_cache(maxsize=KEPT)
def _integer_content(
    network: _Network, calibration: _Samples, form: str, granularity: str, has_integer_borders: bool
) -> bytes:
    import tensorflow as tf

    converter = _converter(network, _front_end(network)[0])
    sets = tf.lite.OpsSet
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter._experimental_disable_per_channel = granularity == "tensor"
    if granularity == DENSE_TENSOR:
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    converter.target_spec.supported_ops = [
        sets.TFLITE_BUILTINS_INT8
        if form == "int8"
        else sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
    inputs, samples = Spec.read(network.spec).inputs, samples_of(calibration.path)
    converter.representative_dataset = lambda: ([s[i.name] for i in inputs] for s in samples)
    if has_integer_borders:
        kind = tf.int8 if form == "int8" else tf.int16
        is_real = all(entry.dtype == "float32" for entry in inputs)
        converter.inference_input_type = kind if is_real else tf.float32  # words stay int32
        converter.inference_output_type = kind
    with _refusals(form):
        return lstm_state_scales.requantize_states(converter.convert())
