"""Moments as people write them, as seconds: dates, times of day (without a zone: UTC), numbers."""

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from pipeline.data.columns import as_number
from pipeline.errors import ConfigError

DATES = (
    "%d.%m.%Y", "%d.%m.%y", "%Y/%m/%d", "%Y.%m.%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d-%b-%Y", "%d %b %Y", "%b %d %Y", "%d/%b/%Y",
)  # fmt: skip
TIMES = ("%H:%M:%S.%f", "%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p", "%H.%M.%S")
ZONES = (" UTC", " GMT", " Z")


def moment(cell: str, time_format: str | None = None) -> float:
    """Return a moment in seconds; those of dates count from 1970.

    Args:
        cell: a date with or without a time of day, or a number.
        time_format: as `strptime` takes it; None: it is found.

    Raises:
        ValueError: it is neither a date nor a number, or day and month may be exchanged.
    """
    if time_format is not None:
        found = datetime.strptime(cell.strip(), time_format)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    number = as_number(cell)
    return date_seconds(cell) if number is None else number


def date_seconds(cell: str) -> float:
    """Return a date with or without a time of day in seconds from 1970.

    Raises:
        ValueError: it is none, or day and month may be exchanged.
    """
    text = cell.strip()
    text = next((text[: -len(zone)] for zone in ZONES if text.upper().endswith(zone)), text)
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        day, _, clock = text.replace(",", "").partition(" ")
    if not any(sign in day for sign in "./-"):  # 1 Jan 2009, or Jan 1 2009
        words = text.replace(",", "").split()
        day, clock = " ".join(words[:3]), " ".join(words[3:])
    return _day(day) + _time_of_day(clock.strip())


@lru_cache(maxsize=4096)
def _day(text: str) -> float:
    """Return the seconds from 1970 of a date."""
    found = {date for form in DATES if (date := _parsed(text, form)) is not None}
    if len(found) > 1:
        raise ValueError("day and month may be exchanged; set data.source.time_format")
    if not found:
        raise ValueError(f"{text!r} is no date")
    return found.pop()


@lru_cache(maxsize=4096)
def _time_of_day(text: str) -> float:
    """Return the seconds of a time of day; nothing is midnight."""
    if not text:
        return 0.0
    for form in TIMES:
        found = _parsed(f"1970 {text}", f"%Y {form}")
        if found is not None:
            return found
    raise ValueError(f"{text!r} is no time of day")


def _parsed(text: str, form: str) -> float | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def read_moment(
    path: Path, line: int, column: str, *, cell: str, time_format: str | None = None
) -> float:
    """Return the moment in a cell, in seconds.

    Raises:
        ConfigError: it is none; the place is named.
    """
    try:
        return moment(cell, time_format)
    except ValueError as error:
        wanted = "a date such as 2026-05-31 08:00:00, or seconds"
        if time_format is not None:
            wanted = f"data.source.time_format {time_format}"
        more = f" ({error})" if "time_format" in str(error) else ""
        raise ConfigError(
            f"{path}:{line}: {column}: {cell!r} is no moment{more}; wanted {wanted}"
        ) from None
