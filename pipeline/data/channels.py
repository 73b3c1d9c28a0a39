"""Which columns of sensor recordings are channels: clocks, labels and words are none."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.data.columns import as_number
from pipeline.data.csv_rows import Form, names_of, rows_of
from pipeline.data.samples import Finding
from pipeline.errors import ConfigError

FILES, ROWS = 40, 2000  # that are read to tell
SHORT = 3  # rows; shorter files say nothing of a clock
STEADY = 0.9  # of the steps between rows are as long as usual, from half to twice
LABELS = ("anomaly", "label", "class", "event", "changepoint", "target", "activity", "is_anomaly")


@dataclass(frozen=True)
class Channels:
    """The columns of a set of recordings."""

    kept: tuple[str, ...]
    clocks: tuple[str, ...]
    labels: tuple[str, ...]
    words: tuple[str, ...]
    """Columns that hold no numbers."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return why columns are no channels."""
        reasons = (
            ("clock", self.clocks, "rises steadily in every file: it is a clock"),
            ("label", self.labels, "is named after a label"),
            ("words", self.words, "holds no numbers"),
        )
        return tuple(
            Finding("warning", f"{code}_left_out", f"Column {name} {why}; it is no input.", 1)
            for code, names, why in reasons
            for name in names
        )


def channels_of(paths: Sequence[str], form: Form) -> Channels:
    """Tell the channels of recordings by the first rows of some of them.

    Args:
        paths: of the recordings, all of the same columns.
        form: how they are written.

    Raises:
        ConfigError: no file can be read, or no channel is left.
    """
    names: list[str] | None = None
    clocks: set[str] = set()
    words: set[str] = set()
    seen = 0
    for path in paths[:: max(1, len(paths) // FILES)]:
        try:
            own = names_of(Path(path), form)
            rows = [cells for _, cells in islice(rows_of(Path(path), form, len(own)), ROWS)]
        except ConfigError:
            continue  # it is left out where it is read, and said
        columns = {name: [row[i] for row in rows] for i, name in enumerate(own)}
        words |= {name for name, cells in columns.items() if not _are_numbers(cells)}
        if names is None:
            names, clocks = own, set(own)
        if len(rows) >= SHORT:
            seen += 1
            clocks &= set(_steady(columns, words))
    if names is None:
        return Channels((), (), (), ())
    clocks = clocks - words if seen else set()
    labels = {name for name in names if name.strip().lower() in LABELS} - words - clocks
    kept = tuple(name for name in names if name not in clocks | labels | words)
    if not kept:
        raise ConfigError(
            f"{paths[0]}: none of the columns {', '.join(names)} holds values of a sensor; name "
            "them in data.source.columns"
        )
    return Channels(kept, *(tuple(n for n in names if n in k) for k in (clocks, labels, words)))


def _are_numbers(cells: Iterable[str]) -> bool:
    """Tell whether a tenth of the cells at least are numbers: single mistakes are found later."""
    known = [cell for cell in cells if cell]
    return not known or sum(as_number(cell) is not None for cell in known) >= len(known) / 10


def _steady(columns: dict[str, list[str]], words: set[str]) -> Iterator[str]:
    """Yield the columns of numbers that rise steadily."""
    for name, cells in columns.items():
        numbers = [as_number(cell) for cell in cells] if name not in words else [None]
        if None not in numbers and rises_steadily(np.array(numbers, np.float64)):
            yield name


def rises_steadily(values: Array) -> bool:
    """Tell whether values (N,) rise as a clock does: never back, by nearly equal steps."""
    steps = np.diff(values)
    if not len(steps) or steps.min() < 0 or steps.max() == 0:
        return False
    usual = float(np.median(steps))
    even = (steps >= usual / 2) & (steps <= 2 * usual)
    return usual > 0 and bool(even.mean() >= STEADY)
