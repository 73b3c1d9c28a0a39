"""The device runner: its arithmetic against slow definitions, and its words for wrong inputs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.arrays import only
from pipeline.data.preprocess import to_model_inputs
from pipeline.device.measure import run_file
from pipeline.ondevice.assemble import PROGRAM_FILE
from pipeline.ondevice.image import resize_image
from pipeline.ondevice.interpreter import invoke_model, load_interpreter, match_input_name
from pipeline.ondevice.main import PART
from pipeline.ondevice.predict import anomaly_predictions
from pipeline.ondevice.quantize import dequantize, quantize
from tests.device.lenient import (
    anomaly_scores,
    decide_outputs,
    mask_detector_inputs,
    prepare_input,
)
from tests.device.tiny import INPUTS, PREPROCESS, document, tflite
from tests.documents.preprocess import preprocess_of

ENTRY = {
    "name": "image", "kind": "image", "shape": [4, 4, 1], "offset": 0.0, "scale": 1 / 255,
    "color": "gray", "raw_dtype": "uint8",
}  # fmt: skip
seeds = st.integers(0, 10_000)


def detail(dtype: type, scale: float, zero_point: int) -> dict[str, Any]:
    return {"dtype": np.dtype(dtype).type, "quantization": (scale, zero_point)}


@given(seed=seeds, scale=st.floats(1e-4, 1.0), zero=st.integers(-128, 127))
def test_quantizing_loses_at_most_half_a_step_inside_the_range(
    seed: int, scale: float, zero: int
) -> None:
    tensor = detail(np.int8, scale, zero)
    low, high = (-128 - zero) * scale, (127 - zero) * scale
    x = np.random.default_rng(seed).uniform(low, high, 50).astype(np.float32)
    back = dequantize(quantize(x, tensor), tensor)
    assert np.abs(back - x).max() <= scale * 0.501 + 1e-5


@given(seed=seeds)
def test_values_outside_the_range_are_clipped_not_wrapped(seed: int) -> None:
    tensor = detail(np.int8, 0.01, 0)
    x = np.random.default_rng(seed).normal(0, 100, 20).astype(np.float32)
    q = quantize(x, tensor)
    assert (np.sign(q) == np.sign(np.where(q == 0, 0, x))).all()


def test_every_pixel_becomes_its_own_integer() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 4, 4, 1)
    q = quantize(prepare_input(pixels, ENTRY), detail(np.int8, 1 / 255, -128))
    np.testing.assert_array_equal(q.ravel(), np.arange(-128, 128))


@given(seed=seeds)
def test_training_and_device_prepare_alike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = {
        "name": "x", "kind": "table", "shape": [3], "raw_dtype": "float32",
        "offset": rng.normal(size=3).tolist(), "scale": rng.uniform(0.1, 9, 3).tolist(),
    }  # fmt: skip
    raw = rng.normal(0, 5, (7, 3)).astype(np.float32)
    trained = to_model_inputs({"x": raw}, preprocess_of([table]))["x"].numpy()
    np.testing.assert_array_equal(prepare_input(raw, table), trained)


@given(height=st.integers(1, 20), width=st.integers(1, 20), seed=seeds)
def test_resizing_keeps_a_plain_image_plain_and_stays_in_range(
    height: int, width: int, seed: int
) -> None:
    shade = int(np.random.default_rng(seed).integers(0, 256))
    plain = np.full((9, 7, 3), shade, np.uint8)
    resized = resize_image(plain, height, width)
    assert resized.shape == (height, width, 3)
    assert (resized == shade).all()


@given(seed=seeds, height=st.integers(2, 30), width=st.integers(2, 30))
def test_resizing_is_within_one_of_pillows_bilinear(seed: int, height: int, width: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (17, 23, 3), dtype=np.uint8)
    wanted = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    difference = resize_image(image, height, width).astype(int) - np.asarray(wanted)
    assert np.abs(difference).max() <= 2  # Pillow rounds between its two passes


def test_a_wrong_shape_and_a_nan_are_named() -> None:
    table = ENTRY | {"kind": "table", "name": "x", "shape": [3], "raw_dtype": "float32"}
    with pytest.raises(ValueError, match=r"wanted samples of shape \(3,\), got \(4,\)"):
        prepare_input(np.zeros((2, 4)), table)
    with pytest.raises(ValueError, match="NaN"):
        prepare_input(np.full((1, 3), np.nan), table)


def test_decisions_name_the_class_or_give_the_value() -> None:
    preprocess = {"labels": ["a", "b"], "target": None}
    (answer,) = decide_outputs(np.array([[0.2, 0.8]]), preprocess)
    assert (answer["decision"], answer["confidence"]) == ("b", pytest.approx(0.8))
    preprocess = {"labels": None, "target": {"offset": 10.0, "scale": 2.0}}
    (answer,) = decide_outputs(np.array([[0.5]]), preprocess)
    assert answer["decision"] == pytest.approx(11.0)


def test_inputs_are_told_apart_by_name() -> None:
    inputs = {"image": 0, "age": 1}
    assert match_input_name({"name": "serving_default_age:0"}, inputs) == "age"
    assert match_input_name({"name": "image"}, inputs) == "image"
    with pytest.raises(ValueError, match="none of age, image"):
        match_input_name({"name": "other"}, inputs)


def test_it_needs_nothing_of_ours(tmp_path: Path) -> None:
    copy = tmp_path / "run_on_device.py"
    copy.write_text(PROGRAM_FILE.read_text())
    program = (
        f"import runpy, sys; sys.path[:0] = []; runpy.run_path({str(copy)!r}); assert not [m for "
        "m in sys.modules if m.startswith('pipeline')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_its_grammar_is_that_of_python_3_7() -> None:
    import ast

    ast.parse(PROGRAM_FILE.read_text(), feature_version=(3, 7))


def test_a_file_that_is_no_model_is_one_line_and_exit_2(tmp_path: Path) -> None:
    from pipeline.device.measure import run_file
    from pipeline.errors import ArtifactError

    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model at all")
    with pytest.raises(ArtifactError, match=r"broken\.tflite: cannot be run on litert"):
        run_file(broken, preprocess_of([ENTRY]), {"image": np.zeros((2, 4, 4, 1), np.uint8)})


@given(seed=seeds, threshold=st.floats(0.01, 10))
def test_a_sample_is_flagged_where_its_score_passes_the_threshold(
    seed: int, threshold: float
) -> None:
    rng = np.random.default_rng(seed)
    x, made = rng.normal(size=(9, 4, 2)), rng.normal(size=(9, 4, 2))
    scores = anomaly_scores({"x": x}, made, {"score": "reconstruction"})
    np.testing.assert_allclose(scores, ((x - made) ** 2).mean(axis=(1, 2)))
    shares = anomaly_predictions(scores, threshold)
    np.testing.assert_array_equal(shares.argmax(axis=1) == 1, scores > threshold)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    assert (np.argsort(shares[:, 1]) == np.argsort(scores)).all()


def test_a_forecaster_does_not_see_the_step_that_it_is_judged_by() -> None:
    x = {"series": np.arange(24.0).reshape(2, 4, 3)}
    anomaly = {"score": "forecast", "threshold": 1.0}
    assert mask_detector_inputs(x, anomaly)["series"].shape == (2, 3, 3)
    assert mask_detector_inputs(x, None) is x
    cut = mask_detector_inputs(x, anomaly | {"input_range": [2.0, 5.0]})["series"]
    assert (cut.min(), cut.max(), cut.shape) == (2.0, 5.0, (2, 3, 3))
    np.testing.assert_array_equal(anomaly_scores(x, x["series"][:, -1], anomaly), [0, 0])


@pytest.mark.parametrize("form", ["float32", "int8", "int16x8"])
def test_samples_are_answered_alike_however_many_come_at_a_time(form: str, tmp_path: Path) -> None:
    """One after many too: a part of a set, and an attack's last sample, are that."""
    (file := tmp_path / "tiny.tflite").write_bytes(tflite(form))
    interpreter = load_interpreter(file)[0]
    x = np.random.default_rng(0).uniform(-3, 3, (70, INPUTS)).astype(np.float32)
    whole = only(invoke_model(interpreter, {"x": x}))
    for count in (1, 70, 31, 17, 16, 3, 2, 1, 33):
        part = only(invoke_model(interpreter, {"x": x[:count]}))
        assert (part == whole[:count]).all(), count


