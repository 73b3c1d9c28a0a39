"""A model that was trained elsewhere becomes a bundle, and no weight of it changes."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.cli import main
from tests.e2e.test_remedies import separable

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


def test_a_trained_model_is_bundled_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    model = separable()
    model.save(tmp_path / "net.h5")
    places = ["--runs", str(tmp_path / "runs"), "--exported", str(tmp_path / "exported")]
    asked = [str(tmp_path / "net.h5"), "--data", str(tmp_path / "c.yaml"), *places]
    assert main(["quantize", *asked]) == 0
    assert "int8 ships" in capsys.readouterr().out
    bundle = tmp_path / "exported" / "digits_net"
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["reference"]["metrics"]["accuracy"] > 0.9
    kept = keras.models.load_model(bundle / "model.keras")
    for a, b in zip(model.get_weights(), kept.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert "Nothing was trained" in (bundle / "report.html").read_text()
