"""A decision threshold from the config to the bundle."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli import main
from pipeline.report.show import show

CONFIG = """
name: rare
task: classification
task_metric: auc
data:
  source: {kind: csv, path: rare.csv, label: label}
  split: {by: stratified}
  batch_size: 128
model: {kind: mlp, units: [16]}
train: {epochs: 15, optimizer: {kind: adamw, learning_rate: 1e-2}}

decision: {metric: f1}
export: {targets: [cpu]}
audit: null
gate:
  {metric_drop: 0.05, auc_drop: 0.05, agreement: 0.9, worst_class_drop: null, missing_classes: null,
  decision_drop: 0.08}
"""


def write_table(path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1, (4000, 5))
    is_rare = rng.random(4000) < 1 / (1 + np.exp(4.5 - 2 * x[:, 0] - x[:, 1]))
    rows = [
        ",".join([*(f"{value:.4f}" for value in row), "yes" if rare else "no"])
        for row, rare in zip(x, is_rare, strict=True)
    ]
    path.write_text("a,b,c,d,e,label\n" + "\n".join(rows) + "\n")


@pytest.mark.slow
def test_the_threshold_is_in_every_file_and_in_the_bundle(tmp_path: Path) -> None:
    write_table(tmp_path / "rare.csv")
    config = tmp_path / "rare.yaml"
    config.write_text(CONFIG)
    places = ["--runs", str(tmp_path / "runs"), "--exported", str(tmp_path / "exported")]
    assert main(["run", str(config), *places]) == 0
    found = json.loads((tmp_path / "runs/rare/verify/parity.json").read_text())
    models = found["decision"]["models"]
    assert found["decision"]["threshold"] < 0.5
    assert models["reference"]["recall"] > 0
    assert models["int8"]["f1"] == pytest.approx(models["reference"]["f1"], abs=0.08)
    preprocess = json.loads((tmp_path / "exported/rare/preprocess.json").read_text())
    assert preprocess["decision"]["positive"] == "yes"
    said = f"yes from a trained probability of {preprocess['decision']['threshold']:.4g} on"
    assert said in show(tmp_path / "exported/rare")
    verdict = json.loads((tmp_path / "runs/rare/gate/verdict.json").read_text())
    assert "decision_drop" in {row["name"] for row in verdict["gates"]["int8"]}
    assert "0.5 there" in (tmp_path / "exported/rare/README.md").read_text()
    plain_config = CONFIG.replace("decision: {metric: f1}\n", "")
    config.write_text(plain_config.replace("decision_drop: 0.08", ""))
    assert main(["run", str(config), *places, "--until", "verify"]) == 0
    plain = json.loads((tmp_path / "runs/rare/verify/parity.json").read_text())
    assert plain["decision"] is None
    auc = (r["reference"]["metrics"]["auc"] for r in (found, plain))
    assert next(auc) == pytest.approx(next(auc), abs=1e-6)  # the ranking is the same
