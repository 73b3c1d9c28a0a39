"""How long a bundle's files take on the runtimes of this machine, a sample a call, as on a device.

A compiler's estimate for an NPU stands in the manifest; this is measured, on the machine at hand,
by this program's runner: nothing from a bundle is executed.
"""

import json
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import write_arrays
from pipeline.device import bench_side
from pipeline.device.golden import read_bundle_arrays, select_inputs
from pipeline.device.measure import CRASHED, threads_for
from pipeline.device.runtimes import RUNTIMES, require, why_missing
from pipeline.documents.bundles import read_bundle
from pipeline.documents.manifest import ModelFile
from pipeline.documents.preprocess import Preprocess
from pipeline.errors import ConfigError
from pipeline.ondevice.assemble import PROGRAM_FILE
from pipeline.ondevice.predict import mask_detector_inputs
from pipeline.ondevice.prepare import prepare_inputs
from pipeline.process_limits import excess, run_confined
from pipeline.terminal import show_progress

SECONDS = 1.0  # of calls for each file on each runtime; the median then moves by a few per cent
TIME_LIMIT = 300  # seconds for one file on one runtime
PERCENTILES = (50, 95)
NOT_TIMED = "it is not timed here, where it is emulated, or runs in a page: time it on the device"

Row = dict[str, Any]


def bench(
    bundle: Path,
    *,
    runtime: str | None = None,
    threads: int | None = None,
    limit_s: float = SECONDS,
) -> list[Row]:
    """Return format, file, bytes, runtime, version, threads, calls, p50_ms, p95_ms, mean_ms.

    A file that does not run has `why` in place of times.

    Args:
        bundle: exported/<name>; its files are checked against their hashes first.
        runtime: key of RUNTIMES; None: all that are there.
        threads: of the interpreter; None: what suits the file's size.
        limit_s: how long to repeat, for each file on each runtime.

    Raises:
        ArtifactError: the bundle is none, or was changed.
        ConfigError: the runtime is not there, or cannot be timed.
    """
    if threads is not None and threads < 1:
        raise ConfigError(f"--threads {threads}: wanted 1 or more")
    if runtime in RUNTIMES and RUNTIMES[runtime].reader is not None:
        raise ConfigError(f"--runtime {runtime}: {NOT_TIMED}")
    if runtime is not None:
        require(runtime)
    timed = [name for name, row in RUNTIMES.items() if row.reader is None]
    known = [name for name in timed if why_missing(name) is None]
    names = known if runtime is None else [runtime]
    with tempfile.TemporaryDirectory(prefix="edgeline_") as folder:
        copy = Path(folder)
        manifest = read_bundle(bundle, copy)
        work = [(model, name) for name in names for model in manifest.models]
        arrays = copy / "in.npz"
        write_arrays(arrays, _inputs(copy))
        return [
            _row(copy, arrays, model, name, threads, limit_s)
            for model, name in show_progress(work, "files", "timing")
        ]


def _inputs(bundle: Path) -> dict[str, Any]:
    """Return the model inputs of the golden samples."""
    preprocess = Preprocess.read(bundle / "preprocess.json")
    raw = select_inputs(read_bundle_arrays(bundle / "golden.npz"), preprocess)
    inputs = prepare_inputs(raw, preprocess)
    return dict(mask_detector_inputs(inputs, preprocess.anomaly))


def _row(
    bundle: Path,
    arrays: Path,
    model: ModelFile,
    name: str,
    threads: int | None,
    limit_s: float,
) -> Row:
    """Return the times of one file on one runtime."""
    file = bundle / model.file
    count = threads_for(file) if threads is None else threads
    row = {"format": model.format, "file": file.name, "bytes": file.stat().st_size}
    row |= {"runtime": name, "threads": count}
    refused = RUNTIMES[name].refuses.get(model.format)
    found = refused or _timed(file, arrays, name, count, limit_s)
    if isinstance(found, str):
        return row | {"why": found}
    seconds = np.array(found["seconds"])
    low, high = (float(1000 * np.percentile(seconds, at)) for at in PERCENTILES)
    times = {"p50_ms": low, "p95_ms": high, "mean_ms": float(1000 * seconds.mean())}
    return row | {"version": found["version"], "calls": len(seconds), **times}


def _timed(
    file: Path, arrays: Path, name: str, threads: int, limit_s: float
) -> dict[str, Any] | str:
    """Return the script's times of one file, or why it does not run there."""
    command = [RUNTIMES[name].python, bench_side.__file__, PROGRAM_FILE, file, arrays, name]
    try:
        done = run_confined([*command, threads, limit_s], limit_s=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        return f"did not finish within {TIME_LIMIT} s of processor time"
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or [f"{CRASHED} status {done.returncode}"]
        return excess(done.stderr) or said[0].removeprefix("error: ")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(rows: list[Row]) -> str:
    """Return the times as lines, a runtime after the other."""
    lines = [
        f"on {platform.node()} ({platform.machine()}), one sample a call; ms",
        f"  {'runtime':<15} {'format':<9} {'size':>9} {'threads':>7} {'p50':>9} {'p95':>9} calls",
    ]
    for row in rows:
        head = f"  {row['runtime']:<15} {row['format']:<9} {row['bytes'] / 1000:>6.1f} kB"
        if "why" in row:
            lines.append(f"{head}         {row['why']}")
            continue
        times = f"{row['p50_ms']:>9.4f} {row['p95_ms']:>9.4f}"
        lines.append(f"{head} {row['threads']:>7} {times} {row['calls']:>5}")
    return "\n".join(lines)
