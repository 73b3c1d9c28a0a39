"""Searches of a space, without any network: the score is a formula of the values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.documents.trials import Trial, TrialResult
from pipeline.tune.ledger import OVER, Ledger
from pipeline.tune.oracles import Asked, oracle_of

SPACE: dict[str, dict[str, Any]] = {
    "model.kind": {"choice": ["small", "large"], "when": {}},
    "model.width": {"int": [8, 64], "step": 8, "when": {}},
    "train.rate": {"float": [1e-4, 1e-1], "log": True, "points": 3, "when": {}},
    "model.blocks": {"int": [1, 4], "step": 1, "when": {"model.kind": "large"}},
    "model.dense": {"choice": [[], [16], None], "when": {"model.kind": ["small"]}},
}


def score(row: Trial) -> float:
    values: dict[str, Any] = row.values
    return -abs(values["model.width"] - 40) / 100 + row.epochs / 1000 + values["train.rate"]


def finished(row: Trial) -> TrialResult:
    return TrialResult(**dict(row), score=score(row), costs={"bytes": row.values["model.width"]})  # type: ignore[dict-item]


def too_large(row: Trial, reason: str = "too large") -> TrialResult:
    return TrialResult(**dict(row), reason=reason, exceeds_limits=True)


def ledger(
    folder: Path,
    tuner: str = "random",
    *,
    trials: int | None = 6,
    at_once: int | None = None,
    seed: int = 3,
    **more: Any,
) -> Ledger:
    oracle = oracle_of(tuner, SPACE, direction="up", trials=trials, epochs=4, seed=seed)
    folder.mkdir(exist_ok=True)
    asked = Asked(oracle, SPACE, epochs=4, folder=folder / "scratch")
    book = {"key": "k", "folder": folder, "trials": trials, "at_once": at_once, "sign": 1}
    return Ledger(asked, **{**book, **more})


def search(book: Ledger, measure: Callable[[Trial], TrialResult] = finished) -> list[TrialResult]:
    while (row := book.take("here")) != OVER:
        assert isinstance(row, Trial)
        book.end(measure(row))
    return book.rows
