"""Files with a class each: in class folders, or as Edge Impulse lists them.

Nothing is opened but info.labels.
"""

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.data.archives import folder_in
from pipeline.data.findings import left_out, some
from pipeline.data.folder_layout import LAYOUT, NOISE, part_of, place_classes, samples_in
from pipeline.data.label_spelling import Alike, merged_labels
from pipeline.data.samples import Finding
from pipeline.data.source_fingerprint import walk
from pipeline.errors import ConfigError

EDGE_IMPULSE = "info.labels"
MOST_BROKEN = 0.5  # fraction of a class that cannot be read, above which the class says nothing


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
    findings: tuple[Finding, ...] = ()
    """What is odd about the layout."""


def list_classes(root: Path, suffixes: Sequence[str], what: str) -> Classes:
    """List the samples of a folder or an archive of one, by their suffix.

    Args:
        root: the folder.
        suffixes: lower case, with the dot.
        what: a sample is called, for messages.

    Raises:
        ConfigError: the folder is not there, or not laid out as LAYOUT says, or a class is empty.
    """
    root = folder_in(root)
    if not root.is_dir():
        raise ConfigError(
            f"data.source.path: {root} is not a folder; wanted a folder of {what}s, "
            "relative to the folder of the config file"
        )
    if (root / EDGE_IMPULSE).is_file():
        return _from_edge_impulse(root, suffixes)
    top, placed, left = place_classes(root, suffixes)
    listed = [
        Listed(str(path), own.folder.name, own.part, own.group)
        for own in placed
        for path in samples_in(own.folder, suffixes)
    ]
    names = sorted({own.folder.name for own in placed})
    _refuse_few(top, names, {file.label for file in listed}, f"{what} file ({' '.join(suffixes)})")
    known = {Path(file.path) for file in listed}
    others = [
        path
        for path in walk(root)
        if path not in known
        and NOISE not in path.relative_to(root).parts
        and left_folder(path, left) is None
    ]
    found = left_out(
        "info",
        "unlabeled_folders",
        "no class is known",
        names=[p.name for p in left],
        noun="folder",
    )
    return Classes(top, listed, others, names, tuple(found))


def left_folder(path: Path, left: Sequence[Path]) -> Path | None:
    """Return which of some folders a file lies in."""
    return next((folder for folder in left if folder in path.parents), None)


def _refuse_few(root: Path, names: list[str], filled: set[str], what: str) -> None:
    """Refuse fewer than two classes, and classes without a sample."""
    if len(names) < 2:
        shown = f"{len(names)} class folder{'s' * (len(names) != 1)}"
        raise ConfigError(f"data.source.path: {root} holds {shown}; wanted two or more: {LAYOUT}")
    empty = [name for name in names if name not in filled]
    if empty:
        raise ConfigError(
            f"data.source.path: {root}: no {what} in class folder "
            f"{some(empty)}; add some, or remove the folder"
        )


def _from_edge_impulse(root: Path, suffixes: Sequence[str]) -> Classes:
    """Return the samples of an Edge Impulse export: info.labels names files, parts and labels.

    Raises:
        ConfigError: it is no JSON of that form, a label is no single class, or a file is missing.
    """
    where = root / EDGE_IMPULSE
    try:
        entries = json.loads(where.read_text(encoding="utf-8"))["files"]
        rows = [(e["path"], e["category"], e["label"]["type"], e["label"]) for e in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{where}: wanted JSON as Edge Impulse exports it, files with path, category and label;"
            f" {type(error).__name__}: {error}"
        ) from error
    listed = [
        Listed(str(root / name), str(label["label"]), part_of(category))
        for name, category, kind, label in rows
        if kind == "label" and Path(name).suffix.lower() in suffixes
    ]
    names = sorted({file.label for file in listed})
    _refuse_few(root, names, set(names), "file")
    absent = [name for name, *_ in rows if not (root / name).is_file()]
    if absent:
        raise ConfigError(f"{where}: names {len(absent)} files that are not there: {some(absent)}")
    known = {file.path for file in listed}
    others = [path for path in walk(root) if str(path) not in known and path != where]
    return Classes(root, listed, others, names)


def with_merged_labels(classes: Classes, alike: Alike | None) -> Classes:
    """Put classes together whose names differ in case, spaces or the form of a number only.

    Raises:
        ConfigError: there are some, and the config does not say what to do.
    """
    counts = Counter(file.label for file in classes.listed)
    merged, found = merged_labels(counts, alike)
    if not found:
        return classes
    listed = [replace(file, label=merged[file.label]) for file in classes.listed]
    names = sorted({merged[name] for name in classes.names if name in merged})
    return replace(classes, listed=listed, names=names, findings=(*classes.findings, *found))


def file_name(path: str | Path, root: Path) -> str:
    """Return a file's name as seen from the root, with bytes that are no text spelt out."""
    own = Path(path)
    name = own.relative_to(root) if own.is_relative_to(root) else Path(os.path.relpath(own, root))
    return os.fsencode(name.as_posix()).decode(errors="backslashreplace")


def without_root(error: Exception, root: Path) -> str:
    """Return what an error says, with file names below the root."""
    return str(error).replace(str(root) + os.sep, "")


Broken = tuple[Listed, str]
"""A file that cannot be read, and why."""


def leavings(classes: Classes, broken: Sequence[Broken], what: str) -> tuple[Finding, ...]:
    """Return the findings on files that are no samples, and on samples that cannot be read.

    Raises:
        ConfigError: most files of a class cannot be read, so that nothing could be learned of it.
    """
    total = Counter(file.label for file in classes.listed)
    lost = Counter(file.label for file, _ in broken)
    reasons = {file.label: why for file, why in reversed(broken)}
    shown = [f"{file_name(file.path, classes.root)} ({why})" for file, why in broken]
    problems = [
        f"data.source.path: {lost[name]} of {total[name]} files of class {name} cannot be read; "
        f"the first: {_first(classes, broken, name)} ({reasons[name]}). Convert or replace them, "
        "or remove the class"
        for name in classes.names
        if lost[name] > MOST_BROKEN * total[name]
    ]
    if problems:
        raise ConfigError(*problems)
    others = [file_name(path, classes.root) for path in classes.others]
    return (
        *classes.findings,
        *left_out("info", "other_files", f"no {what}", names=others),
        *left_out("warning", f"unreadable_{what}s", "could not be read", names=shown),
    )


def _first(classes: Classes, broken: Sequence[Broken], name: str) -> str:
    return next(file_name(f.path, classes.root) for f, _ in broken if f.label == name)