def test_a_set_may_be_one_sample_longer_than_its_parts(tmp_path: Path) -> None:
    (file := tmp_path / "tiny.tflite").write_bytes(tflite("int8"))
    entry = PREPROCESS["inputs"][0] | {"raw_dtype": "uint8"}  # type: ignore[index,operator]
    raw = np.random.default_rng(0).integers(0, 9, (PART // INPUTS + 1, INPUTS), dtype=np.uint8)
    found = run_file(file, document(inputs=[entry]), {"x": raw})
    last = run_file(file, document(inputs=[entry]), {"x": raw[-1:]})
    assert (only(found.outputs)[-1:] == only(last.outputs)).all()


def test_the_program_that_ships_is_assembled_from_its_modules() -> None:
    from pipeline.ondevice.assemble import assemble_program

    assert PROGRAM_FILE.read_text() == assemble_program(), "python -m pipeline.ondevice.assemble"


@pytest.mark.parametrize("field", ["abstain", "detector", "anomaly", "inputs", "sanitize"])
def test_a_missing_field_is_one_message_and_never_a_default(
    field: str, tiny_bundle: Path, tmp_path: Path
) -> None:
    """Without its rule a device would no longer abstain, and would not say so."""
    bundle = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, bundle)
    document = json.loads((bundle / "preprocess.json").read_text())
    (document["inputs"][0] if field == "sanitize" else document).pop(field)
    (bundle / "preprocess.json").write_text(json.dumps(document))
    np.save(tmp_path / "x.npy", np.zeros((1, *document.get("inputs", [{}])[0].get("shape", [1]))))
    done = subprocess.run(
        [sys.executable, str(bundle / "run_on_device.py"), str(tmp_path / "x.npy")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 2
    assert f"has no field '{field}'" in done.stderr
