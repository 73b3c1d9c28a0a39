"""Timestamped series: from the columns of their files to a `data.source`."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.data.channels import LABELS
from pipeline.data.folder_layout import part_of
from pipeline.data.group_names import MEASURED
from pipeline.errors import ConfigError
from pipeline.new.parts import Parts, split_column, with_target
from pipeline.new.seen import Seen
from pipeline.new.table import Column, Table, classes_of, is_of_classes
from pipeline.new.times import is_time_of_day, moment_in, seconds_between, time_format_of
from pipeline.tasks import TASKS

DAY, STEPS, WINDOW = 86_400, (8, 96), 32  # a window is a day where it has so many steps
ABOVE = 4  # folders above a file in which its anomalies may be listed
FEW_CLASSES = 20
WIDE = 5  # usual steps between two rows, beyond which no window reaches
STATES = (*LABELS, "state", "status", "fault", "mode")


def goes_forward(table: Table, moment: Column) -> bool:
    """Tell whether time goes forward from row to row."""
    return seconds_between(_joined(table, moment)) is not None


def _joined(table: Table, moment: Column) -> list[str]:
    """Return the moments as texts, the date and the time of day from two columns if need be."""
    of_day = _time_of_day(table)
    if of_day is None or len(of_day.values) != len(moment.values):
        return moment.values
    return [f"{a} {b}" for a, b in zip(moment.values, of_day.values, strict=True)]


def _time_of_day(table: Table) -> Column | None:
    return next((c for c in table.columns if is_time_of_day(c.values)), None)


def series_seen(
    paths: Sequence[Path],
    table: Table,
    moment: Column,
    *,
    target: str | None,
    pattern: Path | None = None,
    parts: Parts | None = None,
) -> Seen:
    """Return what timestamped files of the same columns hold.

    Args:
        paths: the files.
        table: the first of them.
        moment: its column of timestamps.
        target: the column to predict; None: a column of labels, or the first of numbers is
            forecast.
        pattern: that finds all files, where there are several.
        parts: files of the set by part; None: nothing says them.
    """
    seen = _series_seen(paths, table, moment, target=target, pattern=pattern)
    return _with_parts(seen, table, parts)


def _with_parts(seen: Seen, table: Table, parts: Parts | None) -> Seen:
    """Return what was seen with the parts that files or a column say."""
    source = dict(seen.source)
    target = source.get("label") or source["values"][0]
    kept = None if parts is None else with_target(parts, table, target)
    split = split_column(table)
    said = (*seen.said, *(kept.said if kept is not None else ()))
    if kept is not None and len(kept.files) > 1:
        source |= kept.paths
        told = f"Parts: {', '.join(p.name for p in kept.files.values())}."
        has_test = "test" in kept.files
    elif split is not None:
        source |= {"split": split.name}
        told = f"Column {split.name} says the part of each row."
        has_test = "test" in map(part_of, split.values)
    else:
        return replace(seen, said=said)
    return replace(
        seen, source=source, said=(*said, told), is_given=has_test, extra={"by": "given"}
    )


def _series_seen(
    paths: Sequence[Path],
    table: Table,
    moment: Column,
    *,
    target: str | None,
    pattern: Path | None,
) -> Seen:
    """Return what the files hold, without regard to parts."""
    written = _joined(table, moment)
    step = seconds_between(written)
    if step is None:
        raise ConfigError(f"{table.path}: time does not go forward in column {moment.name}")
    source: dict[str, Any] = {"kind": "series_csv", "path": pattern or paths[0]}
    source |= {"timestamp": moment.name} if moment.name != "timestamp" else {}
    source |= _time_fields(table, moment, written, step=step)
    source |= {"delimiter": table.delimiter} if table.delimiter != "," else {}
    rows = table.rows * len(paths)
    said = [f"{len(paths)} series, a row every {step:g} s; about {rows:,} rows."]
    windows = _windows_of(paths)
    states = None if target or windows else _states(table)
    target = target or (states.name if states else None)
    answered = table.column(target) if target else None
    numbers = [c.name for c in table.columns if c.kind == "number" and c.name.lower() not in LABELS]
    if answered is not None and is_of_classes(answered):
        source |= {"values": [n for n in numbers if n != target], "label": target}
        guess = "" if states is None else ", which is a guess: see --target"
        said.append(f"{target} is predicted{guess}.")
        return _labeled(source, table, answered, said, rows=rows)
    if windows is not None and target is None:
        said.append(f"Anomalies are listed in {windows.name}.")
        source |= {"values": numbers, "windows_path": windows}
        source |= {"relative": True} if len(paths) > 1 else {}
        return _windowed(source, "anomaly", rows, said, WINDOW, None)
    if not numbers:
        raise ConfigError(f"{table.path}: no column of numbers to forecast")
    return _forecast(source, numbers, target, said, rows=rows, step=step)


def _forecast(
    source: dict[str, Any],
    numbers: list[str],
    target: str | None,
    said: list[str],
    *,
    rows: int,
    step: float,
) -> Seen:
    """Return series whose next value is forecast, by windows of a day where a day has few steps."""
    first = target or numbers[0]
    guess = "" if target or len(numbers) == 1 else ", which is a guess: see --target"
    said.append(f"The next value of {first} is forecast{guess}.")
    source["values"] = [first, *(n for n in numbers if n != first)]
    steps = round(DAY / step)
    window = steps if STEPS[0] <= steps <= STEPS[1] else WINDOW
    return _windowed(source, "forecasting", rows, said, window, None)


def _time_fields(
    table: Table, moment: Column, written: list[str], *, step: float
) -> dict[str, Any]:
    """Return the fields of the source on how time is written, and how far windows may reach."""
    found: dict[str, Any] = {}
    of_day = _time_of_day(table)
    if of_day is not None:
        found["time_of_day"] = of_day.name
    form = time_format_of(written)
    if form is not None:
        found["time_format"] = form
    at = [moment_in(cell, form) for cell in written]
    known = [own for own in at if own is not None]
    if any(b - a > WIDE * step for a, b in itertools.pairwise(known)):
        found["max_gap_s"] = WIDE * step
    return found


def _states(table: Table) -> Column | None:
    """Return the column of labels: called so, or 0 and 1 in the last place."""
    few = [c for c in table.columns if 2 <= c.distinct <= FEW_CLASSES]
    named = [c for c in few if c.name.lower() in STATES and is_of_classes(c)]
    last = [c for c in few if c is table.columns[-1] and set(c.values) <= {"0", "1"}]
    return next(iter([*named, *last]), None)


def _labeled(
    source: dict[str, Any], table: Table, label: Column, said: list[str], *, rows: int
) -> Seen:
    """Return series whose windows have a label; those of one user or machine stay together."""
    group = next((c for c in table.columns if MEASURED.match(c.name) and c is not label), None)
    source["values"] = [n for n in source["values"] if group is None or n != group.name]
    source["series"] = [label.name] if group is None else [group.name, label.name]
    seen = _windowed(source, "classification", rows, said, WINDOW, classes_of(label))
    source["stride"] = WINDOW // 2
    if group is None or group.distinct < 3:
        return seen
    source["group"] = group.name
    said.append(f"The rows of one {group.name} stay in one part.")
    return replace(seen, extra={"by": "group"}, said=tuple(said))


def _windowed(
    source: dict[str, Any],
    task: Any,
    rows: int,
    said: list[str],
    window: int,
    classes: dict[str, int] | None,
) -> Seen:
    source["window"] = window
    split: dict[str, Any] = {"by": "time"}
    if TASKS[task].learns_normal:  # few as they are, anomalies must be in validation and test
        split |= {"test": 0.5, "validation": 0.2}
    return Seen("series", task, source, rows, classes, tuple(said), size=window, extra=split)


def _windows_of(paths: Sequence[Path]) -> Path | None:
    """Return the JSON file that lists these series' anomalies as spans; None: there is none."""
    for folder in list(paths[0].parents)[:ABOVE]:
        for file in sorted([*folder.glob("*.json"), *folder.glob("*/*.json")]):
            try:
                listed = json.loads(file.read_text())
            except (OSError, ValueError):
                continue
            if isinstance(listed, dict) and _lists_spans(listed, paths):
                return file
    return None


def _lists_spans(listed: dict[str, Any], paths: Sequence[Path]) -> bool:
    named = {name.rsplit("/")[-1] for name in listed}
    spans = [span for found in listed.values() if isinstance(found, list) for span in found]
    are_pairs = all(isinstance(span, list) and len(span) == 2 for span in spans)
    return bool(spans) and are_pairs and all(path.name in named for path in paths)
