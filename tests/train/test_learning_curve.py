"""More data and the same network: what it reaches on both sides, and the same after a kill."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.config.schema import Train
from pipeline.documents.spec import Spec
from pipeline.train.learning_curve import SHARES, learning_curve
from pipeline.train.supervised import train_network
from tests.train.kills import with_kills

LEARNING: dict[str, Any] = {"batch_size": 64, "augment": [], "seed": 3}


def curve(spec: Spec, digits: Any, out: Path, **settings: Any) -> dict[str, Any]:
    (out / "work").mkdir(parents=True, exist_ok=True)
    section = Train.model_validate({"epochs": 2} | settings)
    trained = train_network(spec, section, digits, out=out, **LEARNING)
    return learning_curve(spec, section, digits, trained=trained, out=out, begin=None, **LEARNING)


def test_without_asking_there_is_one_point(spec: Any, digits: Any, tmp_path: Path) -> None:
    found = curve(spec, digits, tmp_path)
    (row,) = found.rows
    assert row.samples == len(digits.split("train"))
    assert 0 < row.validation <= 1
    assert 0 < row.train <= 1
    assert found.metric == "accuracy"


@pytest.mark.slow
def test_the_curve_has_each_share_and_survives_a_kill(
    spec: Any, digits: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = curve(spec, digits, tmp_path / "whole", learning_curve=True)
    assert [row.fraction for row in wanted.rows] == [*SHARES, 1.0]
    samples = [row.samples for row in wanted.rows]
    assert samples == sorted(samples)

    found, kills = with_kills(
        monkeypatch,
        lambda count, path: "curve" in str(path),
        lambda: curve(spec, digits, tmp_path / "killed", learning_curve=True),
    )
    assert kills
    assert found == wanted
