"""Tables, texts and timestamped series: from what their files hold to a `data.source`."""

import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.data.folder_layout import PARTS
from pipeline.errors import ConfigError
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
    parts = _parts(paths)
    main = parts["train"]
    table = read_table(main, _names_beside(main, target))
    if table is None:
        return None
    moments = [c for c in table.columns if c.kind == "moment"]
    numbers = [c for c in table.columns if c.kind == "number"]
    is_long = bool(moments and numbers) and len(parts) == 1 and table.rows >= LONG
    if is_long and goes_forward(table, moments[0]):
        return series_seen([main], table, moments[0], target=target)
    texts = [c for c in table.columns if c.kind == "text" and c.name != target]
    if len(texts) == 1 and (target is None or is_of_classes(table.column(target))):
        labels = [c for c in table.columns if c.kind == "category"]
        others = [c for c in table.columns if c.kind not in ("identity", "constant")]
        if target is not None or len(labels) == 1 == len(others) - 1:
            return _text_seen(table, texts[0], table.column(target) if target else labels[0])
    return _columns_seen(table, parts, target)


def _parts(paths: Sequence[Path]) -> dict[str, Path]:
    """Return split -> file, by words in their names; one file is the training split.

    Raises:
        ConfigError: there are several and their names do not say.
    """
    if len(paths) == 1:
        return {"train": paths[0]}
    found: dict[str, Path] = {}
    for path in paths:
        words = re.split(r"[^a-z]+", path.stem.lower())
        part = next((PARTS[word] for word in words if word in PARTS), None)
        if part is None or part in found:
            names = ", ".join(sorted(p.name for p in paths))
            raise ConfigError(
                f"--data: several tables ({names}) whose names do not say which is train, "
                "validation and test; name one file"
            )
        found[part] = path
    if "train" not in found:
        raise ConfigError(f"--data: there is {', '.join(found)} and no train; name one file")
    return found


def _names_beside(path: Path, target: str | None) -> tuple[str, ...] | None:
    """Return the columns' names from a .names file (as UCI has them) in the same folder."""
    for file in sorted(path.parent.glob("*.names")):
        lines = file.read_text(encoding="latin-1").splitlines()
        names = [m[1] for line in lines if (m := re.match(r"([A-Za-z][\w\-]*):\s", line))]
        if names:
            return (*(name.replace("-", "_") for name in names), target or "label")
    return None


def _columns_seen(table: Table, parts: dict[str, Path], target: str | None) -> Seen:
    answered = table.column(target) if target else guess_target(table)
    is_class = is_of_classes(answered)
    others = [c for c in table.columns if c is not answered]
    dropped = [c.name for c in others if c.kind in ("identity", "constant", "text", "moment")]
    kept = [c for c in others if c.name not in dropped]
    if not kept:
        raise ConfigError(f"{table.path}: no column is left to predict {answered.name} from")
    classes = classes_of(answered) if is_class else None
    said = [
        f"{table.rows:,} rows; {len([c for c in kept if c.kind == 'number'])} columns of numbers, "
        f"{len([c for c in kept if c.kind == 'category'])} of categories.",
        f"The target is {answered.name}" + ("." if target else ", which is a guess: see --target."),
    ]
    holes = {c.name: c.unknown for c in kept if c.unknown}
    if holes:
        counted = ", ".join(f"{name} ({count:,})" for name, count in holes.items())
        said.append(f"Values are missing in {counted}.")
    if dropped:
        names = (name or "the one without a name" for name in dropped)
        said.append(f"Columns left out, as no kind of input: {', '.join(names)}.")
    source: dict[str, Any] = {"kind": "csv", "path": parts["train"]}
    source |= {f"{part}_path": path for part, path in parts.items() if part != "train"}
    if not table.has_header:
        source["columns"] = [c.name for c in table.columns]
    source["label"] = answered.name
    if is_class and not answered.is_number and are_alike(answered):
        source["labels_alike"] = "merge"
        said.append("Labels that differ in spelling only are one class: data.source.labels_alike.")
    source |= {"delimiter": table.delimiter} if table.delimiter != "," else {}
    source |= {"encoding": table.encoding} if table.encoding != "utf-8" else {}
    source |= {"drop": dropped} if dropped else {}
    if is_class and _ends_in_dots(parts):
        source["strip"] = " ."
    if table.rows >= PIECES and is_class:
        source["numbers"] = "piecewise"
    task = "classification" if is_class else "regression"
    is_given = "test" in parts
    return Seen("table", task, source, table.rows, classes, tuple(said), is_given, len(kept))  # type: ignore[arg-type]


def _ends_in_dots(parts: dict[str, Path]) -> bool:
    """Tell whether the lines of any part end in a dot, as the test part of UCI's Adult does."""
    for path in parts.values():
        with path.open("rb") as file:
            lines = [line.strip() for line in file.read(1 << 14).splitlines()[1:20]]
        if lines and all(line.endswith(b".") for line in lines if line):
            return True
    return False


def _text_seen(table: Table, text: Column, label: Column) -> Seen:
    lengths = sorted(len(re.findall(r"\w+|[^\w\s]", value)) for value in text.values)
    length = lengths[min(len(lengths) - 1, round(SHARE * len(lengths)))]
    length = max(8, min(256, -(-length // 8) * 8))
    source: dict[str, Any] = {"kind": "text", "path": table.path}
    if table.has_header:
        source |= {"text": text.name, "label": label.name}
    else:
        names = {text.name: "text", label.name: "label"}
        source["columns"] = [names.get(c.name, c.name) for c in table.columns]
    source |= {"delimiter": table.delimiter} if table.delimiter != "," else {}
    source |= {} if table.quotes else {"quotes": False}
    source |= {"encoding": table.encoding} if table.encoding != "utf-8" else {}
    source |= {"labels_alike": "merge"} if are_alike(label) else {}
    source["words"] = {"length": length}
    said = (
        f"{table.rows:,} texts of {statistics.median(lengths):.0f} words in the middle; "
        f"{SHARE:.0%} have {length} or fewer.",
    )
    return Seen("text", "classification", source, table.rows, classes_of(label), said, size=length)
