"""Write the tables of the documentation from the results that lie in results/.

    .venv/bin/python -m tests.bench.tables

A table stands between two comments with its name; what lies between them is made here alone, and a
test holds it against the results.
"""

import functools
import json
import re
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

from ruamel.yaml import YAML

from pipeline.config.export_schema import Format
from tests.bench.suite import FORM, RESULTS, ROOT
from tests.bench.support import table_of, versions

PAGES = tuple(ROOT / "docs" / f"{name}.md" for name in ("results", "reliability", "support"))
PUBLISHED = Path(__file__).with_name("published.yaml")
ROBUST = "robust"  # the one published figure that is no metric
Row = dict[str, Any]
SHOWN = {"accuracy": "accuracy", "macro_f1": "macro-F1", "auc": "AUC", "r2": "R²",
         "relative_mae": "MAE / naive", "recording_auc": "AUC over recordings"}  # fmt: skip
TRIED = {
    "kills": "killed, run again, and every byte the same",
    "faults": "a full disk, a damaged checkpoint, a loss that is no number: one line, and no harm",
    "bad inputs": "a wrong config or a damaged file of data: one message with its place",
    "fuzzed": "random texts as configs, damaged models: an answer or one message",
}
LONG = 120  # seconds: what takes longer is told in minutes
NOTHING = "Nothing is measured yet.\n"


def main() -> None:
    """Rewrite the tables."""
    for page in PAGES:
        page.write_text(with_tables(page.read_text()))


def with_tables(text: str) -> str:
    """Return a text with every table made anew from the results."""
    for name, made in TABLES.items():
        between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = between.sub(lambda found, made=made: found[1] + made() + found[2], text)
    return text


def results() -> list[Row]:
    """Return the results of the configs, by name; of an older form none."""
    kept = [json.loads(path.read_text()) for path in sorted((RESULTS / "quality").glob("*.json"))]
    return [result for result in kept if result["form"] == FORM]


def quality() -> str:
    """Return a row for each config: what ships, what was trained, and what others do."""
    heads = (
        "config", "samples tested", "figure", "int8 (what ships)", "trained model", "baseline",
        "published", "beside it, int8", "size", "under attack", "NPU", "time",
    )  # fmt: skip
    told, known = [result for result in results() if _done(result)], published()
    sources = [row["source"] for result in told for row in known.get(result["config"], ())]
    notes = list(dict.fromkeys(sources))
    rows = [_quality(result, known.get(result["config"], ()), notes) for result in told]
    said = [f"{number}. {source}.\n" for number, source in enumerate(notes, 1)]
    return table(heads, rows) + "".join(["\nPublished by:\n\n" * bool(said), *said])


def published() -> dict[str, list[Row]]:
    """Return config -> figures that others have published, each with its source."""
    found: dict[str, list[Row]] = YAML(typ="safe").load(PUBLISHED.read_text())
    return found


def _published(row: Row, run: Row, notes: Sequence[str]) -> str:
    """Return a published figure; where it is another than the row's, with ours beside it."""
    figure, note = row["figure"], notes.index(row["source"]) + 1
    what = " under attack" if figure == ROBUST else ""
    if figure not in (run["metric"], ROBUST):
        ours = run.get("metrics", {}).get(figure)  # results of before do not say it
        what = f" {SHOWN[figure]}" + ("" if ours is None else f", here {ours:.4f}")
    return f"{row['value']:g}{what} ({row['note']}) [{note}]"


def _quality(result: Row, others: Sequence[Row], notes: Sequence[str]) -> list[str]:
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
        "<br>".join(_published(row, first, notes) for row in others) or "–",
        _beside(first),
        f"{first['bytes'] / 1000:.1f} kB",
        "–" if first["robust"] is None else f"{_over(runs, 'robust')} at {first['epsilon']:g}",
        "–" if npu is None else f"{npu['npu_ops']} of {npu['npu_ops'] + npu['cpu_ops']}",
        _time(statistics.mean(row["seconds"] for row in runs)),
    ]


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < LONG else f"{seconds / 60:.0f} min"


def _beside(run: Row) -> str:
    """Return the figure that tells more where classes are of unlike sizes."""
    known = run.get("metrics", {})  # results of before do not say them
    name = next((n for n in ("auc", "macro_f1") if n in known and n != run["metric"]), None)
    return "–" if name is None else f"{known[name]:.4f} {SHOWN[name]}"


