"""What is tried: values of the space, by its conditions, decided by the seed."""

import itertools
from pathlib import Path

import pytest

from pipeline.config.tune_space import grid, is_active
from tests.tune.searches import SPACE, ledger, search

TUNERS = ("random", "bayesian", "hyperband", "grid")


@pytest.mark.parametrize("tuner", TUNERS)
def test_trials_lie_in_the_space_and_hold_its_conditions(tmp_path: Path, tuner: str) -> None:
    trials = 12 if tuner != "hyperband" else None
    rows = search(ledger(tmp_path, tuner, trials=trials, at_once=2))
    assert len(rows) == 12 or tuner == "hyperband"
    for row in rows:
        values = row.values
        assert values["model.width"] in range(8, 65, 8)
        assert 1e-4 <= values["train.rate"] <= 1e-1
        for path, entry in SPACE.items():
            assert (path in values) == is_active(entry, values)
        assert values.get("model.dense", []) in ([], [16], None)
        assert values.get("model.blocks", 1) in range(1, 5)


@pytest.mark.parametrize(
    "tuner",
    [pytest.param(n, marks=[pytest.mark.slow] * (n == "bayesian")) for n in TUNERS[:3]],
)
def test_the_seed_decides_which_values_are_tried(tmp_path: Path, tuner: str) -> None:
    tried = [
        [r.values for r in search(ledger(tmp_path / str(i), tuner, at_once=1, seed=s))]
        for i, s in enumerate((0, 0, 2))
    ]
    assert tried[0] == tried[1] != tried[2]


def test_a_grid_has_every_combination_once(tmp_path: Path) -> None:
    rows = search(ledger(tmp_path, "grid", trials=None))
    tried = [row.values for row in rows]
    widths, rates = range(8, 65, 8), tried[0]["train.rate"]
    assert len(tried) == 8 * 3 * (4 + 3)
    assert all(a != b for a, b in itertools.combinations(tried, 2))
    assert {v["model.width"] for v in tried} == set(widths)
    assert rates == 1e-4
    assert sorted({v["train.rate"] for v in tried})[1] == pytest.approx(10**-2.5)
    assert tried == list(grid(SPACE))


def test_hyperband_trains_the_best_again_for_longer(tmp_path: Path) -> None:
    rows = search(ledger(tmp_path, "hyperband", trials=None))
    by_epochs = {e: [r for r in rows if r.epochs == e] for e in {r.epochs for r in rows}}
    assert len(by_epochs) > 1
    few, many = min(by_epochs), max(by_epochs)
    best = max(by_epochs[few], key=lambda row: row.score)
    assert best.values in [row.values for row in by_epochs[many]]
