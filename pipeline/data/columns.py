"""The types of a table's columns, from reading every cell once: numbers, categories, ids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline.data.group_names import may_group
from pipeline.data.samples import Finding
from pipeline.errors import ConfigError

MOST_CATEGORIES = 1000  # distinct values that are kept; more of them are no categories
NUMBERS = 0.95  # fraction of known cells that are numbers, from which on the others are mistakes
NAMED = 5  # cells that a message names
ID_SHARE = 0.9  # fraction of distinct values from which on words are ids
STEADY = 0.9  # of the steps of a clock are as long as its first, from half to twice
ENOUGH = 50  # known cells from which on fractions are meaningful

Cell = tuple[str, int, str]
"""Name of the file, line, and what stands there."""


@dataclass
class Column:
    """What has been seen of a column so far."""

    name: str
    known: int = 0
    missing: int = 0
    numbers: int = 0
    no_numbers: list[Cell] = field(default_factory=list)
    """The first cells that are not numbers."""
    values: dict[str, int] | None = field(default_factory=dict)
    """Distinct values and how often; None beyond MOST_CATEGORIES."""
    rises: bool = True
    """Whether every cell is a number and none is below the one before."""
    last: float | None = None
    step: float | None = None
    """The first step up."""
    even: int = 0
    """Steps from half to twice as long as the first."""

    def see(self, file: str, line: int, cell: str, *, is_missing: bool) -> None:
        """Take in a cell."""
        if is_missing:
            self.missing += 1
            return
        self.known += 1
        if self.values is not None:
            self.values[cell] = self.values.get(cell, 0) + 1
            if len(self.values) > MOST_CATEGORIES:
                self.values = None
        number = as_number(cell)
        if number is None:
            self.rises = False
            if len(self.no_numbers) < NAMED:
                self.no_numbers.append((file, line, cell))
            return
        self.numbers += 1
        if self.last is not None:
            step = number - self.last
            self.step = step if self.step is None and step > 0 else self.step
            self.rises &= step >= 0
            self.even += self.step is not None and self.step / 2 <= step <= 2 * self.step
        self.last = number

    @property
    def is_clock(self) -> bool:
        """Whether it rises from row to row, by steps that are nearly even."""
        return self.rises and self.known >= ENOUGH and self.even >= STEADY * (self.known - 1)


def as_number(cell: str) -> float | None:
    """Return a cell as a finite number; None where it is none."""
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


Kind = Literal["number", "category", "left out"]


def judge(
    columns: Iterable[Column], categorical: Sequence[str]
) -> tuple[dict[str, Kind], list[Finding]]:
    """Return name -> type of a column, and findings on the columns.

    Args:
        columns: after the last cell.
        categorical: names that the config says hold categories.

    Raises:
        ConfigError: single cells of a column of numbers are none; each is named.
    """
    kinds: dict[str, Kind] = {}
    found, wrong = [], []
    said = set(categorical)
    for column in columns:
        kind, finding = _kind(column, column.name in said)
        kinds[column.name] = kind
        found += [] if finding is None else [finding]
        if kind == "number" and column.no_numbers:
            wrong += _not_numbers(column)
        if kind != "left out" and column.missing:
            text = f"{column.missing} values of {column.name} are missing: " + (
                "the median of train stands in."
                if kind == "number"
                else "they count as a category of their own, with rare and new ones."
            )
            found.append(Finding("info", "missing_values", text, column.missing))
        found += _unused_group(column) if kind != "left out" else []
    if wrong:
        raise ConfigError(*wrong)
    return kinds, found


def _unused_group(column: Column) -> list[Finding]:
    """Return a finding on an input that is named after who or what was measured."""
    rows = column.known + column.missing
    distinct = MOST_CATEGORIES + 1 if column.values is None else len(column.values)
    if not may_group(column.name, distinct=distinct, rows=rows):
        return []
    text = (
        f"Column {column.name} looks like who or what was measured, and is an input: "
        "data.source.group keeps each in one part, and leaves the column out."
    )
    return [Finding("warning", "unused_group", text, 1)]


def _kind(column: Column, is_said: bool) -> tuple[Kind, Finding | None]:
    """Return the type of a column, and the reason where it is left out."""
    distinct = MOST_CATEGORIES + 1 if column.values is None else len(column.values)
    if not column.known:
        return _out(column, "holds no value at all")
    if distinct == 1:
        return _out(column, f"holds one value only ({next(iter(column.values or ()))})")
    if is_said:
        if column.values is None:
            raise ConfigError(
                f"data.source.categorical: {column.name} has more than {MOST_CATEGORIES} "
                "categories; leave it out (data.source.drop)"
            )
        return "category", None
    if column.is_clock:
        return _out(column, "counts the rows, or tells their time")
    if column.numbers >= NUMBERS * column.known and column.numbers:
        return "number", None
    if column.values is None or (
        column.known >= ENOUGH and distinct >= ID_SHARE * (column.known + column.missing)
    ):
        return _out(column, f"has {distinct if column.values else 'too many'} different words")
    return "category", None


def _out(column: Column, why: str) -> tuple[Kind, Finding]:
    text = f"Column {column.name} {why}: it was left out."
    return "left out", Finding("info", "columns_left_out", text, 1)


def _not_numbers(column: Column) -> list[str]:
    """Return a message for each of the first cells that should be numbers."""
    more = column.known - column.numbers - len(column.no_numbers)
    messages = [
        f"{file}:{line}: {column.name}: {cell!r} is not a number, and {column.numbers:,} other "
        "values of this column are; repair it, or add it to data.source.missing, or list the "
        "column in data.source.categorical"
        for file, line, cell in column.no_numbers
    ]
    return [*messages, f"{column.name}: and {more} more"] if more else messages
