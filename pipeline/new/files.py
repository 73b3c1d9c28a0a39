"""Sets whose samples are files: pictures, recordings of sound or of sensors, however they lie."""

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.folder_schema import Listing
from pipeline.data import image_folder, sound
from pipeline.data.archives import folder_in
from pipeline.data.class_folders import Classes, list_classes, with_merged_labels
from pipeline.data.folder_layout import FIRST_WORD, NOISE, boxes_in, names_classes
from pipeline.data.listing import is_listing, list_files, list_parts, part_lists
from pipeline.data.recordings import named_classes, with_lists
from pipeline.data.source_fingerprint import walk
from pipeline.errors import ConfigError
from pipeline.new.recipe import FEW
from pipeline.new.seen import Modality, Seen
from pipeline.new.table import Table
from pipeline.ondevice.image import open_image

LOOKED = 200  # files that are opened to tell what all are like
SIDES = ((40, None), (128, 64), (10**9, 96))  # pictures up to here -> side they are brought to
FEW_SIDE = 64  # of few pictures: more pixels are more to learn by heart, and 2.3 times the work
COPIES = re.compile(r"^(.+)\.rf\.[0-9a-f]{6,}")  # Roboflow's names of augmented copies
COPY_PATTERN = r"([^/]+)\.rf\."
LISTS = {
    "validation": ("validation_list.txt", "val_list.txt", "validation.txt", "val.txt", "valid.txt"),
    "test": ("testing_list.txt", "test_list.txt", "test.txt", "testing.txt"),
}


def find_classes(
    path: Path, suffixes: Sequence[str], what: str
) -> tuple[dict[str, Any], Classes, list[str]]:
    """Return the fields of data.source, the files with their classes, and notes on them.

    Args:
        path: a folder, an archive or a listing.
        suffixes: of samples.
        what: a sample is called.

    Raises:
        ConfigError: nothing says the class of each file.
    """
    source, classes, said = _classes(path, suffixes, what)
    lists = {part: _list_in(classes.root, names) for part, names in LISTS.items()}
    if any(lists.values()) and "listing" not in source and not path.is_file():
        classes, _ = with_lists(classes, lists)
        source |= {f"{part}_list": name for part, name in lists.items() if name}
    try:
        return source, with_merged_labels(classes, None), said
    except ConfigError as error:
        source["labels_alike"] = "merge"
        text = str(error).partition(": ")[2].partition("; say")[0]
        return source, with_merged_labels(classes, "merge"), [*said, f"Merged: {text}."]


def _classes(
    path: Path, suffixes: Sequence[str], what: str
) -> tuple[dict[str, Any], Classes, list[str]]:
    source: dict[str, Any] = {"path": path}
    if path.is_file() and is_listing(path, suffixes):
        return source, list_files(path, Listing(), suffixes), [f"{path.name} lists the files."]
    root = folder_in(path)
    try:
        return source, list_classes(root, suffixes, what), []
    except ConfigError as error:
        first = error
    if boxes_in(root) is not None:
        raise first
    if names_classes(root, suffixes):
        said = ["The class is what a file's name begins with, up to the first dot."]
        return (
            source | {"label_pattern": FIRST_WORD},
            named_classes(root, FIRST_WORD, suffixes),
            said,
        )
    for table in _tables_about(root):
        if is_listing(table, suffixes):
            if len(lists := part_lists(root, table.name)) > 1:
                listing = Listing(file=table.name)
                said = [f"{table.name} lists the files of {', '.join(lists)}."]
                fields = {"path": path, "listing": {"file": table.name}}
                return fields, list_parts(root, listing, suffixes), said
            said = [f"{table.name} lists the files and their classes."]
            return {"path": table}, list_files(table, Listing(), suffixes), said
    raise first


def _tables_about(root: Path) -> list[Path]:
    """Return the CSV files in a folder, and in one for metadata beside it."""
    beside = [p for name in ("metadata", "meta") for p in (root.parent / name).glob("*.csv")]
    return [*(p for p in walk(root) if p.suffix.lower() == ".csv"), *sorted(beside)]


def _list_in(root: Path, names: Sequence[str]) -> str | None:
    return next((name for name in names if (root / name).is_file()), None)


def _seen(
    modality: Modality, source: dict[str, Any], classes: Classes, said: Sequence[str]
) -> Seen:
    """Return what is common to all sets of files: classes, parts, groups."""
    counts = dict(Counter(file.label for file in classes.listed).most_common())
    by_part = {
        part: Counter(file.label for file in classes.listed if file.part == part)
        for part in ("train", "test")
    }
    tested = by_part["test"]
    lines = [*said, *(finding.text for finding in classes.findings)]
    extra: dict[str, Any] = {}
    if not tested:
        extra = _groups(classes, lines)
    seen = Seen(
        modality,
        "classification",
        source,
        len(classes.listed),
        counts,
        tuple(lines),
        bool(tested),
        extra=extra,
        tested=dict(tested) or None,
    )
    trained = by_part["train"]
    if tested and len(trained) == 1 and set(trained) < set(tested):
        (normal,) = trained
        text = f"Train holds {normal} alone: a detector of anomalies learns it (data.normal)."
        return replace(seen, task="anomaly", data={"normal": [normal]}, said=(*lines, text))
    return seen


