"""The seasonal naive forecast: a series is what it was one season ago.

It takes windows of one channel in its own unit (N, T), and predicts how much it changes until
`horizon` steps after the window's end, as the network does.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Array
from pipeline.data.dataset import Dataset

SHORTEST = 2  # steps of a season


@dataclass
class SeasonalNaive:
    """The seasonal naive forecast (Hyndman and Athanasopoulos 2021, section 5.2)."""

    horizon: int
    season: int = 1

    def fit(self, windows: Array, changes: Array) -> None:
        """Find the season with the least mean absolute error, among those that fit a window.

        Args:
            windows: (N, T), in the channel's unit.
            changes: (N,), the value `horizon` steps after a window less its last value.
        """
        longest = windows.shape[1] - 1 + self.horizon
        seasons = range(max(SHORTEST, self.horizon), longest + 1)
        errors = {m: np.abs(self._after(windows, m) - changes).mean() for m in seasons}
        self.season = min(errors, key=lambda m: (errors[m], m))

    def predict(self, windows: Array) -> Array:
        """Return the change of each window (N,)."""
        return self._after(windows, self.season)

    def _after(self, windows: Array, season: int) -> Array:
        return np.asarray(windows[:, self.horizon - season - 1] - windows[:, -1])


def windows_of(dataset: Dataset, positions: Array) -> Array:
    """Return the values of the channel to be forecast, in its own unit (N, T), of samples (N,)."""
    (entry,), target = dataset.preprocess.inputs, dataset.preprocess.target
    assert target is not None  # it is a forecast
    windows = np.asarray(dataset.read(positions)[entry.name][..., target.channel], np.float64)
    return np.where(np.isnan(windows), np.nanmean(windows), windows)
