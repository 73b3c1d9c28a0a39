"""Kills at seeded random moments of every stage, by kill -9, Ctrl-C and SIGTERM.

A kill belongs to a stage: it waits until that stage, or a later one, begins to work, and falls
some time after, or with a change of the stage's folder. `python -m tests.e2e.kills` tells it all.
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

from pipeline.artifacts import KEY, TIMINGS, WORK, read_json
from pipeline.stages import NAMES
from tests.e2e.chain import ROOT, command, published, run

# Every source of chance and every kind of training: dropout, augmentation, EMA, a search, PGD,
# and fine-tuning through int8's rounding under attack.
CONFIG = """
name: tiny
task: classification
data:
  source: {kind: bundled, name: digits}
  augment: [{kind: translate, fraction: 0.1}, {kind: mixup, alpha: 0.2}]
baseline: {max_samples: 200}
model: {kind: cnn, filters: [4, 8], dense: [16], dropout: 0.2}
tune: {tuner: random, max_trials: 2, epochs: 1, space: {model.dropout: {float: [0.1, 0.3]}}}
train: {epochs: 8, ema: 0.9, optimizer: {kind: adamw, learning_rate: 3e-3}}
harden: {attack: {kind: pgd, epsilon: 0.05, steps: 2}, epochs: 3}
compress: {quantize: {begin: qat, remedies: [qat], qat: {epochs: 2}}}
export: {formats: [float32, int8], targets: [cpu, mcu, ethos-u55-128]}
verify: {abstain: 0.1}
audit: {samples: 16, steps: 2, square_queries: 50, membership_samples: null, poisoning_scan: false}
gate:
  {metric_drop: null, agreement: null, worst_class_drop: null, robust_drop: null,
   auc_drop: null, missing_classes: null}
"""
START_S = 600.0  # for a stage to begin, on a busy machine
SHARE = 0.4  # of what a stage took undisturbed: later, on a machine less busy, it would be over
CHANGES = 6  # of the stage's folder, at most, that a kill waits for
ENDING_S = 120.0  # from a signal to the end: a step, and a save
Signal = signal.Signals


@dataclass
class Kills:
    """What was done to a chain."""

    by_stage: Counter[str] = field(default_factory=Counter)
    by_signal: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    """What programs said that were asked to end, and did not end as they should."""
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """When a kill falls, and by which signal."""

    stage: str
    after_s: float | None
    """From where the stage begins; None: with a change of its folder, amid its writes."""
    changes: int
    signal: Signal


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
    config, done, started = write_config(folder), Kills(), time.monotonic()
    for plan in plans(seconds, each, seed):
        _kill(config, folder, plan, done)
    result = run(config, folder)
    assert result.returncode == 0, result.stderr
    done.seconds = time.monotonic() - started
    return done


def plans(seconds: Mapping[str, float], each: int, seed: int) -> list[Plan]:
    """Return the kills: half by the clock, half amid writes; three of four by SIGKILL."""
    rng, found = np.random.default_rng(seed), []
    others = [Signal.SIGINT, Signal.SIGTERM]
    for name in NAMES:
        for number in range(each):
            after_s = float(rng.uniform(0, SHARE * seconds[name]))
            how = others[len(found) // 4 % 2] if len(found) % 4 == 3 else Signal.SIGKILL
            amid = rng.random() < 0.5 or number == 0
            found.append(Plan(name, None if amid else after_s, int(rng.integers(1, CHANGES)), how))
    return found


def _kill(config: Path, folder: Path, plan: Plan, done: Kills) -> None:
    """Start the chain, kill it as planned, and note where it was then."""
    begun_ns, stages = time.time_ns(), folder / "runs" / "tiny"
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            command(config, folder), cwd=ROOT, stderr=said, stdout=said, start_new_session=True
        )
    try:
        if not _is_reached(process, stages, plan.stage, begun_ns):
            return
        _wait(process, stages / f"{plan.stage}.partial", plan)
        if process.poll() is not None:
            return
        where = _current(stages, begun_ns)
        os.killpg(process.pid, plan.signal)
        process.wait(ENDING_S)
        done.by_stage[str(where)] += 1
        done.by_signal[plan.signal.name] += 1
        words = (folder / "said").read_text()
        if plan.signal != Signal.SIGKILL and (process.returncode != 130 or "Traceback" in words):
            done.wrong.append(f"{plan} {where} {process.returncode}: {words[-2000:]}")
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


def _wait(process: "subprocess.Popen[bytes]", partial: Path, plan: Plan) -> None:
    """Wait as planned, while the process and the stage go on."""
    if plan.after_s is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(plan.after_s)
        return
    seen, left = _names(partial), plan.changes
    while process.poll() is None and partial.exists() and left:
        now = _names(partial)
        left, seen = left - (now != seen), now
        time.sleep(0.0005)


def _names(folder: Path) -> set[str]:
    """Return what lies in a folder and its work folder, temporary files too."""
    found: set[str] = set()
    for place in (folder, folder / WORK):
        with contextlib.suppress(OSError):
            found |= set(os.listdir(place))
    return found


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
    print(dict(done.by_signal), *done.wrong, sep="\n")
    print(f"{len(wanted)} files; other bytes: {', '.join(sorted(differ)) or 'none'}")
    raise SystemExit(bool(differ or done.wrong))


if __name__ == "__main__":
    main()
