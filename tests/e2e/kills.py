"""kill -9 at seeded random moments of every stage; with --kills N also a program of its own.

A kill belongs to a stage: it waits until that stage, or a later one, begins to work, and falls
anywhere in the time that it took undisturbed.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.artifacts import KEY, TIMINGS, read_json
from pipeline.stages import NAMES
from tests.e2e.chain import ROOT, command, published, run

# Every source of chance and every kind of training: dropout, augmentation, EMA, a search, PGD,
# weights taken out, and fine-tuning through int8's rounding under attack.
CONFIG = """
name: tiny
task: classification
data:
  source: {kind: bundled, name: digits}
  augment: [{kind: translate, fraction: 0.1}, {kind: mixup, alpha: 0.2}]
baseline: {}
model: {kind: cnn, filters: [4, 8], dense: [16], dropout: 0.2}
tune: {tuner: random, max_trials: 2, epochs: 1, space: {model.dropout: {float: [0.1, 0.3]}}}
train: {epochs: 12, ema: 0.9, optimizer: {kind: adamw, learning_rate: 3e-3}}
harden: {attack: {kind: pgd, epsilon: 0.05, steps: 2}, epochs: 4}
compress:
  prune: {sparsity: 0.3, epochs: 2}
  quantize: {begin: qat, remedies: [qat], qat: {epochs: 2}}
export: {formats: [float32, int8], targets: [cpu, mcu, ethos-u55-128]}
verify: {abstain: 0.1}
audit: {samples: 32, steps: 2}
gate: {metric_drop: null, agreement: null, worst_class_drop: null, robust_drop: null}
"""
START_S = 600.0  # for a stage to begin, on a busy machine


@dataclass
class Kills:
    """What was done to a chain."""

    by_stage: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def write_config(folder: Path) -> Path:
    """Write the config of the chain."""
    path = folder / "tiny.yaml"
    path.write_text(CONFIG)
    return path


def undisturbed(folder: Path) -> tuple[dict[str, str], dict[str, float]]:
    """Run the chain; return what it published, and how long each stage took."""
    result = run(write_config(folder), folder)
    assert result.returncode == 0, result.stderr
    stages = folder / "runs" / "tiny"
    return published(folder), {n: read_json(stages / n / TIMINGS)["seconds"] for n in NAMES}


def with_kills(folder: Path, seconds: Mapping[str, float], *, each: int, seed: int) -> Kills:
    """Kill the chain `each` times in every stage, one kill after the other, then let it finish."""
    rng, config, done = np.random.default_rng(seed), write_config(folder), Kills()
    started = time.monotonic()
    for stage in NAMES:
        for _ in range(each):
            hit = _kill_in(config, folder, stage, float(rng.uniform(0, seconds[stage])))
            if hit is not None:
                done.by_stage[hit] += 1
    result = run(config, folder)
    assert result.returncode == 0, result.stderr
    done.seconds = time.monotonic() - started
    return done


def _kill_in(config: Path, folder: Path, stage: str, after_s: float) -> str | None:
    """Start the chain, kill it so long after the stage began, and return where it was then."""
    begun_ns = time.time_ns()
    process = subprocess.Popen(
        command(config, folder),
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        if not _is_reached(process, folder / "runs" / "tiny", stage, begun_ns):
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
        if process.poll() is not None:
            return None
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return _current(folder / "runs" / "tiny", begun_ns)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _is_reached(
    process: "subprocess.Popen[bytes]", stages: Path, stage: str, begun_ns: int
) -> bool:
    """Wait until the stage or a later one works; tell whether one does before the chain ends."""
    wanted, deadline = NAMES.index(stage), time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        current = _current(stages, begun_ns)
        if current is not None and NAMES.index(current) >= wanted:
            return True
        time.sleep(0.001)
    return False


def _current(stages: Path, begun_ns: int) -> str | None:
    """Return the last stage that a process began since then, by the key that it writes first."""
    for name in reversed(NAMES):
        for place in (stages / f"{name}.partial" / KEY, stages / name / "manifest.json"):
            with contextlib.suppress(OSError):
                if place.stat().st_mtime_ns >= begun_ns:
                    return name
    return None


def main() -> None:
    """Kill a chain many times and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=3, help="kills in each stage")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        wanted, seconds = undisturbed(Path(one))
        print({name: round(value, 2) for name, value in seconds.items()}, flush=True)
        done = with_kills(Path(other), seconds, each=asked.each, seed=asked.seed)
        differ = {n for n in wanted if published(Path(other)).get(n) != wanted[n]}
    print(f"{done.by_stage.total()} kills in {done.seconds:.0f} s: {dict(done.by_stage)}")
    print(f"{len(wanted)} files; other bytes: {', '.join(sorted(differ)) or 'none'}")
    raise SystemExit(bool(differ))


if __name__ == "__main__":
    main()
