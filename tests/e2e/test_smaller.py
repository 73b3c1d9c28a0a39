"""A pruned and clustered net as a user meets it: small in the file, and judged by what it was."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import read_json, sha256_file
from pipeline.cli import main
from pipeline.export.inspect import weights_of
from tests.e2e.chain import published, ran, run, write_config
from tests.e2e.test_remedies import separable

pytestmark = pytest.mark.slow
CLUSTERS, SPARSITY = 12, 0.6
SMALL = (
    f"compress.prune={{sparsity: {SPARSITY}, epochs: 8}}",
    f"compress.cluster={{clusters: {CLUSTERS}, epochs: 4}}",
    "compress.quantize.qat.epochs=2",
    "compress.quantize.remedies=[qat]",
    "baseline=null",
    "harden=null",
    "audit.samples=64",
    "export.formats=[float32, int8]",
)
LOOSE = ("gate.metric_drop=0.2", "gate.agreement=0.7")


def arguments(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def stage(folder: Path, name: str, file: str) -> Any:
    return read_json(folder / "runs" / "tiny" / name / file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    config = write_config(folder, epochs=20)
    done = run(config, folder, *arguments(*SMALL, *LOOSE))
    assert done.returncode == 0, done.stderr
    return folder


def few_and_zero(values: np.ndarray) -> None:
    """Hold a kernel against what was asked; the first axis of a file's kernels are outputs."""
    rows = values.reshape(len(values), -1)
    assert (values == 0).mean() >= SPARSITY - 1 / values.size
    assert max(len(np.unique(row)) for row in rows) <= CLUSTERS


def test_zeros_and_clusters_reach_the_file_and_the_manifest(folder: Path) -> None:
    bundle = folder / "exported" / "tiny"
    manifest = read_json(bundle / "manifest.json")
    for form in ("float32", "int8"):
        kernels = weights_of(bundle / f"model_{form}.tflite")
        assert kernels
        for values in kernels.values():
            few_and_zero(values)
    rows = {row["format"]: row for row in manifest["models"]}
    assert rows["int8"]["zero_weights"] >= SPARSITY - 0.01
    assert rows["int8"]["bytes_gzip"] < 0.8 * rows["int8"]["bytes"]
    assert manifest["compress"]["zeros"] == pytest.approx(SPARSITY, abs=0.01)
    assert all(row["values"] <= CLUSTERS for row in manifest["compress"]["kernels"])
    for told in ("report.html", "MODEL_CARD.md"):
        assert (
            f"pruned to 60 % zeros, clustered to {CLUSTERS} values" in (bundle / told).read_text()
        )


def test_the_reference_is_the_trained_model_and_the_drop_holds_what_pruning_costs(
    folder: Path,
) -> None:
    runs = folder / "runs" / "tiny"
    trained = sha256_file(runs / "train" / "model.keras")
    assert sha256_file(folder / "exported" / "tiny" / "model.keras") == trained
    assert sha256_file(runs / "compress" / "model.keras") != trained
    parity = stage(folder, "verify", "parity.json")
    wanted = parity["reference"]["metrics"]["accuracy"]
    found = parity["files"]["model_float32.tflite"]
    drop = found["parity"]["metric_drop"]
    assert drop == pytest.approx(wanted - found["metrics"]["accuracy"])
    assert found["parity"]["agreement"] < 1


def test_the_attack_is_on_the_pruned_net_too(folder: Path) -> None:
    """What fools the trained net fools its pruned form less: that alone would flatter the file."""
    for name, row in stage(folder, "audit", "audit.json")["files"].items():
        attacks = row["attacks"]
        own = {"straight_through", "square"} if name == "model_int8.tflite" else set()
        assert set(attacks) == {"pgd_transfer", "pgd_parent"} | own
        least = min(attack["accuracy"] for attack in attacks.values())
        assert row["robust_accuracy"] <= least <= row["clean_accuracy"]


def test_another_gate_prunes_nothing_and_other_pruning_trains_nothing(folder: Path) -> None:
    config = write_config(folder, epochs=20)
    before = published(folder)
    done = run(config, folder, *arguments(*SMALL, *LOOSE[:1], "gate.agreement=0.71"))
    assert done.returncode == 0, done.stderr
    assert "pruning to" not in done.stderr
    assert "epoch" not in done.stderr
    after = published(folder)
    assert {n for n in before if before[n] != after[n]} == {"manifest.json"}
    harsh = arguments(
        *SMALL, "compress.prune={sparsity: 0.99, epochs: 1, schedule: constant}", *LOOSE[:1]
    )
    done = run(config, folder, *harsh, *arguments("compress.quantize.remedies=[]"))
    assert done.returncode == 3, done.stderr
    assert "pruning to 0.99" in done.stderr
    assert "train" not in ran(done)
    assert "compress.prune and compress.cluster alone: drop 0." in done.stderr
    assert "Try a lower sparsity, more clusters, or more epochs" in done.stderr
    assert published(folder) == after


def test_the_rung_that_learns_through_the_rounding_keeps_both(folder: Path, tmp_path: Path) -> None:
    """No gate holds, so that it is climbed; its file is made as export would."""
    from pipeline.compress.ladder import RUNGS
    from pipeline.export.make import make_file
    from pipeline.models.save import load_keras
    from pipeline.worker import client

    config = write_config(tmp_path, epochs=20)
    hard = arguments(*SMALL, "gate.bytes=10")
    done = run(config, tmp_path, "--until", "compress", *hard)
    assert done.returncode == 0, done.stderr
    models = tmp_path / "runs" / "tiny" / "compress"
    one, other = (load_keras(models / name).get_weights() for name in ("model.keras", "qat.keras"))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))
    common = {"input_ranges": {}, "granularity": "channel", "quantizer": "ai-edge"}
    file = tmp_path / "qat.tflite"
    make_file(
        file,
        "int8",
        recipe=RUNGS["qat"].recipe.model_copy(update=common),
        models=models,
        spec=tmp_path / "runs" / "tiny" / "build" / "spec.json",
        calibration=models / "calibration.npz",
        io="int8",
        work=tmp_path / "work",
    )
    client.stop()
    for values in weights_of(file).values():
        few_and_zero(values)


CONFIG = """
name: digits
task: classification
data: {source: {kind: bundled, name: digits}, split: {by: stratified}}
baseline: null
audit: null
model: {kind: cnn}
compress: {prune: {sparsity: 0.5, epochs: 5}}
export: {formats: [float32, int8], targets: [cpu]}
gate: {metric_drop: 0.05, agreement: 0.9, worst_class_drop: null}
"""


def test_a_model_that_was_trained_elsewhere_is_pruned_too(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    separable().save(tmp_path / "net.keras")
    places = ["--runs", str(tmp_path / "runs"), "--exported", str(tmp_path / "exported")]
    asked = [str(tmp_path / "net.keras"), "--data", str(tmp_path / "c.yaml"), *places]
    assert main(["quantize", *asked]) == 0
    bundle = tmp_path / "exported" / "digits_net"
    manifest = json.loads((bundle / "manifest.json").read_text())
    names = {row["name"].split("/")[0] for row in manifest["compress"]["kernels"]}
    assert "first" in names
    assert "depth" not in names
    assert manifest["compress"]["zeros"] == pytest.approx(0.5, abs=0.01)
