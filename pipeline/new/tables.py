"""Tables, texts and timestamped series: from what their files hold to a `data.source`."""

import re
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.new.parts import (
    Parts,
    aside_of,
    group_columns,
    parts_among,
    split_column,
    with_split,
    with_target,
)
from pipeline.new.seen import Seen
from pipeline.new.series import goes_forward, series_seen
from pipeline.new.table import (
    Column,
    Table,
    are_alike,
    classes_of,
    guess_target,
    is_of_classes,
    read_table,
)

LONG = 200  # rows of a series, at least
PIECES = 5000  # rows from which on numbers as stretches pay
SHARE = 0.9  # of the texts that are seen whole


def table_seen(paths: Sequence[Path], target: str | None) -> Seen | None:
    """Return what one file holds, or the parts of one set; None where they are no tables."""
    parts = parts_among(paths, target)
    main = parts.train
    table = read_table(main, _names_beside(main, target))
    if table is None:
        return None
    moments = [c for c in table.columns if c.kind == "moment"]
    numbers = [c for c in table.columns if c.kind == "number"]
    is_long = bool(moments and numbers) and table.rows >= LONG
    if is_long and goes_forward(table, moments[0]):
        return series_seen([main], table, moments[0], target=target, parts=parts)
    split = split_column(table)
    texts = [c for c in table.columns if c.kind == "text" and c.name != target]
    if len(texts) == 1 and (target is None or is_of_classes(table.column(target))):
        label = table.column(target) if target else _label_of_texts(table, split)
        if label is not None:
            return _text_seen(table, texts[0], label, with_target(parts, table, label.name))
    aside = [*group_columns(table, ""), *([] if split is None else [split])]
    answered = table.column(target) if target else guess_target(_without(table, aside))
    return _columns_seen(table, with_target(parts, table, answered.name), answered, target)


def _without(table: Table, aside: Sequence[Column]) -> Table:
    left = tuple(c for c in table.columns if all(c is not other for other in aside))
    return replace(table, columns=left) if len(left) > 1 else table


def _label_of_texts(table: Table, split: Column | None) -> Column | None:
    """Return the only column that can be the class of a text; None: it is a table."""
    groups = [c.name for c in group_columns(table, "")]
    others = [
        c
        for c in table.columns
        if c.kind not in ("identity", "constant", "text")
        and c is not split
        and c.name not in groups
    ]
    return others[0] if len(others) == 1 and others[0].kind == "category" else None


def _names_beside(path: Path, target: str | None) -> tuple[str, ...] | None:
    """Return the columns' names from a .names file (as UCI has them) in the same folder."""
    for file in sorted(path.parent.glob("*.names")):
        lines = file.read_text(encoding="latin-1").splitlines()
        names = [m[1] for line in lines if (m := re.match(r"([A-Za-z][\w\-]*):\s", line))]
        if names:
            return (*(name.replace("-", "_") for name in names), target or "label")
    return None


def _columns_seen(table: Table, parts: Parts, answered: Column, target: str | None) -> Seen:
    is_class = is_of_classes(answered)
    aside = aside_of(table, parts, answered, is_class=is_class)
    others = [c for c in table.columns if c is not answered and c.name not in aside.names]
    dropped = [c.name for c in others if c.kind in ("identity", "constant", "text", "moment")]
    dropped += [name for name in aside.names if name not in aside.fields.values()]
    kept = [c for c in others if c.name not in dropped]
    if not kept:
        raise ConfigError(f"{table.path}: no column is left to predict {answered.name} from")
    classes = classes_of(answered) if is_class else None
    guess = "." if target else ", which is a guess: see --target."
    said = [*_of_columns(table, kept, dropped), f"The target is {answered.name}{guess}"]
    source: dict[str, Any] = {"kind": "csv", "path": parts.train, **parts.paths}
    if not table.has_header:
        source |= {"columns": [c.name for c in table.columns]}
    source |= {"label": answered.name}
    if is_class and not answered.is_number and are_alike(answered):
        source |= {"labels_alike": "merge"}
        said.append("Labels that differ in spelling only are one class: data.source.labels_alike.")
    source |= {"delimiter": table.delimiter} if table.delimiter != "," else {}
    source |= {"encoding": table.encoding} if table.encoding != "utf-8" else {}
    source |= aside.fields
    source |= {"drop": dropped} if dropped else {}
    if is_class and _ends_in_dots(parts.files):
        source |= {"strip": " ."}
    if table.rows >= PIECES and is_class:
        source |= {"numbers": "piecewise"}
    seen = Seen(
        "table",
        "classification" if is_class else "regression",
        source,
        table.rows,
        classes,
        (*said, *aside.said),
        size=len(kept),
    )
    return with_split(seen, aside)


def _of_columns(table: Table, kept: Sequence[Column], dropped: Sequence[str]) -> list[str]:
    """Return lines on rows, columns that are inputs, and columns that are not."""
    said = [
        f"{table.rows:,} rows; {len([c for c in kept if c.kind == 'number'])} columns of numbers, "
        f"{len([c for c in kept if c.kind == 'category'])} of categories."
    ]
    holes = {c.name: c.unknown for c in kept if c.unknown}
    if holes:
        counted = ", ".join(f"{name} ({count:,})" for name, count in holes.items())
        said.append(f"Values are missing in {counted}.")
    if dropped:
        names = (name or "the one without a name" for name in dropped)
        said.append(f"Columns left out, as no kind of input: {', '.join(names)}.")
    return said


def _ends_in_dots(parts: dict[str, Path]) -> bool:
    """Tell whether the lines of any part end in a dot, as the test part of UCI's Adult does."""
    for path in parts.values():
        with path.open("rb") as file:
            lines = [line.strip() for line in file.read(1 << 14).splitlines()[1:20]]
        if lines and all(line.endswith(b".") for line in lines if line):
            return True
    return False


def _text_seen(table: Table, text: Column, label: Column, parts: Parts) -> Seen:
    aside = aside_of(table, parts, label, is_class=True)
    lengths = sorted(len(re.findall(r"\w+|[^\w\s]", value)) for value in text.values)
    length = lengths[min(len(lengths) - 1, round(SHARE * len(lengths)))]
    length = max(8, min(256, -(-length // 8) * 8))
    source: dict[str, Any] = {"kind": "text", "path": table.path, **parts.paths}
    if table.has_header:
        source |= {"text": text.name, "label": label.name}
    else:
        names = {text.name: "text", label.name: "label"}
        source["columns"] = [names.get(c.name, c.name) for c in table.columns]
    source |= {"delimiter": table.delimiter} if table.delimiter != "," else {}
    source |= {} if table.quotes else {"quotes": False}
    source |= {"encoding": table.encoding} if table.encoding != "utf-8" else {}
    source |= {"labels_alike": "merge"} if are_alike(label) else {}
    source |= aside.fields | {"words": {"length": length}}
    said = (
        f"{table.rows:,} texts of {statistics.median(lengths):.0f} words in the middle; "
        f"{SHARE:.0%} have {length} or fewer.",
        *aside.said,
    )
    classes = classes_of(label)
    seen = Seen("text", "classification", source, table.rows, classes, said, size=length)
    return with_split(seen, aside)
