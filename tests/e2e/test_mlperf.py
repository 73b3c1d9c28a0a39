"""MLPerf Tiny's configs go from sets of the published form to bundles; their targets are off."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.device.predict import predict
from tests.conftest import CONFIGS
from tests.data.mlperf import SETS, settings, with_set
from tests.e2e.chain import command

GATES = (
    "min_metric", "min_recording_auc", "metric_drop", "agreement", "worst_class_drop",
    "max_runtime_disagreement",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_a_config_ends_with_a_bundle(tmp_path: Path, name: str) -> None:
    shutil.copytree(CONFIGS, tmp_path / "configs")
    config = with_set(name, tmp_path)
    quick = ["train.epochs=2", "audit=null", "data.batch_size=16", "compress.quantize.remedies=[]"]
    chosen = [*quick, *settings(name), *(f"gate.{gate}=null" for gate in GATES)]
    wanted = command(config, tmp_path, *(word for own in chosen for word in ("--set", own)))
    done = subprocess.run(wanted, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    bundle = tmp_path / "exported" / name
    manifest = json.loads((bundle / "manifest.json").read_text())
    shipped = next(m for m in manifest["models"] if m["format"] == "int8")
    assert shipped["float_ops_left"] == []
    (sample,) = bundle.glob("sample.*")
    assert predict(bundle, [sample])[0]["decision"] is not None
    if name == "mlperf_machines":
        assert 0 <= shipped["metrics"]["recording_auc"] <= 1
        told = [
            row["metrics"]["int8"]["recording_auc"] for row in manifest["groups"]["values"].values()
        ]
        assert shipped["metrics"]["recording_auc"] == pytest.approx(sum(told) / len(told))
        assert "AUC over recordings" in (bundle / "report.html").read_text()
