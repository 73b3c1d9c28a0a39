"""A bundle's README: this model's own shapes, types and numbers, for every kind of border."""

from typing import Any

import pytest

from pipeline.bundle.readme import readme

TYPES = {"int8": (0.5, -3), "uint8": (0.5, 125), "int16": (0.001, 0), "float32": (None, None)}


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
        "runtimes": {"litert": {"version": "2", "changed": 0, "arena_bytes": None}},
    }
    entry = {"name": "x", "kind": kind, "scale": 1 / 255, "shape": shape[1:], "raw_dtype": "uint8"}
    return {
        "name": "small",
        "ships": form,
        "models": [model],
        "preprocess": {"inputs": [entry], "anomaly": None},
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
    text = readme(manifest(form, dtype, kind))
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
    assert "accuracy 0.9000 on 10 held-out samples; the trained model reaches 0.9100." in text


def test_a_pixel_is_moved_by_the_zero_point_where_nothing_else_is_needed() -> None:
    assert "input.put((pixel - 3).toByte())" in readme(manifest("int8", "int8", "image"))


def test_several_inputs_are_all_told_and_fed() -> None:
    told = manifest("int8", "int8", "columns")
    words = {"name": "t", "dtype": "int32", "shape": [1, 8], "scale": None, "zero_point": None}
    told["models"][0]["inputs"].append(words)
    columns = [{"name": "hours"}, {"name": "load"}]
    told["preprocess"]["inputs"][0] |= {"columns": columns}
    told["preprocess"]["inputs"].append({"name": "t", "kind": "tokens", "unit": "words"})
    text = readme(told)
    assert "by name: hours, load" in text
    assert "Input `t`: int32 [1, 8]." in text
    assert "input1.putInt(number)" in text
    assert "runForMultipleInputsOutputs(arrayOf<Any>(input0, input1), mapOf(0 to output))" in text


def test_a_detectors_score_and_threshold_are_told() -> None:
    told = manifest("int8", "int8", "table")
    told["preprocess"]["anomaly"] = {"score": "forecast", "threshold": 0.25, "known": [-1.0, 2.0]}
    assert (
        "does not see; above 0.25 it is an anomaly. What the model is given is cut to -1 and 2"
        in readme(told)
    )
    told["preprocess"]["anomaly"] = {
        "score": "reconstruction",
        "threshold": 0.25,
        "known": [-1.0, 2.0],
    }
    assert "and the real input; above 0.25" in readme(told)


def test_the_arena_is_told_where_it_was_measured() -> None:
    document = manifest("int8", "int8", "image")
    assert "arena" not in readme(document)
    micro = {"version": "0.1", "changed": 1, "arena_bytes": 4272}
    document["models"][0]["runtimes"]["tflite-micro"] = micro
    text = readme(document)
    assert "an arena of 4272 bytes, measured on a 64-bit machine with tflite-micro 0.1" in text
    assert "decides 9 of 10 held-out samples as LiteRT does" in text
