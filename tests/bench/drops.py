"""What int8 costs over all shipped configs for classes: every drop, the median and the worst.

    .venv/bin/python -m tests.bench.drops [--only NAME ...] [--tfds FOLDER] [--json FILE]

A config whose run is fresh is not run again, so that this goes on where it was stopped.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.config.load import load

ROOT = Path(__file__).resolve().parents[2]
FAILED_GATE = 3


def main() -> None:
    """Run the configs and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", help="names of configs (default: all for classes)")
    parser.add_argument("--tfds", help="folder of prepared sets of TensorFlow Datasets")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    asked = parser.parse_args()
    rows = []
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        if asked.only and path.stem not in asked.only:
            continue
        if load(path).task == "classification":
            rows.append(row_of(path, asked.tfds))
            print(line(rows[-1]), flush=True)
    drops = [row["drop"] for row in rows if row["drop"] is not None]
    if drops:
        middle, worst = statistics.median(drops), max(drops)
        print(f"{len(drops)} configs: median drop {middle:.4f}, worst {worst:.4f}")
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1))


def row_of(path: Path, tfds: str | None) -> dict[str, Any]:
    """Return what a config's int8 file loses on its test split."""
    config = load(path)
    command = [sys.executable, "-m", "pipeline", "run", str(path), "--until", "gate"]
    if tfds is not None and config.data.source.kind == "tfds":
        command += ["--set", f"data.source.data_dir={tfds}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    row: dict[str, Any] = {"name": path.stem, "family": config.model.kind, "drop": None}
    if done.returncode not in (0, FAILED_GATE):
        return row | {"error": (done.stderr.strip().splitlines() or ["?"])[-1]}
    run = ROOT / "runs" / config.name
    parity = json.loads((run / "verify" / "parity.json").read_text())
    files = json.loads((run / "export" / "files.json").read_text())
    recipe = json.loads((run / "compress" / "recipe.json").read_text())
    (int8,) = (file for file in files["files"] if file["format"] == "int8")
    return row | {
        "drop": parity["files"][int8["file"]]["parity"]["metric_drop"],
        "reference": parity["reference"]["metrics"][parity["metric"]],
        "samples": parity["samples"],
        "ships": files["ships"],
        "rung": recipe["step"],
        "float_ops": len(int8["float_ops_left"]),
        "passed": done.returncode == 0,
    }


def line(row: dict[str, Any]) -> str:
    """Return a row as text."""
    if row["drop"] is None:
        return f"{row['name']:<24} {row['error']}"
    return (
        f"{row['name']:<24} {row['family']:<12} trained {row['reference']:.4f}  "
        f"drop {row['drop']:+.4f}  of {row['samples']:>6,}  {row['rung']:<12} "
        f"{row['float_ops']} in float  {'' if row['passed'] else 'a gate failed'}"
    )


if __name__ == "__main__":
    main()
