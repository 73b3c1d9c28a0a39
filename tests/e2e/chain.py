"""Run the program as a user does, in a process of its own, and compare what it publishes."""

import os
import subprocess
import sys
from pathlib import Path

from pipeline.artifacts import sha256_file

ROOT = Path(__file__).resolve().parents[2]
VARYING = ("report.html", "timings.json")  # outside of the byte contract

CONFIG = """
name: tiny
task: classification
data:
  source: {kind: bundled, name: digits}
  sanitize: {bit_depth: 4, range: abstain}
  augment: [{kind: translate, fraction: 0.1}]
model: {kind: cnn, filters: [8], dense: [16], dropout: 0.2}
train: {epochs: EPOCHS, optimizer: {kind: adamw, learning_rate: 3e-3}}
harden: {attack: {kind: pgd, epsilon: 0.05, steps: 2}, epochs: 2}
export: {targets: [cpu, mcu, ethos-u55-128]}
verify: {abstain: 0.1, detector: 0.05}
audit: {samples: 64, steps: 10}
gate: {metric_drop: 0.05, agreement: 0.9, worst_class_drop: null, robust_drop: 0.2}
"""


def write_config(folder: Path, epochs: int = 3) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(CONFIG.replace("EPOCHS", str(epochs)))
    return path


def command(config: Path, folder: Path, *arguments: str) -> list[str]:
    places = ["--runs", str(folder / "runs"), "--exported", str(folder / "exported")]
    return [sys.executable, "-m", "pipeline", "run", str(config), *places, *arguments]


# Put on the path of every process of a run: notes each that imports TensorFlow.
NOTING = """
import os, sys


class Noting:
    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            with open(os.environ["NOTED"], "a") as file:
                file.write(f"{os.getpid()}\\n")


sys.meta_path.insert(0, Noting())
"""


def run(config: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the chain; processes that import TensorFlow are noted in `folder`/noted."""
    (folder / "path").mkdir(exist_ok=True)
    (folder / "path/sitecustomize.py").write_text(NOTING)
    (folder / "noted").touch()
    noting = {"PYTHONPATH": str(folder / "path"), "NOTED": str(folder / "noted")}
    return subprocess.run(
        command(config, folder, *arguments),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | noting,
        timeout=1800,
        check=False,
    )


def published(folder: Path) -> dict[str, str]:
    """Return name -> sha256 of every file of the byte contract."""
    bundle = folder / "exported" / "tiny"
    names = (path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
    return {name: sha256_file(bundle / name) for name in names if name not in VARYING}


def ran(result: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the stages that a run executed, by its lines."""
    lines = [
        line.split() for line in result.stderr.splitlines() if line and not line.startswith(" ")
    ]
    return [words[0] for words in lines if len(words) > 2 and words[2] == "s"]
