"""Ten times the data takes hardly more memory: nothing reads a whole file."""

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.chain import ROOT, command

SAMPLES = 10_000
MOST_GROWTH = 0.10  # of anonymous memory, from SAMPLES to ten times as many
MODEL = "baseline: null\nmodel: {kind: mlp, units: [8]}\ntrain: {epochs: 1}\n"


def images(folder: Path, count: int, rng: np.random.Generator) -> str:
    pixels = rng.integers(0, 256, (count, 16, 16), dtype=np.uint8)
    np.savez(folder / "a.npz", x=pixels, y=np.arange(count) % 5)
    return "source: {kind: npz, path: a.npz}"


def table(folder: Path, count: int, rng: np.random.Generator) -> str:
    rows = [f"{x:.4f},k{i % 7},{i * 7 % 1001},l{i % 3}" for i, x in enumerate(rng.random(count))]
    (folder / "a.csv").write_text("a,b,c,label\n" + "\n".join(rows) + "\n")
    return "source: {kind: csv, path: a.csv, label: label}"


def peak_kilobytes(config: Path, folder: Path, stage: str) -> int:
    """Run up to a stage and return the most anonymous memory that was seen."""
    peak = 0
    with subprocess.Popen(
        command(config, folder, "--until", stage), cwd=ROOT, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                break
            found = [line.split()[1] for line in status.splitlines() if line.startswith("RssAnon")]
            peak = max(peak, *map(int, found), 0)
            time.sleep(0.01)
    assert process.returncode == 0
    return peak


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="Linux tells it there")
@pytest.mark.parametrize("write", [images, table])
def test_memory_does_not_grow_with_the_data(
    tmp_path: Path, rng: np.random.Generator, write: object
) -> None:
    peaks: dict[str, list[int]] = {"data": [], "train": []}
    for count in (SAMPLES, 10 * SAMPLES):
        folder = tmp_path / str(count)
        folder.mkdir()
        source = write(folder, count, rng)  # type: ignore[operator]
        config = folder / "tiny.yaml"
        config.write_text(f"name: tiny\ntask: classification\ndata: {{{source}}}\n{MODEL}")
        for stage, found in peaks.items():
            found.append(peak_kilobytes(config, folder, stage))
    for stage, (few, many) in peaks.items():
        assert many <= (1 + MOST_GROWTH) * few, (stage, few, many)
