"""Recordings whose names say their class, or that lists put into parts; and windows of recordings.

A window is named after its recording: `test/normal_id_01_00000003.wav#12`. Nothing is heard here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.data.class_folders import Classes, Listed, file_name
from pipeline.data.findings import left_out
from pipeline.data.folder_layout import NOISE, part_of
from pipeline.data.samples import Finding
from pipeline.data.source_fingerprint import walk
from pipeline.errors import ConfigError

WINDOW = "#"  # between a recording's name and the number of a window
SHOWN = 3  # names in a message


def window_names(name: str, count: int) -> list[str]:
    """Return the names of a recording's windows."""
    return [f"{name}{WINDOW}{number}" for number in range(count)]


def recordings_of(ids: Array) -> Array:
    """Return the recording that each window (N,) is of."""
    return np.array([str(name).rpartition(WINDOW)[0] for name in ids])


def named_classes(root: Path, pattern: str, suffixes: Sequence[str]) -> Classes:
    """List recordings whose class stands in their name; folders of parts are parts.

    Args:
        root: the folder.
        pattern: finds the class in a name below `root`, as its first (…).
        suffixes: of recordings, lower case, with the dot.

    Raises:
        ConfigError: no folder, a pattern without (…), or fewer than two classes in the names.
    """
    if not root.is_dir():
        raise ConfigError(f"data.source.path: {root} is not a folder; wanted one of recordings")
    if re.compile(pattern).groups < 1:
        raise ConfigError(f"data.source.label_pattern: {pattern!r} has no (…) around the class")
    listed, others = [], []
    for path in walk(root):
        name = file_name(path, root)
        if NOISE in name.split("/") or path.name.startswith("."):
            continue
        found = re.search(pattern, name) if path.suffix.lower() in suffixes else None
        if found is None or not found[1]:
            others.append(path)
            continue
        listed.append(
            Listed(str(path), found[1], part_of(name.split("/")[0]) if "/" in name else None)
        )
    names = sorted({file.label for file in listed})
    if len(names) < 2:
        heard = [path for path in others if path.suffix.lower() in suffixes]
        shown = ", ".join(file_name(path, root) for path in heard[:SHOWN])
        raise ConfigError(
            f"data.source.label_pattern: {pattern!r} finds {len(names)} class "
            f"({', '.join(names) or 'none'}) in the names below {root}; wanted two or more"
            + (f". It does not find one in {shown}" if shown else "")
        )
    return Classes(root, listed, others, names)


def with_lists(
    classes: Classes, lists: Mapping[str, str | None]
) -> tuple[Classes, tuple[Finding, ...]]:
    """Put recordings into the parts whose lists name them, and the others into train.

    Args:
        classes: recordings of a folder.
        lists: validation, test -> name of a file in the folder, a recording a line; None: no list.

    Raises:
        ConfigError: a missing list, one that names no recording, or two that name the same.
    """
    asked = {part: name for part, name in lists.items() if name is not None}
    if not asked:
        return classes, ()
    is_there = {file_name(file.path, classes.root) for file in classes.listed}
    parts: dict[str, str] = {}
    absent: list[str] = []
    for part, name in asked.items():
        listed = _lines(classes.root / name, part)
        if not is_there.intersection(listed):
            raise ConfigError(
                f"data.source.{part}_list: {classes.root / name} names none of the "
                f"{len(is_there)} recordings; its first line is {listed[0]!r}"
            )
        absent += [own for own in listed if own not in is_there]
        twice = [own for own in listed if parts.get(own, part) != part]
        if twice:
            raise ConfigError(
                f"data.source.{part}_list: {twice[0]} is in the list of {parts[twice[0]]}, too"
            )
        parts |= dict.fromkeys(listed, part)
    moved = [
        replace(file, part=parts.get(file_name(file.path, classes.root), "train"))
        for file in classes.listed
    ]
    found = left_out(
        "warning", "absent_recordings", "listed and not there", names=absent, noun="recording"
    )
    read = {classes.root / name for name in asked.values()}
    others = [path for path in classes.others if path not in read]  # a list is no leaving
    return replace(classes, listed=moved, others=others), tuple(found)


def _lines(path: Path, part: str) -> list[str]:
    """Return the names in a list."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        why = "there is none" if isinstance(error, FileNotFoundError) else str(error)
        raise ConfigError(f"data.source.{part}_list: wanted the file {path}; {why}") from None
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise ConfigError(f"data.source.{part}_list: {path} is empty")
    return found
