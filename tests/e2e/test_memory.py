"""A hundred times the data takes as much memory, and no more; what it takes of time is printed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.chain import ROOT, command

SAMPLES, TIMES = 10_000, (1, 10, 100)
MOST_GROWTH = 0.10  # of anonymous memory, from the fewest samples to the most
EPOCHS = 4  # the first one of them compiles
MODEL = f"baseline: null\nmodel: {{kind: mlp, units: [8]}}\ntrain: {{epochs: {EPOCHS}}}\n"


def images(folder: Path, count: int, rng: np.random.Generator) -> str:
    pixels = rng.integers(0, 256, (count, 16, 16), dtype=np.uint8)
    np.savez(folder / "a.npz", x=pixels, y=np.arange(count) % 5)
    return "source: {kind: npz, path: a.npz}"


def table(folder: Path, count: int, rng: np.random.Generator) -> str:
    rows = [f"{x:.4f},k{i % 7},{i * 7 % 1001},l{i % 3}" for i, x in enumerate(rng.random(count))]
    (folder / "a.csv").write_text("a,b,c,label\n" + "\n".join(rows) + "\n")
    return "source: {kind: csv, path: a.csv, label: label}"


def measured(config: Path, folder: Path, stage: str) -> tuple[int, float]:
    """Run up to a stage; return the most anonymous memory in KiB, and the processor's seconds.

    Of `train` they are those of an epoch after the first, by the lower quartile of its calls: what
    other work on the machine costs this one's caches is no matter of the data's.
    """
    arguments = command(config, folder, "--until", stage)[3:]  # without: python -m pipeline
    watched = [sys.executable, "-m", "tests.e2e.timed", str(folder / "took"), *arguments]
    peak = 0
    with subprocess.Popen(watched, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                break
            found = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon")]
            peak = max(peak, *map(int, found), 0)
            time.sleep(0.01)
    assert process.returncode == 0
    took = json.loads((folder / "took").read_text())
    if stage == "data":
        return peak, took["stages"]["data"]
    return peak, min(len(calls) * float(np.quantile(calls, 0.25)) for calls in took["calls"][1:])


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux tells it there")
@pytest.mark.parametrize("write", [images, table])
def test_a_hundred_times_the_data_takes_no_more_memory(
    tmp_path: Path, rng: np.random.Generator, write: Callable[..., str]
) -> None:
    found: dict[str, list[tuple[int, float]]] = {"data": [], "train": []}
    for times in TIMES:
        folder = tmp_path / str(times)
        folder.mkdir()
        source = write(folder, times * SAMPLES, rng)
        config = folder / "tiny.yaml"
        config.write_text(f"name: tiny\ntask: classification\ndata: {{{source}}}\n{MODEL}")
        for stage, own in found.items():
            own.append(measured(config, folder, stage))
    for stage, own in found.items():
        print(stage, [(f"{kilobytes >> 10} MiB", f"{took:.2f} s") for kilobytes, took in own])
        assert own[-1][0] <= (1 + MOST_GROWTH) * own[0][0], (stage, own)
