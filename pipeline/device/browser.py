"""Run a .tflite file by LiteRT.js in a headless Chromium, as a web page does.

LiteRT.js takes only float32, int32 and uint8 as input and output. A file with int8 or int16 there
gets other input and output types, with the same weights; its outputs are converted back. LiteRT.js
refuses a fused LSTM, which keeps state. The browser has an empty profile and ends with the job.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.artifacts import read_json
from pipeline.device.page import Job, serve_job
from pipeline.errors import ArtifactError
from pipeline.ondevice.interpreter import match_input_name
from pipeline.ondevice.outputs import output_details
from pipeline.ondevice.quantize import dequantize, quantize

Detail = Mapping[str, Any]

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "@litertjs/core"
HELPER = "@litertjs/wasm-utils"  # which PACKAGE imports
VERSION = "2.5.3"  # the one that is tested
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--no-default-browser-check", "--disable-background-networking", "--disable-breakpad",
    "--disable-component-update", "--disable-extensions", "--disable-dev-shm-usage",
)  # fmt: skip
OPENING_LIMIT = 90  # seconds until the page asks for its job: 2 on an idle machine
MOST_WORDS = 300  # letters of a reason
# Ends the browser and all that it started when it ends itself, and when this process is gone.
WATCH = '("$@"; echo "status $?"; kill -KILL 0) & read -r _; kill -KILL 0'
MOST_PLACE = 40  # letters of a temporary folder: the path of Chromium's socket has at most 107
LOOK_EVERY = 0.5  # seconds between two looks whether the browser is still there


@dataclass(frozen=True)
class WebFile:
    """A file as the browser is given it."""

    content: bytes
    inputs: tuple[Detail, ...]
    """dtype, quantization and name of each input, as an interpreter lists them."""
    keys: tuple[str, ...]
    """Names of the inputs in the signature, by which LiteRT.js calls them; may be empty."""
    outputs: Mapping[str, Detail]
    """Name in the signature -> output; equal names stand for equal outputs."""
    shipped: Mapping[str, Detail]
    """The outputs of the shipped model."""


def missing_parts() -> str | None:
    """Return the missing parts and how to get them; None where nothing is missing."""
    if find_browser() is None:
        return "no Chromium on the PATH (Debian: apt-get install chromium)"
    package = find_package()
    lacking = None if find_helper() else f"no {HELPER} beside {package}"
    if not (package / "dist" / "index.js").is_file():
        lacking = f"no {PACKAGE} in {package}"
    cure = f"npm install --no-save {PACKAGE}@{VERSION} in {ROOT}, or set EDGELINE_LITERTJS"
    return lacking and f"{lacking} ({cure})"


def find_browser() -> str | None:
    """Return the path of a Chromium; None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def find_package() -> Path:
    """Return where LiteRT.js should lie: EDGELINE_LITERTJS, or node_modules of the repository."""
    given = os.environ.get("EDGELINE_LITERTJS")
    return Path(given).absolute() if given else ROOT / "node_modules" / PACKAGE


def find_helper() -> Path | None:
    """Return the folder of the package that LiteRT.js imports; None where it is not there."""
    package = find_package()
    places = (package.parent / "wasm-utils", package / "node_modules" / HELPER)
    return next((place for place in places if (place / "dist" / "index.js").is_file()), None)


def version() -> str:
    """Return the version of LiteRT.js."""
    return str(read_json(find_package() / "package.json")["version"])


def run(
    file: Path, inputs: Mapping[str, Array], *, limit_s: float
) -> tuple[dict[str, Array], float, Mapping[str, Detail]]:
    """Return raw outputs (name -> (N, ...)), the seconds of the invocations, and the details.

    Outputs are in the file's own types, and the details are those of its output tensors.

    Args:
        file: the .tflite file.
        inputs: name -> model inputs (N, ...), float32 or int32.
        limit_s: seconds that it may take.

    Raises:
        ArtifactError: LiteRT.js refuses the file, or the browser fails; one line says why.
    """
    web = read_web_file(file)
    given = [_given(detail, inputs, web.keys) for detail in web.inputs]
    helper = find_helper()
    folders = {"litertjs": find_package()} | ({} if helper is None else {"wasm-utils": helper})
    job = Job(web.content, given, folders, list(web.outputs))
    with serve_job(job) as address, _browser(address) as (process, said):
        _wait(job, process, said, limit_s)
    content = b"".join(job.answers[number] for number in sorted(job.answers))
    sample = np.dtype([(n, d["dtype"], d["shape"][1:].tolist()) for n, d in web.outputs.items()])
    if job.failure is None and len(content) != job.samples * sample.itemsize:
        wanted = f"{job.samples} outputs of {sample.itemsize} bytes"
        job.fail(f"{len(content)} bytes came for {wanted}")
    if job.failure is not None:
        raise ArtifactError(f"{file}: cannot be run on browser: {one_line(job.failure)}")
    rows = np.frombuffer(content, sample)
    outputs = {
        name: match_shipped_type(np.ascontiguousarray(rows[name]), made, web.shipped[name])
        for name, made in web.outputs.items()
    }
    return outputs, job.seconds, web.shipped


