"""Write the README's tables from the results that lie in results/.

    .venv/bin/python -m tests.bench.tables

A table stands between two comments with its name; what lies between them is made here alone, and a
test holds it against the results.
"""

import json
import re
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from tests.bench.suite import RESULTS, ROOT

README = ROOT / "README.md"
Row = dict[str, Any]
SHOWN = {"accuracy": "accuracy", "macro_f1": "macro-F1", "auc": "AUC", "r2": "R²",
         "relative_mae": "MAE / naive"}  # fmt: skip


def main() -> None:
    """Rewrite the tables in the README."""
    README.write_text(with_tables(README.read_text()))


def with_tables(text: str) -> str:
    """Return a text with every table made anew from the results."""
    for name, made in TABLES.items():
        between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = between.sub(lambda found, made=made: found[1] + made() + found[2], text)
    return text


def results() -> list[Row]:
    """Return the results of the configs, by name."""
    return [json.loads(path.read_text()) for path in sorted((RESULTS / "quality").glob("*.json"))]


def quality() -> str:
    """Return a row for each config: what ships, what was trained, and what classical models do."""
    heads = (
        "config", "samples tested", "figure", "int8 (what ships)", "trained model", "baseline",
        "size", "under attack", "NPU", "minutes",
    )  # fmt: skip
    return table(heads, [_quality(result) for result in results() if _done(result)])


def _quality(result: Row) -> list[str]:
    runs = _done(result)
    first, baseline = runs[0], runs[0]["baseline"]
    form = "" if first["ships"] == "int8" else f" ({first['ships']})"
    known = baseline is not None and baseline["value"] is not None
    npu = first["npu"]
    return [
        f"`{result['config']}`",
        f"{first['data'].get('test', 0):,} of {first['data']['name']}",
        SHOWN[first["metric"]],
        f"**{_over(runs, 'value')}**{form}",
        _over(runs, "reference"),
        f"{baseline['value']:.4f} ({baseline['name']})" if known else "–",
        f"{first['bytes'] / 1000:.1f} kB",
        "–" if first["robust"] is None else f"{_over(runs, 'robust')} at {first['epsilon']:g}",
        "–" if npu is None else f"{npu['npu_ops']} of {npu['npu_ops'] + npu['cpu_ops']}",
        f"{statistics.mean(row['seconds'] for row in runs) / 60:.1f}",
    ]


def parity() -> str:
    """Return what int8 costs over all configs, and which rungs were climbed."""
    rows = [row for result in results() for row in _done(result)[:1]]
    if not rows:
        return "Nothing is measured yet.\n"
    drops = [row["metric_drop"] for row in rows]
    agreed = statistics.median(row["agreement"] for row in rows)
    floats = sum(row["float_ops"] > 0 for row in rows)
    return (
        f"{len(rows)} configs: the metric falls by {statistics.median(drops):.4f} in the median "
        f"and {max(drops):.4f} at worst; {100 * agreed:.1f} % of the decisions are the same in the "
        f"median; {floats} ship an operation in float. Rungs: {_counts(rows)}.\n"
    )


def _counts(rows: Sequence[Row]) -> str:
    steps = [str(row["rung"]) for row in rows]
    return ", ".join(f"{step} {steps.count(step)}" for step in dict.fromkeys(steps))


def speed() -> str:
    """Return the ratios of `make bench`, against what one would write by hand."""
    path = RESULTS / "speed.json"
    if not path.exists():
        return "Nothing is measured yet.\n"
    rows = json.loads(path.read_text())["rows"]
    told = [
        [row["name"], *(f"{name} {value:,.4g}" for name, value in row["rates"].items()),
         row["unit"], f"{row['ratio']:.1f}"]
        for row in rows
    ]  # fmt: skip
    return table(("what", "ours", "the other", "unit", "ratio"), told)


TABLES: dict[str, Callable[[], str]] = {"quality": quality, "parity": parity, "speed": speed}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [list(heads), ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _done(result: Row) -> list[Row]:
    """Return the runs that came to a bundle."""
    return [row for row in result["runs"] if "failed" not in row]


def _over(runs: Sequence[Row], name: str) -> str:
    """Return a figure over the seeds: its mean, and half the range where there are several."""
    values = [row[name] for row in runs]
    mean = f"{statistics.mean(values):.4f}"
    return mean if len(values) == 1 else f"{mean} ± {(max(values) - min(values)) / 2:.4f}"


if __name__ == "__main__":
    main()
