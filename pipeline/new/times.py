"""Columns of moments: how they are written, and the seconds between two rows."""

import itertools
import re
import statistics
from collections.abc import Sequence

from pipeline.data.columns import as_number
from pipeline.data.moments import date_seconds, moment

FORMATTED = 5000  # dates by which a format is found
TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%H:%M:%S.%f")
EXCHANGED = tuple(
    f"{date}{time}"
    for date in ("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y")
    for time in ("", *(f" {own}" for own in TIMES))
)
OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AP]M)?\Z", re.IGNORECASE)


def moment_in(cell: str, time_format: str | None = None) -> float | None:
    """Return a cell in seconds; None where it is no moment."""
    try:
        return moment(cell, time_format) if time_format else date_seconds(cell)
    except ValueError:
        return None


def time_format_of(values: Sequence[str]) -> str | None:
    """Return the format of dates whose day and month may be exchanged; None: they need none.

    The format is taken by which time goes forward, by the most even steps.
    """
    some = values[:FORMATTED]
    if not some or all(date is not None for date in map(moment_in, some)):
        return None
    found = []
    for form in EXCHANGED:
        moments = [moment_in(value, form) for value in some]
        known = [m for m in moments if m is not None]
        if len(known) == len(moments) > 1:
            steps = [b - a for a, b in itertools.pairwise(known)]
            found.append((sum(step < 0 for step in steps), max(steps), form))
    return min(found)[2] if found else None


def seconds_between(values: Sequence[str]) -> float | None:
    """Return the usual seconds between two rows; None where time does not go forward in them."""
    form = time_format_of(values)
    read = [
        as_number(cell) if as_number(cell) is not None else moment_in(cell, form) for cell in values
    ]
    steps = [b - a for a, b in itertools.pairwise([found for found in read if found is not None])]
    if not steps or sum(step > 0 for step in steps) < 0.75 * len(steps):
        return None
    return float(statistics.median(step for step in steps if step > 0))


def is_time_of_day(values: Sequence[str]) -> bool:
    """Tell whether all values are times of day without a date."""
    return bool(values) and all(OF_DAY.match(value) for value in values[:100])
