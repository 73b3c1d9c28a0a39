"""Moments as people write them, as seconds: ISO 8601 (without a zone: UTC), or a number."""

from datetime import UTC, datetime
from pathlib import Path

from pipeline.data.columns import as_number
from pipeline.errors import ConfigError


def moment(cell: str) -> float:
    """Return a moment in seconds; those of dates count from 1970.

    Raises:
        ValueError: it is neither a date nor a number.
    """
    number = as_number(cell)
    if number is not None:
        return number
    date = datetime.fromisoformat(cell.strip())
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def refuse_moment(path: Path, line: int, column: str, *, cell: str) -> None:
    """Refuse a cell that is no moment.

    Raises:
        ConfigError: it is none; the place is named.
    """
    try:
        moment(cell)
    except ValueError:
        raise ConfigError(
            f"{path}:{line}: {column}: {cell!r} is no moment; wanted a date such as "
            "2026-05-31 08:00:00, or seconds"
        ) from None
