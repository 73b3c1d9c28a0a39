"""Predict files with a bundle, by the on-device runner in its own process.

It is this program's runner, whose like lies in the bundle: nothing from a bundle is executed. A
browser has no Python: there files are read and decided by the same code in this process.
"""

import json
import logging
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.device.measure import run_file
from pipeline.device.runtimes import RUNTIMES, require
from pipeline.documents.bundles import read_bundle
from pipeline.documents.manifest import Manifest
from pipeline.documents.preprocess import Preprocess
from pipeline.documents.signature import read_signer
from pipeline.errors import ArtifactError, ConfigError
from pipeline.ondevice.assemble import PROGRAM_FILE
from pipeline.ondevice.decide import decide_samples
from pipeline.ondevice.files import prefix_errors, read_samples
from pipeline.ondevice.prepare import prepare_inputs
from pipeline.process_limits import excess, run_confined

log = logging.getLogger(__name__)

TIME_LIMIT = 300  # seconds


def predict(bundle: Path, inputs: list[Path], *, runtime: str = "litert") -> list[dict[str, Any]]:
    """Return {input, decision, confidence, top, why} for each sample of the input files.

    Args:
        bundle: exported/<name>; its files are checked against their hashes first.
        inputs: pictures, .npy, .npz or .csv files.
        runtime: key of RUNTIMES.

    Raises:
        ArtifactError: the bundle is none, or was changed.
        ConfigError: an input cannot be read, or the runtime is not there.
    """
    with tempfile.TemporaryDirectory(prefix="edgeline_") as name:
        manifest = read_bundle(bundle, Path(name))
        if (signer := read_signer(bundle)) is not None:
            log.info("%s: signed by %s", bundle.name, signer)
        absent = [str(path) for path in inputs if str(path) != "-" and not path.is_file()]
        if absent:
            raise ConfigError(*(f"{path}: no such file" for path in absent))
        require(runtime)
        if RUNTIMES[runtime].reader is not None:
            return _by_reader(Path(name), manifest, inputs, runtime=runtime)
        return _by_runner(bundle, Path(name), inputs, runtime)


def _by_runner(bundle: Path, copy: Path, inputs: list[Path], runtime: str) -> list[dict[str, Any]]:
    """Return the predictions of the on-device runner, in a process of its own."""
    command = [RUNTIMES[runtime].python, PROGRAM_FILE, "--bundle", copy, "--json", *inputs]
    command += ["--runtime", runtime] if runtime != "litert" else []  # what it takes by itself
    try:
        done = run_confined(command, limit_s=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise ArtifactError(
            f"{bundle}: did not end within {TIME_LIMIT} s of processor time"
        ) from None
    if done.returncode and (why := excess(done.stderr)):
        raise ArtifactError(f"{bundle}: cannot be run: {why}")
    lines = done.stderr.strip().splitlines() or [""]
    said = lines[-1].removeprefix("error: ")
    if done.returncode == 2:
        problems = [line for line in lines if line.startswith("error: ")] or [said]
        raise ConfigError(*(line.removeprefix("error: ") for line in problems))
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise ArtifactError(f"{bundle}: the interpreter crashes over its model ({name})")
    if done.returncode != 0:
        raise ArtifactError(f"{bundle}: {said}")
    answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answers


def _by_reader(
    bundle: Path, manifest: Manifest, inputs: list[Path], *, runtime: str
) -> list[dict[str, Any]]:
    """Return the same predictions by a program that run_on_device.py does not load."""
    preprocess = Preprocess.read(bundle / "preprocess.json")
    model = manifest.shipped_model.file

    def ask(raw: Mapping[str, Any], by: Preprocess) -> Any:
        return run_file(bundle / model, by, raw, runtime=runtime).outputs

    answers = []
    for path in inputs:
        try:
            with prefix_errors(os.fspath(path)):
                raw = read_samples(os.fspath(path), preprocess.inputs)
                prepare_inputs(raw, preprocess)
                found = decide_samples(ask, raw, preprocess, model)
        except (ValueError, KeyError, OSError) as error:
            raise ConfigError(str(error)) from None
        answers += [{"input": str(path), **answer} for answer in found]
    return answers
