"""A model that was trained elsewhere becomes a bundle, and no weight of it changes."""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from pipeline.cli import main
from tests.e2e.mutants import mutants
from tests.e2e.test_remedies import separable
from tests.models.test_tflite import converted

pytestmark = pytest.mark.slow
CONFIG = """
name: digits
task: classification
data: {source: {kind: bundled, name: digits}, split: {by: stratified}}
baseline: null
audit: null
model: {kind: cnn}
export: {formats: [float32, int8], targets: [cpu]}
gate: {worst_class_drop: null}
"""


def quantize(folder: Path, model: Path, *chosen: str) -> tuple[int, Path]:
    """Return what the command answers, and the bundle's folder."""
    (folder / "c.yaml").write_text(CONFIG)
    places = ["--runs", str(folder / "runs"), "--exported", str(folder / "exported")]
    answer = main(["quantize", str(model), "--data", str(folder / "c.yaml"), *places, *chosen])
    return answer, folder / "exported" / f"digits_{model.stem}"


@pytest.mark.parametrize("suffix", [".h5", ".tflite"])
def test_a_trained_model_is_bundled_as_it_is(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = separable()
    path = tmp_path / f"net{suffix}"
    if suffix == ".tflite":
        converted(model, path, batch=1)
    else:
        model.save(path)
    answer, bundle = quantize(tmp_path, path)
    assert answer == 0
    assert "int8 ships" in capsys.readouterr().out
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["reference"]["metrics"]["accuracy"] > 0.9
    kept = keras.models.load_model(bundle / "model.keras")
    if suffix == ".h5":
        for a, b in zip(model.get_weights(), kept.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    x = load_digits().images[:64, ..., None]
    np.testing.assert_allclose(np.asarray(kept([x / 16])), np.asarray(model(x / 16)), atol=1e-4)
    assert "The model was not trained here" in (bundle / "report.html").read_text()


def test_damaged_files_get_one_message_and_no_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], counted: Callable[..., None]
) -> None:
    whole = converted(separable(), tmp_path / "net.tflite", batch=1).read_bytes()
    answers = []
    for number, content in enumerate(mutants(whole, 50)):
        path = tmp_path / f"m{number}.tflite"
        path.write_bytes(content)
        chosen = ("--quiet", "--set", "compress.quantize.remedies=[]")  # errors alone are told
        answer, bundle = quantize(tmp_path, path, *chosen)
        told = capsys.readouterr().err
        assert answer in (0, 2, 3), told
        assert (answer == 0) == bundle.exists()
        assert "Traceback" not in told
        if answer == 2:
            assert len(told.strip().splitlines()) == 1, told
            assert "model.path: " in told
        answers.append(answer)
    assert answers.count(2) > 15
    counted("fuzzed", len(answers))
