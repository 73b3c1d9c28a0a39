"""What each runtime makes of each family's files: a table that is measured, not promised.

    .venv/bin/python -m tests.bench.support [FAMILY ...]

The config of a family runs until `verify` with every runtime that is here; what parity.json says of
each file goes to results/support.json, together with the reason of each file that does not run.
Only rows of the named families are made anew. The tables of docs/support.md are made from it.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.artifacts import read_json, write_json
from pipeline.config.load import load
from pipeline.device.runtimes import RUNTIMES, why_missing
from pipeline.documents.parity import FileResult, Parity

ROOT = Path(__file__).resolve().parents[2]
RESULT = Path(__file__).with_name("results") / "support.json"
FAMILIES = {
    "perceptron": "cancer_perceptron",
    "mlp": "fraud_mlp",
    "cnn": "digits_cnn",
    "cnn1d": "gestures_cnn1d",
    "ds_cnn": "tones_ds_cnn",
    "mobilenet": "pictures_mobilenet",
    "resnet8": "pictures_resnet8",
    "rnn (LSTM)": "messages_lstm",
    "rnn (GRU)": "gestures_gru",
    "transformer": "gestures_transformer",
    "vit": "digits_vit",
    "autoencoder": "digits_autoencoder",
    "mlp (forecast as detector)": "sensors_forecaster",
}
Row = dict[str, Any]


def main() -> None:
    """Measure the named families, and write the results."""
    names = sys.argv[1:] or list(FAMILIES)
    kept = [row for row in rows() if row["family"] not in names]
    for family in names:
        kept += measured(family)
        order = list(FAMILIES)
        kept.sort(key=lambda row: order.index(row["family"]))
        write_json(RESULT, kept)


def rows() -> list[Row]:
    """Return the results: family, config, format, runtime, samples, and what was found."""
    found: list[Row] = read_json(RESULT) if RESULT.exists() else []
    return found


def measured(family: str) -> list[Row]:
    """Return a row for each file of a family on each runtime.

    A row holds `differ` (decisions other than LiteRT's), `lsb` and `version`, or `why` it has none.
    """
    path = ROOT / "configs" / f"{FAMILIES[family]}.yaml"
    here = [name for name in RUNTIMES if why_missing(name) is None]
    chosen = f"verify.runtimes=[{', '.join(here)}]"
    command = [ROOT / ".venv" / "bin" / "edgeline", "run", path, "--until", "verify"]
    subprocess.run([*map(str, command), "--set", chosen], cwd=ROOT, check=True)
    parity = Parity.read(ROOT / "runs" / load(path).name / "verify" / "parity.json")
    reasons = {skipped.item: skipped.reason for skipped in parity.skipped}
    common = {"family": family, "config": path.stem, "samples": parity.samples}
    return [
        common | {"format": file.format, "runtime": runtime} | _found(name, file, runtime, reasons)
        for name, file in parity.files.items()
        for runtime in RUNTIMES
    ]


def _found(name: str, file: FileResult, runtime: str, reasons: Mapping[str, str]) -> Row:
    if (row := file.runtimes.get(runtime)) is not None:
        return {"differ": row.disagreements, "lsb": row.max_abs_lsb, "version": row.version}
    why = reasons.get(f"{name} on {runtime}", "not installed where this was measured")
    return {"why": why.removeprefix(f"cannot be run on {runtime}: ").rstrip(".")}


def table_of(form: str) -> str:
    """Return a row for each family with the files of a format on every runtime, in Markdown."""
    found = [row for row in rows() if row["format"] == form]
    notes = list(dict.fromkeys(row["why"] for row in found if "why" in row))
    heads = ["family", "samples", *RUNTIMES]
    lines = [heads, ["---"] * len(heads)]
    for family in dict.fromkeys(row["family"] for row in found):
        cells = {row["runtime"]: row for row in found if row["family"] == family}
        samples = str(next(iter(cells.values()))["samples"])
        lines.append([family, samples, *(_cell(cells.get(name), notes) for name in RUNTIMES)])
    reasons = [f"{number}. {why}.\n" for number, why in enumerate(notes, 1)]
    text = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    return text + "".join(["\nRefused because:\n\n" * bool(notes), *reasons])


def _cell(row: Row | None, notes: Sequence[str]) -> str:
    """Return what one runtime makes of a file: decisions that differ, and steps of the output."""
    if row is None:
        return ""
    if "why" in row:
        return f"–<sup>{notes.index(row['why']) + 1}</sup>"
    steps = f" ({row['lsb']} LSB)" if row["lsb"] else ""
    return f"{row['differ']}{steps}"


def versions() -> str:
    """Return the versions of the runtimes."""
    found = {row["runtime"]: row["version"] for row in rows() if "version" in row}
    return "".join(f"- `{name}` {found[name]}\n" for name in RUNTIMES if name in found)


if __name__ == "__main__":
    main()
