"""The range test: where a made-up loss falls fastest, and the same place after a kill."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.train.range_test import (
    STEPS,
    known_rate,
    range_test,
    rates,
    smooth_losses,
    suggest_rate,
)


def a_loss(rate: float, best: float = 1e-2) -> float:
    """Return a loss that falls around `best`, is least at ten times that, and then explodes."""
    return 2.0 / (1 + (rate / best) ** 2) + (rate / (50 * best)) ** 2


@pytest.mark.parametrize("best", [1e-4, 1e-3, 1e-2])
def test_the_rate_of_the_steepest_fall_is_found(best: float) -> None:
    losses = np.array([a_loss(rate, best) for rate in rates()])
    assert best / 2 < suggest_rate(rates(), losses) < 6 * best  # the mean runs behind


def test_a_running_mean_of_a_constant_is_the_constant() -> None:
    np.testing.assert_allclose(smooth_losses(np.full(9, 3.0)), 3.0)


def test_it_stops_where_the_loss_explodes_and_writes_the_curve(tmp_path: Path) -> None:
    seen: list[int] = []

    def step_at(number: int, rate: float) -> float:
        seen.append(number)
        return a_loss(rate)

    found = range_test(step_at, tmp_path / "curve.json")
    assert seen == list(range(len(seen)))
    assert len(seen) < STEPS
    again = known_rate(tmp_path / "curve.json")
    assert again == found


def test_a_loss_that_is_no_number_ends_it(tmp_path: Path) -> None:
    found = range_test(
        lambda n, rate: a_loss(rate) if n < 90 else float("nan"), tmp_path / "curve.json"
    )
    assert found < rates()[90]