def _given(detail: Detail, inputs: Mapping[str, Array], keys: Sequence[str]) -> tuple[str, Array]:
    """Return the key and the values of one input, in the type of the browser's file."""
    values = quantize(inputs[match_input_name(detail, inputs)], detail)
    return (match_input_name(detail, keys) if keys else detail["name"]), values


def read_web_file(file: Path) -> WebFile:
    """Return a file with input and output types that LiteRT.js takes.

    Raises:
        ArtifactError: it is no .tflite file.
    """
    from ai_edge_litert.interpreter import Interpreter

    from pipeline.export.io_dtype import for_browser

    try:
        own = Interpreter(model_path=str(file))
        content = for_browser(file.read_bytes())
        made = Interpreter(model_content=content)
    except (ValueError, OSError) as error:
        raise ArtifactError(f"{file}: cannot be run on browser: {one_line(str(error))}") from None
    signatures: dict[str, Any] = made.get_signature_list()
    return WebFile(
        content=content,
        inputs=tuple(made.get_input_details()),
        keys=tuple(next(iter(signatures.values()))["inputs"]) if signatures else (),
        outputs=output_details(made),
        shipped=output_details(own),
    )


def match_shipped_type(outputs: Array, made: Detail, shipped: Detail) -> Array:
    """Convert outputs of the browser's file to the type of the shipped model, with equal values.

    Args:
        outputs: (N, K), in the type of the browser's file.
        made: the output of the browser's file.
        shipped: the output of the shipped model.
    """
    if made["dtype"] == shipped["dtype"]:
        return outputs
    return quantize(dequantize(outputs, made), shipped)


def one_line(said: str) -> str:
    """Return the line of the messages with the reason, without positions in the source."""
    lines = [re.sub(r"\s+", " ", line).strip() for line in said.splitlines()]
    reasons = [line for line in lines if line] or ["it gave no reason"]
    told = next((line for line in reasons if "ERROR" in line), reasons[-1])
    return re.sub(r"^.*?ERROR:? ?(\[[^]]*\])? ?", "", told)[:MOST_WORDS]


@contextlib.contextmanager
def _browser(address: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Open a page in a browser of its own while the block runs; yields where it says what."""
    place = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(
        prefix="edgeline_",
        dir=place if len(place) <= MOST_PLACE else "/tmp",
        ignore_cleanup_errors=True,
    ) as profile:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses root without
        command = [str(find_browser()), *FLAGS, *root, f"--user-data-dir={profile}", address]
        places = dict.fromkeys(("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR"), profile)
        said = Path(profile) / "said"
        with said.open("wb") as file, subprocess.Popen(
            ["/bin/sh", "-c", WATCH, "sh", *command], stdin=subprocess.PIPE, stdout=file,
            stderr=file, env=os.environ | places, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                yield process, said
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _wait(job: Job, process: subprocess.Popen[bytes], said: Path, limit_s: float) -> None:
    """Wait until the job is over."""
    began = time.monotonic()
    while not job.is_over.wait(LOOK_EVERY):
        passed = time.monotonic() - began
        if process.poll() is not None:
            lines = said.read_text(errors="replace").splitlines()
            why = [line.rpartition("] ")[2] for line in lines if ":FATAL:" in line][:1]
            job.fail("; ".join(["the browser ended", *lines[-1:], *why]))
        elif passed > OPENING_LIMIT and not job.is_open.is_set():
            job.fail(f"the browser did not open its page within {OPENING_LIMIT} s")
        elif passed > limit_s:
            job.fail(f"it did not finish within {limit_s:g} s")
