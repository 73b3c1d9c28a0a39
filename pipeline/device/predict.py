"""What a bundle answers to files, by the bundle's own runner in a process of its own."""

import json
import subprocess
from pathlib import Path
from typing import Any

from pipeline.artifacts import MANIFEST, check_files, read_json
from pipeline.device.runtimes import RUNTIMES, missing
from pipeline.errors import ArtifactError, ConfigError

TIME_LIMIT = 300  # seconds


def predict(bundle: Path, inputs: list[Path], *, runtime: str = "litert") -> list[dict[str, Any]]:
    """Return {input, decision, confidence, top} for each sample of the input files.

    Args:
        bundle: exported/<name>; its files are checked against their hashes first.
        inputs: pictures, .npy, .npz or .csv files.
        runtime: key of RUNTIMES.

    Raises:
        ArtifactError: the bundle is none, or was changed.
        ConfigError: an input cannot be read, or the runtime is not there.
    """
    if not (bundle / MANIFEST).is_file():
        raise ArtifactError(
            f"{bundle}: not a bundle: it has no {MANIFEST}; `make export` makes one"
        )
    manifest = read_json(bundle / MANIFEST)
    check_files(bundle, manifest["files"], "Publish it again: edgeline run CONFIG --force bundle.")
    absent = [str(path) for path in inputs if not path.is_file()]
    if absent:
        raise ConfigError(*(f"{path}: no such file" for path in absent))
    reason = missing(runtime)
    if reason is not None:
        raise ConfigError(f"--runtime {reason}")
    command = [RUNTIMES[runtime].python, bundle / "run_on_device.py", "--json", *inputs]
    command += ["--runtime", runtime] if runtime != "litert" else []  # what it takes by itself
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=TIME_LIMIT, check=False
    )
    if done.returncode == 2:
        raise ConfigError(done.stderr.strip().splitlines()[-1].removeprefix("error: "))
    if done.returncode != 0:
        said = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise ArtifactError(f"{bundle}: the runner ended with status {done.returncode}: {said}")
    answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answers
