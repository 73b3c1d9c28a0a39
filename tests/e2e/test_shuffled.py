"""Data that hold nothing to learn do not ship, whatever parity says."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from pipeline.cli import main

HEAD = """
name: shuffled
task: classification
data:
  source: SOURCE
  split: {by: stratified}
model: MODEL
train: {epochs: 3}
export: {targets: [cpu]}
audit: null
"""


def write_table(folder: Path, rng: np.random.Generator) -> str:
    data = load_breast_cancer()
    labels = rng.permutation(np.asarray(data.target_names)[data.target])
    rows = [
        ",".join([*(f"{value:g}" for value in row[:8]), label])
        for row, label in zip(data.data, labels, strict=True)
    ]
    head = ",".join([*(f"c{i}" for i in range(8)), "label"])
    (folder / "table.csv").write_text("\n".join([head, *rows]) + "\n")
    return HEAD.replace("SOURCE", "{kind: csv, path: table.csv, label: label}").replace(
        "MODEL", "{kind: mlp, units: [16]}"
    )


def write_images(folder: Path, rng: np.random.Generator) -> str:
    data = load_digits()
    labels = rng.permutation(data.target)
    np.savez(folder / "images.npz", x=data.images.astype(np.uint8)[..., None], y=labels)
    source = "{kind: npz, path: images.npz}"
    return HEAD.replace("SOURCE", source).replace("MODEL", "{kind: cnn, filters: [8], dense: [16]}")


@pytest.mark.slow
@pytest.mark.parametrize("write", [write_table, write_images])
def test_shuffled_labels_do_not_ship(
    write: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(write)
    config = tmp_path / "shuffled.yaml"
    config.write_text(write(tmp_path, np.random.default_rng(0)))
    places = ["--runs", str(tmp_path / "runs"), "--exported", str(tmp_path / "exported")]
    assert main(["run", str(config), *places]) == 3
    assert not (tmp_path / "exported/shuffled").exists()
    verdict = json.loads((tmp_path / "runs/shuffled/gate/verdict.json").read_text())
    failed = {gate["name"] for gate in verdict["gates"][verdict["ships"]] if not gate["passed"]}
    assert "skill_lower" in failed
    assert "0 is guessing" in capsys.readouterr().err
