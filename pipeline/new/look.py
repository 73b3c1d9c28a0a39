"""Inspect a file or folder: modality, task, columns, classes, splits.

Nothing is loaded whole but tables; no TensorFlow.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pipeline.data import image_folder, sound, typed_tables
from pipeline.data.archives import folder_in
from pipeline.data.folder_layout import BOXES, NOISE, boxes_in
from pipeline.data.listing import is_listing
from pipeline.data.source_fingerprint import walk
from pipeline.errors import ConfigError
from pipeline.new.files import has_class_folders, pictures_seen, recordings_seen, sounds_seen
from pipeline.new.parts import files_beside, part_folders, part_in_name
from pipeline.new.prepared import npz_seen, tfds_seen
from pipeline.new.seen import Seen
from pipeline.new.series import series_seen
from pipeline.new.table import read_table
from pipeline.new.tables import table_seen

TABLES = (".csv", ".tsv", ".txt", ".data", ".test", ".gz", "", *typed_tables.SUFFIXES)
PAPERS = re.compile(
    r"^\.|^((readme|licen[cs]e|source|sha256|copying|changes|citation|notes)[^.]*|[^.]*descr[^.]*)"
    r"(\.(md|txt|rst|html|pdf))?$",
    re.I,
)
MIXED = 0.1  # fraction of the most frequent kind of file above which another is no by-product
SNIFFED = 1000  # rows of each of them
MANY = 6  # tables of one form from which on each is a recording, or a series
WANTED = (
    "wanted a table (CSV), a folder of class folders of pictures, recordings or CSV files, "
    "timestamped series, texts with labels, a .npz file or a prepared TFDS set"
)


def look(path: Path, target: str | None) -> Seen:
    """Return what lies at a path.

    Args:
        path: a file or folder.
        target: name of the column to predict; None: it is guessed.

    Raises:
        ConfigError: there is nothing, or nothing that is known.
    """
    if not path.exists():
        raise ConfigError(f"--data: {path}: no such file or folder; {WANTED}")
    if path.suffix == ".npz":
        return npz_seen(path, target)
    folder = folder_in(path)
    if folder.is_file():
        listed = _listing_seen(path, target)
        if listed is not None:
            return listed
        seen = table_seen(files_beside(path), target)
        if seen is None:
            raise ConfigError(f"--data: {path}: no table of two columns or more; {WANTED}")
        return seen
    prepared = tfds_seen(folder)
    if prepared is not None:
        return prepared
    files = [file for file in walk(folder) if not PAPERS.search(file.name)]
    by_suffix = Counter(file.suffix.lower() for file in files)
    pictures, sounds = (sum(by_suffix[s] for s in x.SUFFIXES) for x in (image_folder, sound))
    tables = [file for file in files if file.suffix.lower() in TABLES]
    if pictures and 2 * len(tables) >= pictures and (form := boxes_in(folder)) is not None:
        raise ConfigError(f"--data: {path} {form}; {BOXES}")
    _refuse_mixed(path, {"pictures": pictures, "recordings": sounds, "tables": len(tables)})
    if max(pictures, sounds) > len(tables):
        _refuse_target(target)
        return pictures_seen(path) if pictures >= sounds else sounds_seen(path)
    seen = _tables(path, folder, tables, target=target)
    if seen is None:
        raise ConfigError(f"--data: {path}: {_held(by_suffix)}; {WANTED}")
    return seen


def _listing_seen(path: Path, target: str | None) -> Seen | None:
    """Return the files that a CSV file lists; None where it lists none."""
    for suffixes, seen in LISTED:
        if path.suffix.lower() == ".csv" and is_listing(path, suffixes):
            _refuse_target(target)
            return seen(path)
    return None


LISTED = ((image_folder.SUFFIXES, pictures_seen), (sound.SUFFIXES, sounds_seen))


def _held(by_suffix: Counter[str]) -> str:
    shown = ", ".join(
        f"{n:,} {suffix or 'without suffix'}" for suffix, n in by_suffix.most_common(4)
    )
    return f"it holds {shown or 'no files'}, none of which is known"


def _refuse_mixed(path: Path, counts: dict[str, int]) -> None:
    """Refuse a folder of several kinds of files, each of them many."""
    most = max(counts.values())
    many = [name for name, count in counts.items() if count >= max(MANY, MIXED * most)]
    if len(many) > 1:
        raise ConfigError(f"--data: {path} holds {' and '.join(many)}; name the folder of one kind")


def _refuse_target(target: str | None) -> None:
    if target is not None:
        raise ConfigError("--target names a column of a table; here the folders are the classes")


def _root(files: Sequence[Path]) -> Path:
    """Return the folder of the class folders: what all parents of the files have in common."""
    parents = {file.parent for file in files if NOISE not in file.parts}
    first, *others = sorted(parents)
    if not others:
        raise ConfigError(
            f"--data: all files lie in {first}, so that nothing says what each is; put them into "
            "one subfolder a class"
        )
    common = first
    while not all(parent.is_relative_to(common) for parent in others):
        common = common.parent
    return common


def _tables(path: Path, root: Path, files: list[Path], *, target: str | None) -> Seen | None:
    """Return what a folder of delimited files holds: parts of one, recordings, or series."""
    read = [(file, read_table(file, most=SNIFFED)) for file in files[:MANY]]
    known = [table for _, table in read if table is not None]
    if not known:
        return None
    moments = [column for column in known[0].columns if column.kind == "moment"]
    if len(files) >= MANY and target is None and has_class_folders(path, (".csv",)):
        return recordings_seen(path, known[0])
    are_parts = len(files) > 1 and all(part_in_name(file)[0] for file in files)
    if len(files) < MANY and (are_parts or not moments):
        return table_seen([table.path for table in known], target)
    if moments and len(known) == len(read):
        return _series(root, files, moments[0].name, target=target)
    _refuse_target(target)
    return recordings_seen(path, known[0])


def _series(root: Path, files: list[Path], moment: str, *, target: str | None) -> Seen:
    """Return what a folder of timestamped files holds; folders of parts are parts."""
    parts = part_folders(root, files)
    if parts is None:
        suffixes = {file.suffix for file in files}
        top = root if len({file.parent for file in files}) == 1 else _root(files)
        pattern = top / "**" / f"*{suffixes.pop()}" if len(files) > 1 else None
    else:
        pattern = parts.train
        files = [file for file in files if file.is_relative_to(pattern.parent.parent)]
    first = read_table(files[0])
    assert first is not None  # it was read before
    column = first.column(moment)
    return series_seen(files, first, column, target=target, pattern=pattern, parts=parts)
