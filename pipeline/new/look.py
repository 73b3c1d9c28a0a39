"""Look at a file or folder, and tell what it holds: modality, task, columns, classes, parts.

Nothing is loaded whole but tables; no TensorFlow.
"""

import json
import re
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.data import images, sound
from pipeline.data.class_folders import NOISE, PARTS, Classes, list_classes
from pipeline.data.watch import walk
from pipeline.errors import ConfigError
from pipeline.new.seen import Seen
from pipeline.new.table import Table, read_table
from pipeline.new.tables import series_seen, table_seen

TABLES = (".csv", ".tsv", ".txt", ".data", "")
PAPERS = re.compile(
    r"^(readme|licen[cs]e|source|sha256|copying|changes|citation|notes|\.)|descr", re.I
)
LOOKED = 200  # files that are opened to tell what all are like
MANY = 6  # tables of one form from which on each is a recording, or a series
WANTED = (
    "wanted a table (CSV), a folder of class folders of pictures, recordings or CSV files, "
    "timestamped series, texts with labels, a .npz file or a prepared TFDS set"
)
SIDES = ((40, None), (128, 64), (10**9, 96))  # pictures up to here -> side they are brought to


def look(path: Path, target: str | None) -> Seen:
    """Return what lies at a path.

    Args:
        path: a file or folder.
        target: name of the column to answer; None: it is guessed.

    Raises:
        ConfigError: there is nothing, or nothing that is known.
    """
    if not path.exists():
        raise ConfigError(f"--data: {path}: no such file or folder; {WANTED}")
    if path.suffix == ".npz":
        return _npz(path, target)
    if path.is_file():
        seen = table_seen([path], target)
        if seen is None:
            raise ConfigError(f"--data: {path}: no table of two columns or more; {WANTED}")
        return seen
    prepared = _tfds(path)
    if prepared is not None:
        return prepared
    files = [file for file in walk(path) if not PAPERS.search(file.name)]
    by_suffix = Counter(file.suffix.lower() for file in files)
    pictures, sounds = (sum(by_suffix[s] for s in x.SUFFIXES) for x in (images, sound))
    tables = [file for file in files if file.suffix.lower() in TABLES]
    if max(pictures, sounds) > len(tables):
        _refuse_target(target)
        if pictures >= sounds:
            return _pictures([f for f in files if f.suffix.lower() in images.SUFFIXES])
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


def _is_given(classes: Classes) -> bool:
    return any(file.part == "test" for file in classes.listed)