def parity() -> str:
    """Return what int8 costs over all configs, and which rungs were climbed."""
    rows = [(result["config"], row) for result in results() for row in _done(result)[:1]]
    if not rows:
        return NOTHING
    worst = [max(rows, key=_drop), min(rows, key=_agreement)]
    whole = sum(row["float_ops"] == 0 for _, row in rows)
    told = [
        ["fall of the metric", f"{statistics.median(map(_drop, rows)):.4f}",
         f"{_drop(worst[0]):.4f} (`{worst[0][0]}`)"],
        ["answers that count as the same",
         f"{100 * statistics.median(map(_agreement, rows)):.2f} %",
         f"{100 * _agreement(worst[1]):.2f} % (`{worst[1][0]}`)"],
    ]  # fmt: skip
    steps = [str(row["rung"]) for _, row in rows]
    rungs = ", ".join(f"{step} {steps.count(step)}" for step in dict.fromkeys(steps))
    return (
        table((f"what ships, of {len(rows)} configs", "median", "worst"), told)
        + f"\nWithout an operation in float: {whole} of {len(rows)}. Rungs that shipped: {rungs}.\n"
    )


def _drop(named: tuple[str, Row]) -> float:
    return float(named[1]["metric_drop"])


def _agreement(named: tuple[str, Row]) -> float:
    return float(named[1]["agreement"])


def footprint() -> str:
    """Return what the file that ships takes of a device: bytes, memory and time."""
    heads = (
        "config", "weights", "MAC", "file", "gzip", "arena", "NPU", "NPU memory", "NPU, estimated",
        "LiteRT here, median", "95 %",
    )  # fmt: skip
    return table(heads, [_footprint(result) for result in results() if _done(result)])


def _footprint(result: Row) -> list[str]:
    row = _done(result)[0]
    npu, clock = row["npu"] or {}, row["litert"]
    return [
        f"`{result['config']}`",
        f"{row['parameters']:,}",
        _scaled(row["macs"], 1e6, "M", 2),
        _scaled(row["bytes"], 1e3, "kB"),
        _scaled(row["bytes_gzip"], 1e3, "kB"),
        _scaled(row["arena_bytes"], 1e3, "kB"),
        npu.get("target", "–"),
        _scaled(npu.get("sram_bytes"), 1e3, "kB"),
        _scaled(npu.get("latency_ms_estimate"), 1, "ms", 3),
        *(_scaled(clock.get(name), 1, "ms", 3) for name in ("p50_ms", "p95_ms")),
    ]


def _scaled(value: float | None, unit: float, name: str, digits: int = 1) -> str:
    return "–" if value is None else f"{value / unit:,.{digits}f} {name}"


def reliability() -> str:
    """Return how much was tried against the program, as its tests counted it."""
    path = RESULTS / "reliability.json"
    if not path.exists():
        return NOTHING
    found = json.loads(path.read_text())
    tests = ", ".join(f"{count:,} {name}" for name, count in found["tests"].items())
    rows = [
        [TRIED[name], f"{row['tried']:,}", str(row["tests"])]
        for name, row in found["counts"].items()
    ]
    return table(("what was tried", "times", "tests"), rows) + f"\nTests of these files: {tests}.\n"


def speed() -> str:
    """Return the ratios of `make bench`, against what one would write by hand."""
    path = RESULTS / "speed.json"
    if not path.exists():
        return NOTHING
    rows = json.loads(path.read_text())["rows"]
    told = [[row["name"], rates(row), f"{row['ratio']:.1f}"] for row in rows]
    return table(("what", "measured", "ratio"), told)


def rates(row: Row) -> str:
    """Return what a row of the bench measured, to four digits, with the unit."""
    shown = [f"{name} {float(f'{value:.4g}'):,.10g}" for name, value in row["rates"].items()]
    return f"{', '.join(shown)} {row['unit']}"


TABLES: dict[str, Callable[[], str]] = {
    "quality": quality,
    "parity": parity,
    "speed": speed,
    "footprint": footprint,
    "reliability": reliability,
    "support versions": versions,
    **{f"support {form}": functools.partial(table_of, form) for form in get_args(Format)},
}


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
