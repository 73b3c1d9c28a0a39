"""CSV files that list files with their class, and where they say so, part and group."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.config.folder_schema import Listing
from pipeline.data import group_names
from pipeline.data.class_folders import Classes, Listed
from pipeline.data.csv_rows import Form, names_of, rows_of
from pipeline.data.findings import some
from pipeline.data.folder_layout import part_of
from pipeline.data.source_fingerprint import listing_folder, walk
from pipeline.errors import ConfigError

NAMES = {  # of columns, the likeliest first
    "path": ("path", "file", "filename", "file_name", "filepath", "file_path", "image_path",
             "audio_path", "slice_file_name", "image", "img", "wav", "audio", "recording"),
    "label": ("label", "class", "category", "target", "class_name", "labels", "word", "species",
              "diagnosis", "breed", "sentence_label", "classid", "class_id"),
    "group": group_names.NAMES,
    "split": ("split", "part", "subset", "set", "partition", "phase"),
}  # fmt: skip
LOOKED = 50  # rows that are read to guess columns
WRONG = 10  # rows that a message names


def is_listing(path: Path, suffixes: Sequence[str]) -> bool:
    """Tell whether a CSV file lists files of some kind: a column of names with such endings."""
    try:
        names, rows = _first_rows(path)
    except ConfigError:
        return False
    return _path_column(names, rows, suffixes) is not None


def _first_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    form = Form()
    names = names_of(path, form)
    rows = []
    for _, cells in rows_of(path, form, len(names)):
        rows.append(cells)
        if len(rows) == LOOKED:
            break
    return names, rows


def columns_of(path: Path, listing: Listing, suffixes: Sequence[str]) -> dict[str, str | None]:
    """Return path, label, group, split -> name of the column; None: there is none of the kind.

    Raises:
        ConfigError: a column that was asked for is not there, or none names files.
    """
    names, rows = _first_rows(path)
    asked = {key: getattr(listing, key) for key in NAMES}
    problems = [
        f"data.source.listing.{key}: {path} has no column {name!r}; it has {', '.join(names)}"
        for key, name in asked.items()
        if name is not None and name not in names
    ]
    if problems:
        raise ConfigError(*problems)
    found = {key: name or _guess(key, names) for key, name in asked.items()}
    found["path"] = asked["path"] or _path_column(names, rows, suffixes)
    if found["path"] is None:
        raise ConfigError(
            f"{path}: none of the columns {', '.join(names)} names files ({' '.join(suffixes)}); "
            "name it in data.source.listing.path"
        )
    if found["split"] is not None and asked["split"] is None:
        at = names.index(found["split"])
        found["split"] = found["split"] if any(part_of(row[at]) for row in rows) else None
    return found


def _guess(key: str, names: Sequence[str]) -> str | None:
    lower = {name.lower(): name for name in reversed(names)}
    return next((lower[name] for name in NAMES[key] if name in lower), None)


def _path_column(
    names: Sequence[str], rows: Sequence[Sequence[str]], suffixes: Sequence[str]
) -> str | None:
    """Return the column whose cells end as files of the kind do, by the first rows."""
    for at, name in enumerate(names):
        ends = [Path(row[at]).suffix.lower() in suffixes for row in rows]
        if ends and sum(ends) >= 0.9 * len(ends):
            return name
    guess = _guess("path", names)  # names without an ending are looked for, too
    return guess if guess in ("path", "file", "filename", "slice_file_name") else None


def list_files(path: Path, listing: Listing, suffixes: Sequence[str]) -> Classes:
    """Return the files that a CSV file lists.

    Raises:
        ConfigError: a column is missing, a file is not there, a split is none of ours.
    """
    columns = columns_of(path, listing, suffixes)
    form, names = Form(), names_of(path, Form())
    labels = [] if columns["label"] else _one_hot(path, names, columns)
    folder = listing_folder(path, listing.folder)
    places = _Places(path, folder, suffixes)
    listed, wrong = [], []
    for line, cells in rows_of(path, form, len(names)):
        row = dict(zip(names, cells, strict=True))
        said = _cell(row, columns["split"])
        label = row[columns["label"]] if columns["label"] else _hot(row, labels)
        part, file = part_of(said) if said else None, places.find(_cell(row, columns["path"]))
        if said and part is None:
            wrong.append(f"{path}:{line}: split {said!r}; wanted train, validation or test")
        if file is None:
            wrong.append(f"{path}:{line}: no such file: {_cell(row, columns['path'])}")
        if not label:
            wrong.append(f"{path}:{line}: no label, or several")
        group = _cell(row, columns["group"]) if columns["group"] else None
        listed.append(Listed(str(file), label, part, group))
    if wrong:
        more = [f"{path}: and {len(wrong) - WRONG} more"] if len(wrong) > WRONG else []
        raise ConfigError(*wrong[:WRONG], *more)
    classes = sorted({file.label for file in listed})
    if len(classes) < 2:
        raise ConfigError(f"{path}: {len(classes)} label ({some(classes)}); wanted two or more")
    return Classes(path.parent, listed, [], classes)


def part_lists(root: Path, name: str) -> dict[str, Path]:
    """Return part -> the CSV file of that name in the folder of the part; none: there are none."""
    folders = [path for path in sorted(root.iterdir()) if (path / name).is_file()]
    return {part: path / name for path in folders if (part := part_of(path.name)) is not None}


def list_parts(root: Path, listing: Listing, suffixes: Sequence[str]) -> Classes:
    """Return the files that the CSV files of the part folders list, each of its folder's part.

    Raises:
        ConfigError: no part folder has that file; else as `list_files`.
    """
    assert listing.file is not None  # else a CSV file is given
    lists = part_lists(root, listing.file)
    if not lists:
        raise ConfigError(
            f"data.source.listing.file: no train, valid or test folder of {root} has "
            f"{listing.file}; name one that is there, or the CSV file itself in data.source.path"
        )
    listed: list[Listed] = []
    for part, path in lists.items():
        found = list_files(path, listing, suffixes)
        listed += [replace(file, part=part) for file in found.listed]
    return Classes(root, listed, [], sorted({file.label for file in listed}))


def _cell(row: Mapping[str, str], column: str | None) -> str:
    return "" if column is None else row[column].strip()


def _one_hot(path: Path, names: Sequence[str], columns: Mapping[str, str | None]) -> list[str]:
    """Return the columns of 0 and 1 that stand for a class each, as Roboflow's _classes.csv has.

    Raises:
        ConfigError: there are none.
    """
    at = [i for i, name in enumerate(names) if name not in columns.values()]
    seen: dict[int, set[str]] = {i: set() for i in at}
    for _, cells in rows_of(path, Form(), len(names)):
        for i in at:
            seen[i].add(cells[i])
    found = [names[i] for i in at if seen[i] <= {"0", "1", "0.0", "1.0"}]
    if len(found) < 2:
        raise ConfigError(
            f"{path}:1: no column label among {', '.join(names)}; name the column of the class in "
            "data.source.listing.label"
        )
    return found


def _hot(row: Mapping[str, str], labels: Sequence[str]) -> str:
    """Return the one class whose column says 1; nothing where none or several do."""
    hot = [name for name in labels if float(row[name]) == 1]
    return hot[0] if len(hot) == 1 else ""


class _Places:
    """Finds listed files: below a folder, absolute, or by the end of their path if it is unique."""

    def __init__(self, listing: Path, folder: Path, suffixes: Sequence[str]) -> None:
        if not folder.is_dir():
            raise ConfigError(f"data.source.listing.folder: {folder} is not a folder")
        self.bases, self.folder, self.suffixes = (listing.parent, folder), folder, suffixes
        self.by_name: dict[str, list[Path]] | None = None

    def find(self, name: str) -> Path | None:
        """Return where a listed file is; None where it is not, or in several places."""
        if not name:
            return None
        clean = re.sub(r"^[A-Za-z]:", "", name).replace("\\", "/")
        for base in self.bases:
            if (base / clean).is_file():
                return base / clean
        found = self._named().get(Path(clean).name.lower(), [])
        ends = [p for p in found if p.as_posix().lower().endswith("/" + clean.lstrip("./").lower())]
        found = ends or found
        return found[0] if len(found) == 1 else None

    def _named(self) -> dict[str, list[Path]]:
        """Return name of a file, with and without its suffix, -> the files below the folder."""
        if self.by_name is None:
            index: defaultdict[str, list[Path]] = defaultdict(list)
            for path in walk(self.folder):
                if path.suffix.lower() in self.suffixes:
                    index[path.name.lower()].append(path)
                    index[path.stem.lower()].append(path)
            self.by_name = dict(index)
        return self.by_name
