"""A comparison in words: in a terminal, and as a page of one file. Pure, save for templates."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from markupsafe import Markup
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.compare.equality import CLASSES
from pipeline.documents.comparison import ComparedPair, Comparison
from pipeline.report import charts
from pipeline.report.render import HERE, environment, with_contents
from pipeline.report.words import NAMES, figure, number, size

WIDTH = 100
PERCENT = ("agreement with trained", "robust accuracy")
PARTS = {  # part of the document -> its heading
    "config": "What differs in the config",
    "packages": "What differs in the packages",
    "data": "What differs in the data",
    "files": "Bytes of each file, by sha256",
}
ALIKE = {
    "config": "The configs are equal.",
    "packages": "The packages are equal.",
    "data": "The data and the split are equal.",
    "files": "There are no files.",
}


def text(found: Comparison) -> str:
    """Return the comparison as text of up to 100 columns."""
    console = Console(
        file=io.StringIO(), width=WIDTH, color_system=None, highlight=False, markup=False
    )
    names = letters(found)
    for letter, side in zip(names, found.sides, strict=True):
        console.print(f"{letter}  {side.name}  ({side.kind}, {side.task})")
    for letter, pair in zip(names[1:], found.pairs, strict=True):
        console.print(f"\n{names[0]} and {letter}: {CLASSES[pair.equality]}. {sentence(pair)}")
    console.print()
    console.print(_table("metric", names, format_metrics(found)))
    for part, heading in PARTS.items():
        console.print(f"\n{heading}" if getattr(found, part) else f"\n{ALIKE[part]}")
        if getattr(found, part):
            console.print(_table("", names, _rows(found, part)))
    written: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in written.splitlines())


def _rows(found: Comparison, part: str) -> dict[str, list[str]]:
    """Return path -> the values of one of PARTS as people read them."""
    differences = getattr(found, part)
    return {path: [format_setting(v) for v in values] for path, values in differences.items()}


def _table(head: str, names: Sequence[str], rows: Mapping[str, Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(head, overflow="fold")
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for name, values in rows.items():
        table.add_row(Text(name), *map(Text, values))
    return table


def letters(found: Comparison) -> list[str]:
    """Return a short name of each side: A, B, and so on; then numbers."""
    return [chr(65 + i) if i < 26 else str(i + 1) for i in range(len(found.sides))]


def sentence(pair: ComparedPair) -> str:
    """Return why a pair has its class, and how its weights stand."""
    why = pair.why[0].upper() + pair.why[1:]
    weights = pair.weights
    return f"{why}. Reference weights: {weights.equality} ({weights.why})."


def format_metrics(found: Comparison) -> dict[str, list[str]]:
    """Return the metrics as people read them; what no side has is left out."""
    rows = {}
    for name, values in found.metrics.items():
        if any(value is not None for value in values):
            metric, _, rest = name.partition(" ")
            called = f"{NAMES[metric]}, {rest}" if metric in NAMES and rest in OF else name
            rows[called] = [_format(name, value) for value in values]
    return rows


OF = ("shipped", "trained")


def _format(name: str, value: Any) -> str:
    if value is None or isinstance(value, str):
        return "–" if value is None else value
    if name == "bytes":
        return size(value)
    if name == "seconds":
        return f"{value:.1f} s"
    if isinstance(value, int):
        return f"{value:,}"
    metric = "accuracy" if name in PERCENT else name.partition(" ")[0]
    return f"{100 * value:.2f} %" if metric == "accuracy" else figure(metric, value)


def format_setting(value: Any) -> str:
    """Return a setting as people read it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return number(value) if isinstance(value, float) else str(value)


def page(found: Comparison) -> str:
    """Return the comparison as a page: one file, no script, nothing loaded from elsewhere."""
    rows = {part: _rows(found, part) for part in PARTS}
    html = (
        environment(autoescape=True, folder=Path(__file__).parent)
        .get_template("compare.html.j2")
        .render(
            style=(HERE / "style.css").read_text(),
            found=found,
            words=CLASSES,
            letters=letters(found),
            figures=format_metrics(found),
            sentences=[sentence(pair) for pair in found.pairs],
            trade=_trade(found),
            parts=[(PARTS[part], ALIKE[part], rows[part]) for part in PARTS],
        )
    )
    return with_contents(html)


def _trade(found: Comparison) -> Markup:
    """Return the first metric of each side's file against its size."""
    name = next(iter(found.metrics))
    label = NAMES.get(name.partition(" ")[0], name)
    sizes, values = found.metrics["bytes"], found.metrics[name]
    points = {
        letter: [(cast(int, count) / 1000, cast(float, value))]
        for letter, count, value in zip(letters(found), sizes, values, strict=True)
        if value is not None
    }
    title = f"{label} of the shipped file against its size"
    return charts.line_chart(points, title=title, x="size, kB", y=label)
