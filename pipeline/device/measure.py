"""Run a .tflite file over many samples, as a device would: the one way to score a file.

The runner works in a process of its own (warm.py), by the very file that ships; whatever it does
there, a crash included, comes back as a result or as one clear error.
"""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, Arrays
from pipeline.artifacts import write_arrays
from pipeline.device import browser, readers
from pipeline.device.runtimes import RUNTIMES, version
from pipeline.device.warm import run_runner
from pipeline.documents.preprocess import Preprocess
from pipeline.errors import ArtifactError
from pipeline.ondevice.interpreter import BATCH
from pipeline.ondevice.main import PREDICTION, RAW
from pipeline.ondevice.predict import decode_outputs, mask_detector_inputs
from pipeline.ondevice.prepare import prepare_inputs
from pipeline.process_limits import excess

TIME_LIMIT = 900  # seconds a file may take; ten times the slowest file seen
LARGE = 256_000  # bytes of a file from which on threads pay: 2 run a 420 kB CNN 1.9 times as fast
MOST_THREADS = 4
CRASHED = "the interpreter ended with"


@dataclass(frozen=True)
class RunResult:
    """The outputs of a file."""

    outputs: Arrays
    """Predictions: name -> (N, ...), float32; dequantized, of a detector decoded."""
    raw_outputs: Arrays
    """Outputs of the file: name -> (N, ...), in the types that they have there."""
    version: str
    seconds: float
    """Time of the invocations only."""
    arena_bytes: int | None
    """Smallest arena that the file runs in, on tflite-micro; None: the runtime has none."""


def run_file(
    file: Path,
    preprocess: Preprocess,
    raw: Mapping[str, Array],
    *,
    runtime: str = "litert",
    prepared: bool = False,
    threads: int | None = None,
    batch: int = BATCH,
) -> RunResult:
    """Run one file over samples.

    Args:
        file: the .tflite file.
        preprocess: contents of preprocess.json.
        raw: name -> raw samples (N, *shape), or float32 model inputs where `prepared`.
        runtime: key of RUNTIMES.
        prepared: whether the preprocessing was done already, as for adversarial inputs.
        threads: of the interpreter; None: 1 for a small file, else up to MOST_THREADS. The outputs
            are the same.
        batch: samples a call, where the file can be resized.

    Raises:
        ArtifactError: the file cannot be run; the message holds the runtime's reason.
    """
    if RUNTIMES[runtime].reader is not None:
        return _run_by_reader(file, preprocess, raw, runtime=runtime, prepared=prepared)
    with tempfile.TemporaryDirectory(prefix="edgeline_") as name:
        folder = Path(name)
        preprocess.write(folder / "preprocess.json")
        write_arrays(folder / "in.npz", raw)
        model = file.absolute()  # the caller may be in another folder
        arguments = [
            "--model", model, "--batch", batch, "--preprocess", folder / "preprocess.json",
            "--arrays", folder / "in.npz", "--outputs", folder / "out.npz",
            "--threads", threads_for(file) if threads is None else threads,
        ]  # fmt: skip
        arguments += ["--runtime", runtime] if RUNTIMES[runtime].is_second else []
        arguments += ["--prepared"] if prepared else []
        _run(arguments, file, runtime)
        return _read(folder / "out.npz")


def _read(path: Path) -> RunResult:
    """Return the files of the on-device runner."""
    with np.load(path) as found:
        return RunResult(
            read_outputs(found, PREDICTION),
            read_outputs(found, RAW),
            str(found["version"]),
            float(found["seconds"]),
            int(found.get("arena_bytes", 0)) or None,  # a bundle's own runner may be older
        )


def read_outputs(arrays: Arrays, prefix: str) -> dict[str, Array]:
    """Return name -> outputs (N, ...), of what the runner wrote: RAW or PREDICTION."""
    return {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)}


def _run(arguments: Sequence[Any], file: Path, runtime: str) -> None:
    """Run the runner; whatever stops it is one error."""
    try:
        python = RUNTIMES[runtime].python
        done = run_runner(python, runtime, arguments, limit_s=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise ArtifactError(
            f"{file}: {runtime} did not finish within {TIME_LIMIT} s of processor time"
        ) from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or [f"{CRASHED} status {done.returncode}"]
        plain = said[0].removeprefix("error: ").removeprefix("the model cannot be run: ")
        why = excess(done.stderr) or plain
        raise ArtifactError(f"{file}: cannot be run on {runtime}: {why}")


def _run_by_reader(
    file: Path, preprocess: Preprocess, raw: Mapping[str, Array], *, runtime: str, prepared: bool
) -> RunResult:
    """Do as the on-device runner: prepare, run, and scale the outputs."""
    anomaly = preprocess.anomaly
    try:
        inputs = raw if prepared else prepare_inputs(raw, preprocess)
        given = mask_detector_inputs(inputs, anomaly)
        found, seconds, details = _read_by(runtime, file, given)
    except ValueError as error:
        raise ArtifactError(f"{file}: cannot be run on {runtime}: {error}") from None
    outputs = decode_outputs(details, inputs, found, anomaly)
    return RunResult(outputs, found, version(runtime) or "unknown", seconds, None)


def _read_by(
    runtime: str, file: Path, inputs: Mapping[str, Array]
) -> tuple[dict[str, Array], float, Mapping[str, Any]]:
    """Return raw outputs, the seconds of the invocations, and the details of the outputs."""
    row = RUNTIMES[runtime]
    if row.reader == "browser":
        return browser.run(file, inputs, limit_s=TIME_LIMIT)
    python, reader = row.python, str(row.reader)
    return readers.run(file, inputs, python=python, reader=reader, limit_s=TIME_LIMIT)


def threads_for(file: Path) -> int:
    """Return the number of threads that runs a file fastest."""
    if not file.exists() or file.stat().st_size < LARGE:
        return 1
    return min(MOST_THREADS, os.cpu_count() or 1)