def _groups(classes: Classes, lines: list[str]) -> dict[str, Any]:
    """Return the keys of data.split where samples belong together, and say why."""
    groups = {file.group for file in classes.listed} - {None}
    if len(groups) > 2:
        lines.append(f"{len(groups)} groups (folds, speakers, …) stay whole: data.split.by: group.")
        return {"by": "group"}
    originals = Counter(
        found[1] for file in classes.listed if (found := COPIES.match(Path(file.path).name))
    )
    if originals and max(originals.values()) > 1:
        lines.append("Names with .rf. are augmented copies: those of one original stay together.")
        return {"by": "group", "pattern": COPY_PATTERN}
    return {}


def pictures_seen(path: Path) -> Seen:
    """Return what pictures show: their classes and sizes.

    Raises:
        ConfigError: nothing says the classes, or no picture can be opened.
    """
    source, classes, said = find_classes(path, image_folder.SUFFIXES, "image")
    files = [Path(file.path) for file in classes.listed]
    sizes, modes, why = [], set(), ""
    for file in files[:: max(1, len(files) // LOOKED)]:
        try:
            with open_image(str(file)) as picture:
                sizes.append(picture.size)
                modes.add(picture.mode if picture.mode in ("L", "1", "I;16", "I", "F") else "color")
        except image_folder.UNREADABLE as error:
            why = why or str(error)  # the data stage leaves it out, and says so
    if not sizes:
        raise ConfigError(f"--data: {path}: {len(files):,} pictures, none can be opened: {why}")
    width, height = (round(statistics.median(s[i] for s in sizes)) for i in (0, 1))
    longest = max(width, height)
    side = next(to for up_to, to in SIDES if longest <= up_to) or longest
    side = min(side, FEW_SIDE) if len(files) < FEW else side
    high, wide = (max(8, round(side * length / longest)) for length in (height, width))
    source = {"kind": "image_folder", **source, "height": high, "width": wide}
    source |= {} if "color" in modes else {"color": "gray"}
    first = f"{len(files):,} pictures, of {width}x{height} pixels in the middle."
    return replace(_seen("image", source, classes, said=[first, *said]), size=side)


def sounds_seen(path: Path) -> Seen:
    """Return what recordings of sound hold: their classes, lengths and rates.

    Raises:
        ConfigError: nothing says the classes, or no recording can be read.
    """
    from pipeline.ondevice.sound_files import read_sound

    source, classes, said = find_classes(path, sound.SUFFIXES, "recording")
    files = [Path(file.path) for file in classes.listed]
    rate = 16_000
    lengths, why = [], ""
    for file in files[:: max(1, len(files) // LOOKED)]:
        try:
            lengths.append(len(read_sound(file, rate)) / rate)
        except (OSError, ValueError) as error:
            why = why or str(error)
    if not lengths:
        raise ConfigError(f"--data: {path}: {len(files):,} recordings, none can be read: {why}")
    seconds = round(min(10.0, max(0.2, float(np.quantile(lengths, 0.9)))), 1)
    source = {"kind": "audio_folder", **source}
    source["sound"] = {"sample_rate": rate, "seconds": seconds, "features": {"kind": "log_mel"}}
    if (classes.root / NOISE).is_dir():
        source["silence"] = 0.1
    first = f"{len(files):,} recordings; nine in ten are at most {seconds:g} s long."
    return _seen("audio", source, classes, said=[first, *said])


def recordings_seen(path: Path, first: Table) -> Seen:
    """Return what recordings of sensors hold, a CSV file each.

    Args:
        path: the folder.
        first: one of the files.

    Raises:
        ConfigError: nothing says the classes.
    """
    source, classes, said = find_classes(path, (".csv",), "recording")
    files = [Path(file.path) for file in classes.listed]
    rows = []
    for file in files[:: max(1, len(files) // LOOKED)]:
        with file.open("rb") as lines:
            rows.append(sum(1 for _ in lines) - first.has_header)
    middle = statistics.median(rows)
    length = max(16, min(128, 16 * round(middle / 16)))
    source = {"kind": "series_folder", **source, "length": length}
    source |= {"delimiter": first.delimiter} if first.delimiter != "," else {}
    source |= {} if first.has_header else {"header": False}
    told = f"{len(files):,} recordings of {min(rows)} to {max(rows)} rows."
    return replace(_seen("recording", source, classes, said=[told, *said]), size=length)


def has_class_folders(path: Path, suffixes: Sequence[str]) -> bool:
    """Tell whether the files of a folder lie in class folders, several in each."""
    try:
        classes = list_classes(path, suffixes, "file")
    except ConfigError:
        return False
    counts = Counter(file.label for file in classes.listed)
    return min(counts.values()) >= 2
