"""Damaged models in a bundle that says they are whole: an answer or one message, never a crash."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import MANIFEST, sha256_file
from pipeline.cli import main
from tests.e2e.mutants import mutants

CONFIG = """
name: plain
task: classification
data: {source: {kind: bundled, name: digits}, split: {by: stratified}}
baseline: null
audit: null
model: {kind: cnn, filters: [4]}
train: {epochs: 1}
compress: {quantize: {remedies: []}}
export: {formats: [int8], targets: [cpu]}
gate: {metric_drop: null, agreement: null, worst_class_drop: null, missing_classes: null}
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "plain.yaml").write_text(CONFIG)
    places = ["--runs", str(folder / "runs"), "--exported", str(folder / "exported")]
    assert main(["run", str(folder / "plain.yaml"), *places]) == 0
    return folder / "exported" / "plain"


def put(bundle: Path, content: bytes) -> None:
    """Put a model into a bundle, as whole by its manifest."""
    file = bundle / "model_int8.tflite"
    file.write_bytes(content)
    manifest = json.loads((bundle / MANIFEST).read_text())
    found = {"sha256": sha256_file(file), "bytes": len(content)}
    manifest["files"][file.name] = found
    (bundle / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("count", [12, pytest.param(1000, marks=pytest.mark.slow)])
def test_predict_answers_or_gives_one_message(
    bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    count: int,
    counted: Callable[..., None],
) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    whole = (copy / "model_int8.tflite").read_bytes()
    np.save(tmp_path / "x.npy", np.zeros((1, 8, 8, 1), np.uint8))
    answers = []
    for content in mutants(whole, count):
        put(copy, content)
        answers.append(main(["predict", str(copy), str(tmp_path / "x.npy")]))
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        assert len(told.err.strip().splitlines()) == (answers[-1] != 0), told.err
    assert set(answers) == {0, 4}
    counted("fuzzed", len(answers))
