"""The pruned and clustered model is made once, and again only where it would be another."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import read_json
from pipeline.compress import prune_and_cluster
from pipeline.compress.measurement_cache import WEIGHTS
from pipeline.config.export_schema import Cluster, Compress, Prune
from pipeline.documents.ladder import Judgment, SmallModel
from pipeline.tasks import TASKS
from tests.documents.stages import seal_stage

JUDGED = Judgment(metric=0.9, metric_drop=0.01, agreement=1.0, worst_class_drop=None)
MADE = SmallModel(zeros=0.5, validation=JUDGED, kernels=())


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Compress]:
    """What was asked for each time that the model was made."""
    asked: list[Compress] = []

    def make(settings: Compress, *others: Any) -> Any:
        out = others[-1]
        asked.append(settings)
        (out / "model.keras").write_text(f"made {len(asked)}")
        return MADE

    monkeypatch.setattr(prune_and_cluster, "_prune_and_cluster", make)
    return asked


def write(folder: Path, name: str, settings: Compress, key: str, choice: str) -> Path:
    """Write a stage's folder after the one written before it."""
    (folder / "reference.keras").write_text("trained")
    out, before = folder / name, sorted(folder.glob("run*"))
    out.mkdir()
    prune_and_cluster.write_model(
        settings,
        folder / "reference.keras",
        None,  # type: ignore[arg-type]
        learning={},
        task=TASKS["classification"],
        out=out,
        previous=before[-1] if before else None,
        key=key,
        choice=choice,
    )
    seal_stage(out)
    return out


PRUNED = Compress(prune=Prune(sparsity=0.5))


def test_another_choice_takes_the_model_over_and_another_key_makes_it(
    tmp_path: Path, made: list[Compress]
) -> None:
    write(tmp_path, "run1", PRUNED, "k", "one")
    second = write(tmp_path, "run2", PRUNED, "k", "another")
    assert len(made) == 1
    assert (second / "model.keras").read_text() == "made 1"
    found = read_json(second / WEIGHTS)
    assert {name: found[name] for name in MADE.dump()} == MADE.dump()
    assert found["prune"]["sparsity"] == 0.5
    third = write(tmp_path, "run3", PRUNED, "other", "another")
    assert (third / "model.keras").read_text() == "made 2"


def test_the_same_again_was_forced_and_is_made(tmp_path: Path, made: list[Compress]) -> None:
    for name in ("run1", "run2"):
        write(tmp_path, name, PRUNED, "k", "one")
    assert len(made) == 2


def test_a_changed_model_is_not_taken_over(
    tmp_path: Path, made: list[Compress], caplog: pytest.LogCaptureFixture
) -> None:
    first = write(tmp_path, "run1", PRUNED, "k", "one")
    (first / "model.keras").write_text("changed")
    write(tmp_path, "run2", PRUNED, "k", "another")
    assert len(made) == 2
    assert "model.keras" in caplog.text


def test_where_neither_is_asked_it_is_the_trained_one(tmp_path: Path, made: list[Compress]) -> None:
    out = write(tmp_path, "run1", Compress(), "k", "one")
    assert (out / "model.keras").read_text() == "trained"
    found = read_json(out / WEIGHTS)
    assert (found["prune"], found["cluster"], found["validation"]) == (None, None, None)
    assert not made


def test_both_are_written_down(tmp_path: Path, made: list[Compress]) -> None:
    both = Compress(prune=Prune(), cluster=Cluster(clusters=8))
    found = read_json(write(tmp_path, "run1", both, "k", "one") / WEIGHTS)
    assert found["cluster"]["clusters"] == 8
    assert found["prune"]["epochs"] == Prune().epochs
