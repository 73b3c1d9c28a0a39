"""MLflow as an extra: asked for by an address, recorded once, and never in the way of a run."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from pipeline import tracking
from pipeline.cli import main
from pipeline.errors import ConfigError
from tests.conftest import MINIMAL
from tests.documents.stages import seal_stage

HAS_MLFLOW = importlib.util.find_spec("mlflow") is not None
WITH = pytest.mark.skipif(not HAS_MLFLOW, reason="MLflow is not installed: edgeline[mlflow]")
CONFIG: dict[str, Any] = {"name": "small", "train": {"epochs": 2}, "audit": None}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run folder with one stage that trained."""
    folder = tmp_path / "runs" / "small"
    (folder / "train").mkdir(parents=True)
    seal_stage(folder / "train", seconds=2.0, **{"val accuracy (%)": 0.5})
    (folder / "train" / "history.csv").write_text("epoch,loss\n1,0.5\n2,0.25\n")
    return folder


def test_without_an_address_nothing_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tracking.ADDRESS, raising=False)
    assert tracking.address() is None
    monkeypatch.setenv(tracking.ADDRESS, "")
    assert tracking.address() is None


@pytest.mark.skipif(HAS_MLFLOW, reason="MLflow is installed")
def test_what_is_not_installed_is_told_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(tracking.ADDRESS, "file:///nowhere")
    with pytest.raises(ConfigError, match="pip install"):
        tracking.address()
    config = tmp_path / "small.yaml"
    config.write_text(MINIMAL)
    assert main(["data", str(config), "--runs", str(tmp_path / "runs")]) == 2
    assert "unset EDGELINE_MLFLOW" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@WITH
def test_a_run_is_recorded_once_with_params_curves_and_tags(run: Path, tmp_path: Path) -> None:
    import mlflow

    where = (tmp_path / "store").as_uri()
    for _ in range(2):
        tracking.record(run, CONFIG, where)
    client = mlflow.MlflowClient(where)
    experiment = client.get_experiment_by_name(tracking.DEFAULT_EXPERIMENT)
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.data.params["train.epochs"] == "2"
    assert found.data.metrics["train.val accuracy ___"] == 0.5
    curve = client.get_metric_history(found.info.run_id, "train/loss")
    assert [(row.step, row.value) for row in curve] == [(1, 0.5), (2, 0.25)]
    assert found.data.tags["host"] == "here"


@pytest.mark.parametrize("where", ["file:///proc/none", "nonsense://x"])
def test_a_store_that_fails_is_told_and_the_run_stands(
    run: Path, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING", "pipeline.tracking"):
        tracking.record(run, CONFIG, where)
    assert "the run itself is whole" in caplog.text


def test_a_folder_where_nothing_is_done_is_left_alone(tmp_path: Path) -> None:
    tracking.record(tmp_path, CONFIG, "nonsense://x")


def test_names_have_only_signs_that_are_allowed() -> None:
    assert tracking._plain("a%b(c)/d-e") == "a_b_c_/d-e"
