"""Files in class subfolders, or in train / validation / test folders of class subfolders."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.findings import left_out
from pipeline.data.samples import Finding
from pipeline.data.source_fingerprint import walk
from pipeline.errors import ConfigError

PARTS = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
LAYOUT = "one subfolder a class, or train / validation / test folders of class subfolders"
NOISE = "_background_noise_"  # what Speech Commands calls recordings that are no class


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that belongs to a class; there may be millions."""

    path: str
    label: str
    part: str | None
    group: str | None = None


@dataclass(frozen=True)
class Classes:
    """What a folder of class folders holds."""

    root: Path
    listed: list[Listed]
    others: list[Path]
    """Files that are no samples."""
    names: list[str]
    """Names of the classes, sorted."""


def list_classes(root: Path, suffixes: Sequence[str], what: str) -> Classes:
    """List the samples of a folder, by their suffix.

    Args:
        root: the folder.
        suffixes: lower case, with the dot.
        what: a sample is called, for messages.

    Raises:
        ConfigError: the folder is not there, or not laid out as LAYOUT says, or a class is empty.
    """
    if not root.is_dir():
        raise ConfigError(
            f"data.source.path: {root} is not a folder; wanted a folder of {what}s, "
            "relative to the folder of the config file"
        )
    folders = _class_folders(root)
    listed = [
        Listed(str(path), folder.name, part)
        for folder, part in folders
        for path in walk(folder)
        if _is_sample(path, suffixes)
    ]
    names = sorted({folder.name for folder, _ in folders})
    _refuse_few(root, names, {file.label for file in listed}, f"{what} file ({' '.join(suffixes)})")
    places = {folder for folder, _ in folders}
    others = [
        path
        for path in walk(root)
        if NOISE not in path.relative_to(root).parts
        and not (_is_sample(path, suffixes) and not places.isdisjoint(path.parents))
    ]
    return Classes(root, listed, others, names)


def _is_sample(path: Path, suffixes: Sequence[str]) -> bool:
    return path.suffix.lower() in suffixes and not path.name.startswith(".")


def _class_folders(root: Path) -> list[tuple[Path, str | None]]:
    """Return (class folder, part) in order; the part is None where there are no part folders.

    A folder called `train` that holds samples itself is a class of that name.
    """
    subfolders = _subfolders(root)
    parts = [
        folder for folder in subfolders if folder.name.lower() in PARTS and _subfolders(folder)
    ]
    if not parts:
        return [(folder, None) for folder in subfolders]
    strangers = [folder.name for folder in subfolders if folder not in parts]
    if strangers:
        raise ConfigError(
            f"data.source.path: {root} holds {', '.join(folder.name for folder in parts)} beside "
            f"{', '.join(strangers)}; wanted {LAYOUT}, not both; move or remove the others"
        )
    twice = [folder.name for folder in parts if PARTS[folder.name.lower()] == "validation"]
    if len(twice) > 1:
        raise ConfigError(f"data.source.path: {root}: {' and '.join(twice)} are one part; keep one")
    return [(folder, PARTS[part.name.lower()]) for part in parts for folder in _subfolders(part)]


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted, save those that hold no class."""
    return sorted(
        p
        for p in folder.iterdir()
        if p.is_dir() and not p.name.startswith((".", "__")) and p.name != NOISE
    )


def _refuse_few(root: Path, names: list[str], filled: set[str], what: str) -> None:
    """Refuse fewer than two classes, and classes without a sample."""
    if len(names) < 2:
        shown = f"{len(names)} class folder{'s' * (len(names) != 1)}"
        raise ConfigError(f"data.source.path: {root} holds {shown}; wanted two or more: {LAYOUT}")
    empty = [name for name in names if name not in filled]
    if empty:
        raise ConfigError(
            f"data.source.path: {root}: no {what} in class folder "
            f"{', '.join(empty)}; add some, or remove the folder"
        )


def file_name(path: str | Path, root: Path) -> str:
    """Return a file's name below the root, with bytes that are no text spelt out."""
    return os.fsencode(Path(path).relative_to(root).as_posix()).decode(errors="backslashreplace")


def without_root(error: Exception, root: Path) -> str:
    """Return what an error says, with file names below the root."""
    return str(error).replace(str(root) + os.sep, "")


def leavings(classes: Classes, broken: Sequence[str], what: str) -> tuple[Finding, ...]:
    """Return the findings on files that are no samples, and on samples that cannot be read."""
    others = [file_name(path, classes.root) for path in classes.others]
    return (
        *left_out("info", "other_files", f"no {what}", names=others),
        *left_out("warning", f"unreadable_{what}s", "could not be read", names=broken),
    )
