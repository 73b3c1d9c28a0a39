"""The search: it finds what is good, refuses what is over budget, and goes on after a kill."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.tune.search import OverBudget, declare, oracle_of, search

SPACE: dict[str, dict[str, Any]] = {
    "model.width": {"int": [8, 64], "step": 8},
    "train.rate": {"float": [1e-4, 1e-1], "log": True},
    "model.kind": {"choice": ["small", "large"]},
}


def oracle(tuner: str = "random", trials: int = 6, direction: str = "up", seed: int = 3) -> Any:
    return oracle_of(
        tuner, declare(SPACE), direction=direction, max_trials=trials, epochs=4, seed=seed
    )


def score(values: dict[str, Any], epochs: int) -> float:
    return -abs(values["model.width"] - 40) / 100 + epochs / 1000


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_trials_lie_in_the_space_and_come_best_first(
    tmp_path: Path, tuner: str, direction: str
) -> None:
    trials = search(oracle(tuner, direction=direction), score, epochs=4, folder=tmp_path)
    scores = [trial["score"] for trial in trials]
    assert scores == sorted(scores, reverse=direction == "up")
    assert len(trials) == 6 or tuner == "hyperband"
    for trial in trials:
        values = trial["values"]
        assert set(values) == set(SPACE)
        assert values["model.width"] in range(8, 65, 8)
        assert 1e-4 <= values["train.rate"] <= 1e-1
        assert values["model.kind"] in ("small", "large")


def test_the_seed_decides_which_values_are_tried(tmp_path: Path) -> None:
    tried = [
        [t["values"] for t in search(oracle(seed=s), score, epochs=4, folder=tmp_path / str(i))]
        for i, s in enumerate((1, 1, 2))
    ]
    assert tried[0] == tried[1] != tried[2]


def test_a_trial_over_budget_is_kept_with_its_reason_and_never_wins(tmp_path: Path) -> None:
    def measure(values: dict[str, Any], epochs: int) -> float:
        if values["model.kind"] == "large":
            raise OverBudget("70000 bytes, the limit is 65536")
        return score(values, epochs)

    trials = search(oracle(trials=8), measure, epochs=4, folder=tmp_path)
    failed = [trial for trial in trials if trial["score"] is None]
    assert failed
    assert trials[0]["score"] is not None
    assert all("the limit is 65536" in trial["reason"] for trial in failed)
    assert {trial["values"]["model.kind"] for trial in failed} == {"large"}


def test_a_space_all_over_budget_is_the_users_mistake(tmp_path: Path) -> None:
    def measure(values: dict[str, Any], epochs: int) -> float:
        raise OverBudget("9 macs, the limit is 1")

    with pytest.raises(ConfigError, match="the limit is 1"):
        search(oracle(trials=3), measure, epochs=4, folder=tmp_path)


def test_a_killed_search_goes_on_and_tries_the_same_values(tmp_path: Path) -> None:
    whole = search(oracle(), score, epochs=4, folder=tmp_path / "whole")
    calls = itertools.count()

    def killed_at_third(values: dict[str, Any], epochs: int) -> float:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return score(values, epochs)

    with pytest.raises(KeyboardInterrupt):
        search(oracle(), killed_at_third, epochs=4, folder=tmp_path / "killed")
    seen = []

    def counting(values: dict[str, Any], epochs: int) -> float:
        seen.append(values)
        return score(values, epochs)

    resumed = search(oracle(), counting, epochs=4, folder=tmp_path / "killed")
    assert len(seen) == 4
    assert {t["values"]["train.rate"] for t in resumed} == {
        t["values"]["train.rate"] for t in whole
    }
