"""Files that stages write: hashing, atomic writing, manifests, and the folder of one run.

A folder with a manifest is complete; a folder without one never happened. What differs from run to
run (seconds, host, date) lies in timings.json, which no hash covers. No TensorFlow here.
"""

import contextlib
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, Any

from pipeline.errors import ArtifactError

SCHEMA = 2
MANIFEST = "manifest.json"
TIMINGS = "timings.json"
WORK = "work"  # inside a stage's folder: checkpoints; survives a crash, never part of the result
KEY = "key"  # what an unfinished folder is made for
WRITTEN = 1 << 20  # bytes of an array that are written at once
MOST_JSON = 1 << 27  # bytes of a document
UNHASHED = (MANIFEST, TIMINGS, KEY, "tensorboard/*", WORK + "/*")


@dataclass(frozen=True)
class FileHash:
    """What a file's bytes were when they were written down."""

    sha256: str
    """Hexadecimal."""
    bytes: int
    """Size."""


@dataclass(frozen=True)
class Metrics:
    """What a stage measured (name -> value, unit) and what it left out (item -> reason)."""

    values: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, Any] = field(default_factory=dict)
    """How long parts of it took, which no hash covers: it goes into timings.json."""


@dataclass(frozen=True)
class Inputs:
    """What a stage may read: the folder of each kind, already checked against its hashes."""

    folders: Mapping[str, Path]
    base: Path
    """Folder of the config file: relative paths in the config start here."""
    exported: Path
    """Folder in which bundles are published."""
    previous: Path | None = None
    """The stage's own last complete folder, from whatever inputs; None on the first run."""

    def __getitem__(self, kind: str) -> Path:
        """Return the folder that holds the files of `kind`."""
        return self.folders[kind]

    def __contains__(self, kind: str) -> bool:
        """Tell whether an optional kind is there."""
        return kind in self.folders


def sha256_file(path: Path) -> str:
    """Return the hexadecimal sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(value: object) -> str:
    """Return `value` as JSON whose bytes depend on nothing but the value."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"


def sha256_json(value: object) -> str:
    """Return the hexadecimal sha256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, which takes its place on success and goes otherwise."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write canonical JSON, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(canonical_json(value))


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write name -> array as .npz: no dates inside, so that equal arrays give equal bytes."""
    import numpy as np

    with atomic_path(path) as partial, zipfile.ZipFile(partial, "w") as file:
        for name, array in arrays.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as stream:
                _write_array(stream, np.asarray(array))


def _write_array(stream: IO[bytes], array: Any) -> None:
    """Write what `numpy.lib.format.write_array` writes; a large array is not copied for it."""
    from numpy.lib import format as npy

    if array.nbytes < WRITTEN or array.dtype.hasobject or not array.flags.c_contiguous:
        npy.write_array(stream, array)
        return
    npy.write_array_header_1_0(stream, npy.header_data_from_array_1_0(array))
    values = array.reshape(-1).view("u1")
    for start in range(0, len(values), WRITTEN):
        stream.write(values[start : start + WRITTEN].data)


def read_json(path: Path) -> Any:
    """Read a JSON artifact.

    Raises:
        ArtifactError: the file is missing or is not JSON.
    """
    try:
        if path.stat().st_size > MOST_JSON:
            raise ValueError(f"it has more than {MOST_JSON >> 20} MB")
        return json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise ArtifactError(f"{path}: missing; run the stage that writes it again") from None
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{path}: not readable as JSON ({error}); delete it and run again"
        ) from None


def is_hashed(name: str) -> bool:
    """Tell whether a file of a stage's folder counts as a result."""
    return not any(fnmatch(name, pattern) for pattern in UNHASHED)


def files_below(folder: Path) -> list[str]:
    """Return the relative names of all results in a folder, sorted."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if is_hashed(name))


def describe_files(folder: Path) -> dict[str, FileHash]:
    """Return name -> hash and size of all results in a folder."""
    return {name: describe_file(folder / name) for name in files_below(folder)}


def describe_file(path: Path) -> FileHash:
    """Return hash and size of a file."""
    return FileHash(sha256_file(path), path.stat().st_size)


def check_files(
    folder: Path,
    described: Mapping[str, FileHash],
    cure: str,
    *,
    copies: Mapping[str, Path] | None = None,
) -> None:
    """Compare files with the hashes that were written down for them.

    Args:
        folder: that holds them.
        described: name -> hash.
        cure: what to do about a wrong one.
        copies: name -> where to write the bytes that were hashed, to use these; None: nowhere.

    Raises:
        ArtifactError: a file is missing or has other bytes; the message names every such file.
    """
    problems = []
    for name, entry in described.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{path}: missing. {cure}")
        elif _hash_and_copy(path, entry.bytes, (copies or {}).get(name)) != entry.sha256:
            problems.append(
                f"{path}: its sha256 is not the one in {MANIFEST}: changed since it was written. "
                f"{cure}"
            )
    if problems:
        raise ArtifactError("\n".join(problems))


def _hash_and_copy(path: Path, size: int, copy: Path | None) -> str | None:
    """Return the sha256 of a file that is opened once; None: it has another size."""
    if path.stat().st_size != size:
        return None
    if copy is None:
        return sha256_file(path)
    content = path.read_bytes()
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def swap_in(new: Path, target: Path) -> None:
    """Put a complete folder in the place of `target`; a crash leaves one of the two, whole.

    `finish_swap` mends what a crash on the way leaves behind.
    """
    shutil.rmtree(new / WORK, ignore_errors=True)
    (new / KEY).unlink(missing_ok=True)
    old = target.with_name(target.name + ".old")
    if old.exists():
        _remove(old)
    if target.exists():
        target.rename(old)
    new.rename(target)
    if old.exists():
        _remove(old)


def _remove(path: Path) -> None:
    """Remove what stood in the place of a folder: one, or a file or a link that somebody made."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def finish_swap(new: Path, target: Path) -> None:
    """Finish or take back a `swap_in` that was interrupted."""
    old = target.with_name(target.name + ".old")
    if (new / MANIFEST).exists():
        if not target.exists() and old.exists():
            old.rename(target)
        swap_in(new, target)
    elif not target.exists() and old.exists():
        old.rename(target)
    elif old.exists():
        _remove(old)