def _pictures(files: list[Path]) -> Seen:
    root = _root(files)
    classes = list_classes(root, images.SUFFIXES, "image")
    sizes, modes = [], set()
    for file in files[:: max(1, len(files) // LOOKED)]:
        try:
            with Image.open(file) as picture:
                sizes.append(picture.size)
                modes.add(picture.mode if picture.mode in ("L", "1", "I;16") else "colour")
        except OSError:
            continue  # the data stage leaves it out, and says so
    if not sizes:
        raise ConfigError(f"--data: {root}: no picture can be opened")
    width, height = (round(statistics.median(s[i] for s in sizes)) for i in (0, 1))
    longest = max(width, height)
    side = next(to for up_to, to in SIDES if longest <= up_to) or longest
    high, wide = (max(8, round(side * length / longest)) for length in (height, width))
    source = {"kind": "image_folder", "path": root, "height": high, "width": wide}
    source |= {} if "colour" in modes else {"color": "gray"}
    said = (f"{len(files):,} pictures, of {width}x{height} pixels in the middle.",)
    counts = _counts(classes)
    count = len(classes.listed)
    return Seen("image", "classification", source, count, counts, said, _is_given(classes), side)


def _sounds(files: list[Path]) -> Seen:
    from pipeline.device.runner import read_sound

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
    return Seen("audio", "classification", source, count, counts, said, _is_given(classes))


def _tables(root: Path, files: list[Path], target: str | None) -> Seen | None:
    """Return what a folder of delimited files holds: parts of one, recordings, or series."""
    read = [(file, read_table(file)) for file in files[:MANY]]
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
        return series_seen(files, known[0], moments[0], target, pattern)
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
    return Seen(
        "recording", "classification", source, count, counts, said, _is_given(classes), length
    )


def _tfds(path: Path) -> Seen | None:
    """Return what a prepared set of TensorFlow Datasets holds; None where it is none."""
    found = sorted(p for p in walk(path) if p.name == "dataset_info.json")
    if not found:
        return None
    info = json.loads(found[-1].read_text())
    names = sorted({json.loads(p.read_text())["name"] for p in found})
    if len(names) > 1:
        raise ConfigError(f"--data: {path} holds several sets: {', '.join(names)}; name one folder")
    name, folder = info["name"], found[-1].parent
    top = next(p for p in folder.parents if p.name == name).parent
    listed = json.loads((folder / "features.json").read_text())["featuresDict"]["features"]
    by_type = {
        key: next((k for k in entry if k != "pythonClassName"), "") for key, entry in listed.items()
    }
    labels = [key for key, kind in by_type.items() if kind == "classLabel"]
    seen = [key for key, kind in by_type.items() if kind in ("image", "audio", "text")]
    seen = [key for key in seen if by_type[key] != "text" or len(seen) == 1]
    if len(labels) != 1 or len(seen) != 1:
        raise ConfigError(
            f"--data: {name} has {', '.join(f'{k} ({v})' for k, v in by_type.items())}; wanted one "
            "picture, sound or text and one class label: write data.source by hand"
        )
    ((key,), (label,)) = seen, labels
    splits = {row["name"]: sum(map(int, row["shardLengths"])) for row in info["splits"]}
    parts = {PARTS[part]: part for part in splits if part in PARTS}
    full = f"{name}/{info['configName']}" if info.get("configName") else name
    source: dict[str, Any] = {"kind": "tfds", "name": full, "data_dir": top, "splits": parts}
    source |= {} if key == "image" else {"inputs": [key]}
    source |= {} if label == "label" else {"label": label}
    said = [", ".join(f"{part}: {count:,} samples" for part, count in splits.items()) + "."]
    size = 0
    if by_type[key] == "image":
        size = max(int(d) for d in listed[key]["image"]["shape"]["dimensions"][:2])
    if by_type[key] == "audio":
        rate = int(listed[key]["audio"].get("sampleRate", 16_000))
        source["sound"] = {"sample_rate": rate, "seconds": 1.0, "features": {"kind": "log_mel"}}
        said.append("Recordings are cut to one second: nothing says how long they are.")
    classes = {str(k): 0 for k in range(int(listed[label]["classLabel"]["numClasses"]))}
    modality = by_type[key]
    is_given, count = "test" in parts, splits.get(parts.get("train", ""), 0)
    return Seen(modality, "classification", source, count, classes, tuple(said), is_given, size)  # type: ignore[arg-type]


def _npz(path: Path, target: str | None) -> Seen:
    """Return what arrays of one length hold; those of _train and _test are parts."""
    try:
        with np.load(path) as arrays:
            shapes = {name: (arrays[name].shape, arrays[name].dtype) for name in arrays.files}
            bare = {re.sub(r"_(train|validation|test)$", "", name): name for name in shapes}
            flat = [name for name, full in bare.items() if len(shapes[full][0]) == 1]
            label = target or next((n for n in flat if n in ("y", "label", "labels")), None)
            if label is None and len(flat) == 1:
                (label,) = flat
            if label not in bare:
                raise ConfigError(
                    f"--target: {path} holds {', '.join(bare)}; name the array that is answered"
                )
            first = next((n for n in (f"{label}_train", label) if n in shapes), bare[label])
            answers = np.asarray(arrays[first])
    except (OSError, ValueError) as error:
        raise ConfigError(f"--data: {path}: {error}") from error
    inputs = [name for name in bare if name != label and name not in flat]
    if not inputs:
        raise ConfigError(f"--data: {path} holds no array of two dimensions or more to look at")
    shape, dtype = shapes[next(n for n in shapes if n.startswith(inputs[0]))]
    is_class = bool(np.issubdtype(answers.dtype, np.integer))
    classes = {str(k): int(n) for k, n in zip(*np.unique(answers, return_counts=True), strict=True)}
    is_picture = np.issubdtype(dtype, np.integer) and len(shape) >= 3
    modality = "image" if is_picture else "recording" if len(shape) == 3 else "table"
    source = {"kind": "npz", "path": path, "inputs": inputs, "label": label}
    said = (", ".join(f"{name}: {shape} {dtype}" for name, (shape, dtype) in shapes.items()) + ".",)
    is_given = any(name.endswith("_test") for name in shapes)
    size = max(shape[1:3]) if is_picture else shape[1]
    return Seen(
        modality,  # type: ignore[arg-type]
        "classification" if is_class else "regression",
        source,
        len(answers),
        classes if is_class else None,
        said,
        is_given,
        size,
    )
