"""Inspect a file or folder: modality, task, columns, classes, splits.

Nothing is loaded whole but tables; no TensorFlow.
"""

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.data import image_folder, sound
from pipeline.data.class_folders import NOISE, Classes, list_classes
from pipeline.data.source_fingerprint import walk
from pipeline.errors import ConfigError
from pipeline.new.prepared import npz_seen, tfds_seen
from pipeline.new.recipe import FEW
from pipeline.new.seen import Seen
from pipeline.new.table import Table, read_table
from pipeline.new.tables import series_seen, table_seen

TABLES = (".csv", ".tsv", ".txt", ".data", "")
PAPERS = re.compile(
    r"^\.|^((readme|licen[cs]e|source|sha256|copying|changes|citation|notes)[^.]*|[^.]*descr[^.]*)"
    r"(\.(md|txt|rst|html|pdf))?$",
    re.I,
)
LOOKED = 200  # files that are opened to judge all of them
MIXED = 0.1  # fraction of the most frequent kind of file, above which another is no by-product
SNIFFED = 1000  # rows of each of them
MANY = 6  # tables of one form from which on each is a recording, or a series
WANTED = (
    "wanted a table (CSV), a folder of class folders of pictures, recordings or CSV files, "
    "timestamped series, texts with labels, a .npz file or a prepared TFDS set"
)
SIDES = ((40, None), (128, 64), (10**9, 96))  # pictures up to here -> side they are brought to
FEW_SIDE = 64  # of few pictures: more pixels are more to learn by heart, and 2.3 times the work


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
    if path.is_file():
        seen = table_seen([path], target)
        if seen is None:
            raise ConfigError(f"--data: {path}: no table of two columns or more; {WANTED}")
        return seen
    prepared = tfds_seen(path)
    if prepared is not None:
        return prepared
    files = [file for file in walk(path) if not PAPERS.search(file.name)]
    by_suffix = Counter(file.suffix.lower() for file in files)
    pictures, sounds = (sum(by_suffix[s] for s in x.SUFFIXES) for x in (image_folder, sound))
    tables = [file for file in files if file.suffix.lower() in TABLES]
    _refuse_mixed(path, {"pictures": pictures, "recordings": sounds, "tables": len(tables)})
    if max(pictures, sounds) > len(tables):
        _refuse_target(target)
        if pictures >= sounds:
            return _pictures([f for f in files if f.suffix.lower() in image_folder.SUFFIXES])
        return _sounds([f for f in files if f.suffix.lower() in sound.SUFFIXES])
    seen = _tables(path, tables, target)
    if seen is None:
        raise ConfigError(f"--data: {path}: {_held(by_suffix)}; {WANTED}")
    return seen


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


def _counts(classes: Classes) -> dict[str, int]:
    return dict(Counter(file.label for file in classes.listed).most_common())


def _given(classes: Classes) -> dict[str, Any]:
    """Return the fields of Seen about a test split in a folder of its own."""
    tested = Counter(file.label for file in classes.listed if file.part == "test")
    return {"is_given": bool(tested), "tested": dict(tested) or None}


def _pictures(files: list[Path]) -> Seen:
    root = _root(files)
    classes = list_classes(root, image_folder.SUFFIXES, "image")
    sizes, modes = [], set()
    for file in files[:: max(1, len(files) // LOOKED)]:
        try:
            with Image.open(file) as picture:
                sizes.append(picture.size)
                modes.add(picture.mode if picture.mode in ("L", "1", "I;16") else "color")
        except OSError:
            continue  # the data stage leaves it out, and says so
    if not sizes:
        raise ConfigError(f"--data: {root}: no picture can be opened")
    width, height = (round(statistics.median(s[i] for s in sizes)) for i in (0, 1))
    longest = max(width, height)
    side = next(to for up_to, to in SIDES if longest <= up_to) or longest
    side = min(side, FEW_SIDE) if len(files) < FEW else side
    high, wide = (max(8, round(side * length / longest)) for length in (height, width))
    source = {"kind": "image_folder", "path": root, "height": high, "width": wide}
    source |= {} if "color" in modes else {"color": "gray"}
    said = (f"{len(files):,} pictures, of {width}x{height} pixels in the middle.",)
    counts = _counts(classes)
    count = len(classes.listed)
    given = _given(classes)
    return Seen("image", "classification", source, count, counts, said, size=side, **given)


def _sounds(files: list[Path]) -> Seen:
    from pipeline.ondevice.sound_files import read_sound

    root = _root(files)
    classes = list_classes(root, sound.SUFFIXES, "recording")
    rate = 16_000
    lengths = []
    for file in [f for f in files if NOISE not in f.parts][:: max(1, len(files) // LOOKED)]:
        try:
            lengths.append(len(read_sound(file, rate)) / rate)
        except (OSError, ValueError):
            continue
    if not lengths:
        raise ConfigError(f"--data: {root}: no recording can be read")
    seconds = round(min(10.0, max(0.2, float(np.quantile(lengths, 0.9)))), 1)
    source: dict[str, Any] = {"kind": "audio_folder", "path": root}
    source["sound"] = {"sample_rate": rate, "seconds": seconds, "features": {"kind": "log_mel"}}
    if (root / NOISE).is_dir():
        source["silence"] = 0.1
    said = (f"{len(files):,} recordings; nine in ten are at most {seconds:g} s long.",)
    counts = _counts(classes)
    count = len(classes.listed)
    return Seen("audio", "classification", source, count, counts, said, **_given(classes))


def _tables(root: Path, files: list[Path], target: str | None) -> Seen | None:
    """Return what a folder of delimited files holds: parts of one, recordings, or series."""
    read = [(file, read_table(file, most=SNIFFED)) for file in files[:MANY]]
    known = [table for _, table in read if table is not None]
    if not known:
        return None
    moments = [column for column in known[0].columns if column.kind == "moment"]
    if len(files) < MANY and not moments:
        return table_seen([table.path for table in known], target)
    if moments and len(known) == len(read):
        suffixes = {file.suffix for file in files}
        top = root if len({file.parent for file in files}) == 1 else _root(files)
        pattern = top / "**" / f"*{suffixes.pop()}" if len(files) > 1 else None
        first = read_table(known[0].path) or known[0]
        return series_seen(
            files, first, first.column(moments[0].name), target=target, pattern=pattern
        )
    return _recordings(files, known[0], target)


def _recordings(files: list[Path], first: Table, target: str | None) -> Seen:
    _refuse_target(target)
    root = _root(files)
    classes = list_classes(root, (".csv",), "recording")
    rows = []
    for file in files[:: max(1, len(files) // LOOKED)]:
        with file.open("rb") as lines:
            rows.append(sum(1 for _ in lines) - first.has_header)
    middle = statistics.median(rows)
    length = max(16, min(128, 16 * round(middle / 16)))
    source: dict[str, Any] = {"kind": "series_folder", "path": root, "length": length}
    source |= {"delimiter": first.delimiter} if first.delimiter != "," else {}
    source |= {} if first.has_header else {"header": False}
    said = (f"{len(files):,} recordings of {min(rows)} to {max(rows)} rows.",)
    counts = _counts(classes)
    count = len(classes.listed)
    given = _given(classes)
    return Seen("recording", "classification", source, count, counts, said, size=length, **given)
