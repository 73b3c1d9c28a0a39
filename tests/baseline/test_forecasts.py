"""Forecasters find the season and the order that made a series."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.baseline.forecasts import Arima, SeasonalNaive, forecasters


def windows_of(series: np.ndarray, length: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Return windows and how much the series changes until `horizon` steps after each."""
    windows = sliding_window_view(series[:-horizon], length)
    ends = np.arange(length - 1, len(series) - horizon)
    return windows, series[ends + horizon] - series[ends]


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("season", [4, 7])
def test_a_season_is_found_and_answered_exactly(season: int, horizon: int) -> None:
    windows, changes = windows_of(np.tile(np.arange(season) ** 2.0, 30), 12, horizon)
    model = SeasonalNaive(horizon)
    model.fit(windows, changes)
    assert model.season == season
    np.testing.assert_allclose(model.predict(windows), changes)


@pytest.mark.parametrize(
    ("ar", "ma", "d"), [([0.8], [], 0), ([0.5, 0.3], [], 0), ([], [0.7], 1), ([0.6], [0.4], 1)]
)
def test_arima_comes_near_the_error_that_nobody_can_forecast(
    ar: list[float], ma: list[float], d: int
) -> None:
    rng = np.random.default_rng(5)
    noise, steps = rng.normal(size=6000), np.zeros(6000)
    for t in range(3, 6000):
        past = sum(w * steps[t - 1 - i] for i, w in enumerate(ar))
        steps[t] = noise[t] + past + sum(w * noise[t - 1 - i] for i, w in enumerate(ma))
    windows, changes = windows_of(np.cumsum(steps) if d else steps + 50, 32, 1)
    model = Arima(1)
    model.fit(windows[:3000], changes[:3000])
    rest = (model.predict(windows[3000:]) - changes[3000:]).std()
    assert rest == pytest.approx(1.0, abs=0.05)  # the deviation of the noise


def test_a_straight_line_goes_on_for_as_many_steps_as_asked() -> None:
    windows, changes = windows_of(np.arange(200.0) * 3, 20, 5)
    model = Arima(5)
    model.fit(windows, changes)
    np.testing.assert_allclose(model.predict(windows), 15.0, rtol=1e-6)


@pytest.mark.parametrize("name", forecasters(1))
def test_the_shortest_windows_are_answered(name: str) -> None:
    model = forecasters(1)[name]
    windows, changes = windows_of(np.random.default_rng(1).normal(size=60), 2, 1)
    model.fit(windows, changes)
    assert np.isfinite(model.predict(windows)).all()
