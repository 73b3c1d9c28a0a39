"""Compile the C library of a bundle with this machine's compiler, and run it over samples."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.device_code.constants import c_symbol
from pipeline.device_code.library import TOP, make_check, make_library
from pipeline.documents.files import FileEntry
from pipeline.documents.manifest import ModelFile
from pipeline.documents.preprocess import AudioEntry, Entry, ImageEntry, Preprocess, TokensEntry
from pipeline.errors import PipelineError

COMPILERS = ("cc", "gcc", "clang")
# Warnings of a compiler that we do not know are no reason to stop.
PLAIN_FLAGS = ("-std=c99", "-O2")
FLAGS = (*PLAIN_FLAGS, "-Wall", "-Wextra", "-Wpedantic", "-Werror")
TIME_LIMIT_S = 300  # of the compiler, and of a run: a hundred times what the slowest of ours takes
NO_COMPILER = "no C compiler here (cc, gcc or clang)"
ABSTAIN = -1


@dataclass(frozen=True)
class LibraryRun:
    """What the C library made of samples."""

    status: Array
    """(N,) int32: 0, or why a raw sample is refused, as the header numbers it."""
    inputs: Mapping[str, Array]
    """Name -> (N, ...) in the type of the tensor."""
    unsqueezed: Mapping[str, Array]
    """The same without squeezing; empty where nothing is compared with it."""
    decisions: Array
    """(N,) int32: index of a class, -1 for abstain; without classes 1 for abstain, else 0."""
    why: Array
    """(N,) uint32, reasons to abstain as bits."""
    values: Array
    """(N,) float64: the value, or the score of a detector."""
    top: Array
    """(N, T) int32, the most probable classes; T is 0 without classes."""
    probabilities: Array
    """(N, T) float32, of those classes."""


def find_compiler() -> str | None:
    """Return the path of a C compiler; None: there is none."""
    return next((path for name in COMPILERS if (path := shutil.which(name))), None)


def describe_compiler(compiler: str) -> str:
    """Return a compiler's name and version, as its first line says."""
    done = subprocess.run(
        [compiler, "--version"], capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout.partition("\n")[0].strip()[:100] or Path(compiler).name


def compile_library(
    folder: Path,
    name: str,
    preprocess: Preprocess,
    *,
    file: FileEntry | ModelFile,
    compiler: Sequence[str],
    flags: Sequence[str] = FLAGS,
) -> Path:
    """Write a model's C library and its check program into a folder, and compile them.

    Args:
        folder: where all is written; it exists.
        name: of the model.
        preprocess: contents of preprocess.json.
        file: the .tflite file's entry.
        compiler: program, and arguments that come first.
        flags: of the compiler.

    Raises:
        UnsupportedError: the library cannot do what the model needs.
        PipelineError: it does not compile, which is our bug.
    """
    sources = make_library(name, preprocess, file) | {"check.c": make_check(name, preprocess, file)}
    for path, text in sources.items():
        (folder / path).write_text(text)
    files = ["check.c", f"{c_symbol(name)}.c"]
    done = subprocess.run(
        [*compiler, *flags, "-o", "check", *files, "-lm"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[:500]
        raise PipelineError(f"the C library of {name} does not compile: {said}. This is a bug")
    return folder.absolute() / "check"


def run_library(
    program: Sequence[str | Path],
    preprocess: Preprocess,
    raw: Mapping[str, Sequence[Array]],
    *,
    file: FileEntry | ModelFile,
    outputs: Array,
    unsqueezed: Array | None = None,
) -> LibraryRun:
    """Run a compiled check program over raw samples and model outputs.

    Args:
        program: as `compile_library` returns it, or a command that runs it.
        preprocess: contents of preprocess.json.
        raw: name -> N raw samples (...), in the types of training; sizes may differ.
        file: the .tflite file's entry.
        outputs: (N, ...), the model's raw outputs, in the type of its tensor.
        unsqueezed: (N, ...), the same without squeezing, where a detector compares them.

    Raises:
        PipelineError: the program fails, which is our bug.
    """
    given = b"".join(_join_samples(preprocess, raw, file, outputs, unsqueezed))
    done = subprocess.run(
        [str(part) for part in program],
        input=given,
        capture_output=True,
        timeout=TIME_LIMIT_S,
        env=os.environ | {"ASAN_OPTIONS": "allocator_may_return_null=1"},
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()[:500]
        raise PipelineError(f"the C library ended with status {done.returncode}: {said}")
    return _read_run(done.stdout, preprocess, file, compares=unsqueezed is not None)


def _join_samples(
    preprocess: Preprocess,
    raw: Mapping[str, Sequence[Array]],
    file: FileEntry | ModelFile,
    outputs: Array,
    unsqueezed: Array | None,
) -> list[bytes]:
    """Return what the check program reads, in parts."""
    entries = {entry.name: entry for entry in preprocess.inputs}
    dtype = np.dtype(file.outputs[0].dtype)
    parts = []
    for i in range(len(outputs)):
        for tensor in file.inputs:
            entry = entries[tensor.name]
            sample = np.ascontiguousarray(raw[tensor.name][i], np.dtype(entry.raw_dtype))
            parts.append(np.array(_sizes_of(sample, entry), np.uint32).tobytes())
            parts.append(sample.tobytes())
        parts.append(outputs[i].astype(dtype).tobytes())
        if unsqueezed is not None:
            parts.append(unsqueezed[i].astype(dtype).tobytes())
    return parts


def _sizes_of(sample: Array, entry: Entry) -> tuple[int, ...]:
    """Return the sizes that come along with a raw sample (...)."""
    if isinstance(entry, ImageEntry):
        return sample.shape[:2]
    return sample.shape[:1] if isinstance(entry, AudioEntry | TokensEntry) else ()


def _read_run(
    written: bytes, preprocess: Preprocess, file: FileEntry | ModelFile, *, compares: bool
) -> LibraryRun:
    """Return what the check program wrote, by name."""
    top = min(TOP, len(preprocess.labels or []))
    tensors = [(f"input{i}", t.dtype, t.shape[1:]) for i, t in enumerate(file.inputs)]
    bare = [(f"bare{i}", t.dtype, t.shape[1:]) for i, t in enumerate(file.inputs)]
    pair = np.dtype([("place", "<i4"), ("probability", "<f4")])
    record = np.dtype(
        [
            ("status", "<i4"),
            *tensors,
            *(bare if compares else []),
            ("decision", "<i4"),
            ("why", "<u4"),
            ("value", "<f8"),
            ("top", pair, (top,)),
        ]
    )
    rows = np.frombuffer(written, record)
    names = [tensor.name for tensor in file.inputs]
    return LibraryRun(
        rows["status"],
        {name: rows[f"input{i}"] for i, name in enumerate(names)},
        {name: rows[f"bare{i}"] for i, name in enumerate(names)} if compares else {},
        rows["decision"],
        rows["why"],
        rows["value"],
        rows["top"]["place"],
        rows["top"]["probability"],
    )
