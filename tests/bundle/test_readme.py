"""A bundle's README: this model's own shapes, types and numbers, for every kind of border."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.bundle.readme import readme
from pipeline.device_code.firmware import micro_name
from pipeline.export.c_source import write_c_source
from pipeline.ondevice.quantize import dequantize, quantize
from tests.device.tiny import STEPS, tflite
from tests.documents.manifests import make_manifest
from tests.documents.preprocess import entry_of, preprocess_of

BORDERS = [
    ("int8", 1 / 255, -128), ("int8", 0.0037, -119), ("uint8", 1 / 255, 0), ("uint8", 0.0173, 31),
    ("int16", 3.1e-5, 0),
]  # fmt: skip
TYPES = {"int8": (0.5, -3), "uint8": (0.5, 125), "int16": (0.001, 0), "float32": (None, None)}


def number(name: str) -> dict[str, Any]:
    """Return a column of preprocess.json."""
    ends = {"low": 0.0, "high": 1.0, "offset": 0.5, "scale": 2.0}
    return {"name": name, "kind": "number", "encoding": "robust", "impute_value": 0.0} | ends


def manifest(form: str, dtype: str, kind: str) -> dict[str, Any]:
    scale, zero_point = TYPES[dtype]
    border = {"dtype": dtype, "scale": scale, "zero_point": zero_point}
    shape = [1, 8, 6, 3] if kind == "image" else [1, 30]
    model = {
        "format": form,
        "file": f"model_{form}.tflite",
        "bytes": 1234,
        "metrics": {"accuracy": 0.9},
        "inputs": [border | {"name": "x", "shape": shape}],
        "output": border | {"name": "y", "shape": [1, 4]},
        "ops": {"CONV_2D": 1, "SOFTMAX": 1},
        "targets": {},
        "runtimes": {"litert": {"version": "2", "disagreements": 0, "arena_bytes": None}},
    }
    entry: dict[str, Any] = {"kind": kind, "shape": shape[1:], "raw_dtype": "uint8"}
    scaled = {"scale": 1 / 255, "offset": 0.0}
    entry |= {"columns": [number("x")]} if kind == "columns" else scaled
    return {
        "name": "small",
        "ships": form,
        "models": [model],
        "preprocess": preprocess_of([entry], labels=["a", "b"]).dump(),
        "encoder": None,
        "preprocess_parity": {"x": {"max_abs_difference": 1e-7, "tolerance": 1e-5}},
        "reference": {"samples": 10, "metrics": {"accuracy": 0.91}},
    }


@pytest.mark.parametrize("kind", ["image", "table"])
@pytest.mark.parametrize(
    ("form", "dtype"),
    [("int8", "int8"), ("int8", "uint8"), ("int16x8", "int16"), ("float32", "float32")],
)
def test_every_border_is_fed_in_its_own_type(form: str, dtype: str, kind: str) -> None:
    text = readme(make_manifest(manifest(form, dtype, kind)))
    put = {
        "int8": ".toByte()",
        "uint8": ".toByte()",
        "int16": ".toShort()",
        "float32": "putFloat(x)",
    }
    bounds = {"int8": "(-128, 127)", "uint8": "(0, 255)", "int16": "(-32768, 32767)"}
    line = next(line for line in text.splitlines() if line.startswith("for ("))
    assert put[dtype] in line
    if "coerceIn" in line:
        assert bounds[dtype] in line
    assert ("model_int8.cc" in text) == (form == "int8")
    assert "- -" not in text
    assert "accuracy 0.9000 on 10 test samples; the trained model reaches 0.9100." in text


def formulas(text: str) -> dict[str, str]:
    """Return the language -> how its snippet quantizes `x`, as Python."""
    (kotlin,) = re.findall(r"input\.put(?:Short)?\((.*)\.to(?:Byte|Short)\(\)\)", text)
    (swift,) = re.findall(r"let input: \[\w+\] = \w+\.map \{ (.*) \}   //", text)
    kotlin = re.sub(r"\((round.*)\)\.coerceIn\((.*), (.*)\)", r"max(\2, min(\3, \1))", kotlin)
    kotlin = kotlin.replace(".toInt()", "").replace("pixel", "x")
    kotlin = re.sub(r"round\(x / ([\d.e-]+)f\)", r"rint(x / f32(\1))", kotlin)
    swift = re.sub(r"^U?Int\d+\((.*)\)$", r"\1", swift).replace("$0", "x")
    swift = re.sub(r"\(x / ([\d.e-]+)\)\.rounded\(\.toNearestOrEven\)", r"rint(x / f32(\1))", swift)
    return {"kotlin": kotlin, "swift": swift.replace("Int(", "int(")}


@pytest.mark.parametrize("kind", ["image", "table"])
@pytest.mark.parametrize(("dtype", "scale", "zero"), BORDERS)
def test_the_snippets_quantize_as_the_runner_does(
    dtype: str, scale: float, zero: int, kind: str
) -> None:
    form = "int16x8" if dtype == "int16" else "int8"
    told = manifest(form, dtype, kind)
    told["models"][0]["inputs"][0] |= {"scale": scale, "zero_point": zero}
    entry = told["preprocess"]["inputs"][0]
    text = readme(make_manifest(told))
    detail = {"dtype": np.dtype(dtype).type, "quantization": (scale, zero)}
    for formula in formulas(text).values():
        is_shift = "rint" not in formula
        assert is_shift == (kind == "image" and abs(scale * 255 - 1) < 1e-6 and dtype != "int16")
        pixels = np.arange(256, dtype=np.float32)
        real = pixels * np.float32(entry["scale"]) if kind == "image" else pixels - 99.5
        names = {"rint": lambda x: int(np.rint(x)), "f32": np.float32, "int": int}
        given = pixels.astype(int) if is_shift else real
        ours = [eval(formula, names | {"x": x, "max": max, "min": min}) for x in given]
        wrapped = np.array(ours).astype(dtype)  # as toByte() does
        np.testing.assert_array_equal(wrapped, quantize(real, detail), err_msg=formula)


@pytest.mark.parametrize(("dtype", "scale", "zero"), BORDERS)
def test_the_snippets_give_the_real_numbers(dtype: str, scale: float, zero: int) -> None:
    told = manifest("int16x8" if dtype == "int16" else "int8", dtype, "table")
    told["models"][0]["output"] |= {"scale": scale, "zero_point": zero}
    text = readme(make_manifest(told))
    kotlin = re.search(r"FloatArray\(4\) \{ (.*) \}", text)
    swift = re.search(r"output\.map \{ Float\((.*)\) \* (.*) \}", text)
    assert kotlin
    assert swift
    own = re.sub(r"output\.get(Short)?\([^)]*\)(\.toUByte\(\))?\.toInt\(\)", "q", kotlin[1])
    own = re.sub(r"([\d.e-]+)f$", r"\1", own)
    assert (".toUByte()" in kotlin[1]) == (dtype == "uint8")
    limits = np.iinfo(dtype)
    steps = np.linspace(limits.min, limits.max, 99).astype(dtype)
    wanted = dequantize(steps, {"quantization": (scale, zero), "dtype": steps.dtype.type})
    for formula in (own, f"({swift[1].replace('Int($0)', 'q')}) * {swift[2]}"):
        found = [eval(formula, {"q": int(q)}) for q in steps]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_sizes_in_the_snippets_are_those_of_the_file(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    for form in ("float32", *STEPS):
        file = Interpreter(model_content=tflite(form))
        given, output = file.get_input_details()[0], file.get_output_details()[0]
        told = manifest(form, "int8", "table")
        sides = (told["models"][0]["inputs"][0], given), (told["models"][0]["output"], output)
        for row, detail in sides:
            scale, zero = detail["quantization"]
            row |= {"dtype": np.dtype(detail["dtype"]).name, "shape": detail["shape"].tolist()}
            row |= {"scale": scale or None, "zero_point": zero if scale else None}
        text = readme(make_manifest(told))
        sizes = [eval(size) for size in re.findall(r"allocateDirect\((.*?)\)\.order", text)]
        file.allocate_tensors()
        held = [file.get_tensor(detail["index"]).nbytes for detail in (given, output)]
        assert sizes == held
        assert f", {held[0]} bytes" in text


def test_what_moves_a_pixel_is_no_rounding_where_scales_differ() -> None:
    told = manifest("int8", "int8", "image")
    assert "round(x / 0.5f)" in readme(make_manifest(told))
    told["models"][0]["inputs"][0] |= {"scale": 1 / 255, "zero_point": -128}
    assert "input.put((pixel - 128).toByte())" in readme(make_manifest(told))
    told["preprocess"]["inputs"][0]["offset"] = 127.5
    assert "(pixel" not in readme(make_manifest(told))


STUB = Path(__file__).with_name("micro")


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")
@pytest.mark.parametrize("state", [False, True])
def test_the_program_for_microcontrollers_compiles_runs_twice_and_holds_the_file(
    tmp_path: Path, state: bool
) -> None:
    model = tmp_path / "model_int8.tflite"
    model.write_bytes(tflite("int8"))
    write_c_source(model, tmp_path)
    told = manifest("int8", "int8", "table")
    held = OPERATIONS if state else [name for name in OPERATIONS if "LSTM" not in name]
    told["models"][0]["ops"] = dict.fromkeys(held, 1)
    told["models"][0]["inputs"][0]["shape"] = [1, 4]
    told["models"][0]["output"]["shape"] = [1, 3]
    (snippet,) = re.findall(r"```cpp\n(.*?)```", readme(make_manifest(told)), re.DOTALL)
    (tmp_path / "main.cc").write_text(snippet + MAIN)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{STUB}", "-I.", "-o", "main"]
    flags += ["-DMODEL_KEEPS_STATE"] if state else []
    built = subprocess.run(
        ["g++", *flags, "main.cc", "model_int8.cc"], cwd=tmp_path, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    done = subprocess.run([tmp_path / "main"], capture_output=True, check=True)
    assert done.stdout == model.read_bytes()


MAIN = """
#include <cstdio>
int main() {
  const int8_t input[4] = {1, 2, 3, 4};
  int8_t output[3] = {0, 0, 0};
  if (run(input, output) != 0 || run(input, output) != 0) return 1;
  if (output[0] != 1 || output[2] != 3) return 2;  // the stub gives its input back
  std::fwrite(g_model_int8, 1, g_model_int8_size, stdout);
  return 0;
}
"""
OPERATIONS = {  # what our files hold -> as tflite-micro's micro_mutable_op_resolver.h calls it
    "ADD": "Add", "AVERAGE_POOL_2D": "AveragePool2D", "BATCH_MATMUL": "BatchMatMul",
    "CONCATENATION": "Concatenation", "CONV_2D": "Conv2D", "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
    "DEQUANTIZE": "Dequantize", "FULLY_CONNECTED": "FullyConnected", "GATHER": "Gather",
    "LEAKY_RELU": "LeakyRelu", "LOGISTIC": "Logistic", "MAX_POOL_2D": "MaxPool2D", "MEAN": "Mean",
    "MUL": "Mul", "PADV2": "PadV2", "QUANTIZE": "Quantize", "RELU6": "Relu6", "RESHAPE": "Reshape",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighbor", "REVERSE_V2": "ReverseV2",
    "RSQRT": "Rsqrt", "SOFTMAX": "Softmax", "SPLIT": "Split", "SPLIT_V": "SplitV",
    "SQUARED_DIFFERENCE": "SquaredDifference", "STRIDED_SLICE": "StridedSlice", "SUB": "Sub",
    "TANH": "Tanh", "TRANSPOSE": "Transpose", "TRANSPOSE_CONV": "TransposeConv",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM", "UNPACK": "Unpack",
}  # fmt: skip


def test_operations_have_the_names_that_tflite_micro_gives_them() -> None:
    assert {op: micro_name(op) for op in OPERATIONS} == OPERATIONS
    told = manifest("int8", "int8", "table")
    assert "tflite-micro has no" not in readme(make_manifest(told))
    told["models"][0]["ops"]["GELU"] = 1
    assert "tflite-micro has no GELU, so this file does not run there." in readme(
        make_manifest(told)
    )


@pytest.mark.parametrize("op", ["UNIDIRECTIONAL_SEQUENCE_LSTM", "READ_VARIABLE", "CONV_2D"])
def test_phones_reset_what_a_model_keeps_between_samples(op: str) -> None:
    told = manifest("int8", "int8", "table")
    told["models"][0]["ops"] = {op: 1}
    text = readme(make_manifest(told))
    keeps = op != "CONV_2D"
    kotlin, swift = text.index("## Android"), text.index("## iOS")
    reset = text.find("interpreter.resetVariableTensors()", kotlin)
    assert (kotlin < reset < text.index("interpreter.run(", kotlin)) == keeps
    assert ("interpreter anew for each sample" in text[swift:]) == keeps


def test_several_inputs_are_all_told_and_fed() -> None:
    told = manifest("int8", "int8", "columns")
    words = {"name": "t", "dtype": "int32", "shape": [1, 8], "scale": None, "zero_point": None}
    told["models"][0]["inputs"].append(words)
    columns = [number("hours"), number("load")]
    told["preprocess"]["inputs"][0] |= {"columns": columns}
    told["preprocess"]["inputs"].append(
        entry_of({"name": "t", "kind": "tokens", "shape": [8]}).dump()
    )
    text = readme(make_manifest(told))
    assert "by name: hours, load" in text
    assert "Input `t`: int32 [1, 8]." in text
    assert "input1.putInt(number)" in text
    both = "arrayOf<Any>(input0.rewind(), input1.rewind())"
    assert f"runForMultipleInputsOutputs({both}, mapOf(0 to output))" in text
    assert "for (x in values0) input0.put(" in text
    assert "let input1: [Int32] = numbers1" in text


def test_a_detectors_score_and_threshold_are_told() -> None:
    told = manifest("int8", "int8", "table")
    told["preprocess"]["anomaly"] = {
        "score": "forecast",
        "threshold": 0.25,
        "input_range": [-1.0, 2.0],
    }
    assert (
        "does not see; above 0.25 it is an anomaly. What the model is given is cut to -1 and 2"
        in readme(make_manifest(told))
    )
    told["preprocess"]["anomaly"] = {
        "score": "reconstruction",
        "threshold": 0.25,
        "input_range": [-1.0, 2.0],
    }
    assert "and the real input; above 0.25" in readme(make_manifest(told))


def test_the_arena_is_told_where_it_was_measured() -> None:
    document = manifest("int8", "int8", "image")
    assert "measured on a 64-bit machine" not in readme(make_manifest(document))
    micro = {"version": "0.1", "disagreements": 1, "arena_bytes": 4272}
    document["models"][0]["runtimes"]["tflite-micro"] = micro
    text = readme(make_manifest(document))
    assert "The arena of 4272 bytes was measured on a 64-bit machine with tflite-micro 0.1" in text
    assert "decides 9 of 10 test samples as LiteRT does" in text


def test_the_c_library_is_told_with_what_was_measured_or_why_there_is_none() -> None:
    told = manifest("int8", "int8", "table")
    told["preprocess"]["labels"] = ["a", "b", "c", "d"]
    row = {"file": "model_int8.tflite", "compiler": "cc 12", "samples": 10, "inputs": {}}
    told["device_code"] = row | {"disagreements": 1}
    text = readme(make_manifest(told))
    assert "small_preprocess(&raw, &input) == SMALL_OK" in text
    assert "Compiled by cc 12, it prepares and decides 9 of 10 test samples" in text
    told["preprocess"]["labels"] = ["a", "b"]
    without = readme(make_manifest(told))
    assert "There is no C library for this model: 4 outputs for 2 classes." in without
    assert "small_preprocess" not in without
