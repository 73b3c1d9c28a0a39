"""What the chain costs beside its work: the share of it, a finished chain again, larger data.

Each measurement is a process of its own, as a user starts it; time is that of the processor, over
all cores and child processes, so that other work on the machine counts little.
"""

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import read_json
from tests.e2e.chain import ROOT, command

CONFIG = ROOT / "configs" / "digits_cnn.yaml"
WORK = ("data", "baseline", "build", "tune", "train", "harden", "compress", "export", "verify",
        "audit")  # fmt: skip
SAMPLES, TIMES = 10_000, (1, 10, 100)
SCALED = (
    "name: scaled\ntask: classification\n"
    "data: {source: {kind: npz, path: a.npz, inputs: [x], label: y}, split: {by: random}}\n"
    "baseline: null\nmodel: {kind: mlp, units: [8]}\ntrain: {epochs: 1}\n"
)


@dataclass(frozen=True)
class Ran:
    """What a run took."""

    seconds: float
    """Of the clock."""
    processor_s: float
    peak_bytes: int
    """Most anonymous memory of the main process that was seen; 0 where no system tells it."""


def measured(arguments: list[str]) -> Ran:
    """Run a program to its end and return what it took."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=sys.stderr)
    peaks = [0]
    watcher = threading.Thread(target=_watch, args=(process, peaks))
    watcher.start()
    status = process.wait()
    seconds = time.perf_counter() - started
    watcher.join()
    if status:
        raise RuntimeError(f"{' '.join(arguments)} ended with {status}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ran(seconds, used, max(peaks))


def _watch(process: "subprocess.Popen[bytes]", peaks: list[int]) -> None:
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            lines = status.read_text().splitlines()
        except OSError:
            return
        peaks += [int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon")]
        time.sleep(0.02)


def rows(config: Path = CONFIG, counts: tuple[int, ...] = TIMES) -> list[dict[str, Any]]:
    """Return a row for each comparison: name, ratio, rates and their unit."""
    with tempfile.TemporaryDirectory() as folder:
        found = finished(config, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        return [*found, *scaling(Path(folder), counts)]


def finished(config: Path, folder: Path) -> list[dict[str, Any]]:
    """Run a chain, and again when nothing is left to do."""
    arguments = command(config, folder)
    first = measured([arguments[0], "-m", "tests.e2e.timed", str(folder / "took"), *arguments[3:]])
    again = min((measured(arguments) for _ in range(3)), key=lambda ran: ran.processor_s)
    took = read_json(folder / "took")
    imports = again.processor_s + sum(took["imports"].values())  # the command's own, and stages'
    outside = first.processor_s - imports - sum(took["stages"][name] for name in WORK
                                                if name in took["stages"])  # fmt: skip
    return [
        {
            "name": "the chain, and what is no work of it",
            "ratio": first.processor_s / max(outside, 1e-3),
            "rates": {
                "whole": first.processor_s,
                "imports": imports,
                **took["stages"],
                "outside": outside,
            },
            "unit": "s of the processor",
        },
        {
            "name": "the chain again, finished",
            "ratio": first.processor_s / again.processor_s,
            "rates": {"first": first.processor_s, "again": again.processor_s},
            "unit": "s of the processor",
        },
    ]


def scaling(folder: Path, counts: tuple[int, ...]) -> list[dict[str, Any]]:
    """Prepare and learn 1, 10 and 100 times the data, in time and memory.

    The ratio of time is that of what one more sample costs between the last two sizes and between
    the first two: 1 where time is linear. That of memory is the largest over the smallest.
    """
    found: dict[str, list[Ran]] = {"data": [], "train": []}
    for times in counts:
        place = folder / str(times)
        place.mkdir()
        _write_arrays(place / "a.npz", SAMPLES * times)
        (place / "scaled.yaml").write_text(SCALED)
        for stage, ran in found.items():
            ran.append(measured(command(place / "scaled.yaml", place, "--until", stage)))
        (place / "a.npz").unlink()
    return [row for stage, ran in found.items() for row in _scaled(stage, ran, counts)]


def _write_arrays(path: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 16, 16), dtype=np.uint8)
    np.savez(path, x=pixels, y=np.arange(count) % 5)


def _scaled(stage: str, ran: list[Ran], counts: tuple[int, ...]) -> list[dict[str, Any]]:
    def slope(of: int) -> float:
        more = SAMPLES * (counts[of] - counts[of - 1])
        return (ran[of].processor_s - ran[of - 1].processor_s) / more

    peaks = [each.peak_bytes / 2**20 for each in ran]
    names = [f"{times}x" for times in counts]
    return [
        {
            "name": f"{stage} of {counts[-1]} times the data, time",
            "ratio": slope(-1) / slope(1),
            "rates": dict(zip(names, [each.processor_s for each in ran], strict=True)),
            "unit": "s of the processor",
        },
        {
            "name": f"{stage} of {counts[-1]} times the data, memory",
            "ratio": max(peaks) / max(min(peaks), 1e-3),
            "rates": dict(zip(names, peaks, strict=True)),
            "unit": "MiB",
        },
    ]


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from tests.bench.speed import shown

    for row in rows():
        print(shown(row))
