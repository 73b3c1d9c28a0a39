"""Parts and groups that people's tables say themselves: files of a part, columns of parts, groups.

Nothing that belongs to a set is left out in silence: a file that is not used is named.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.data.folder_layout import PARTS, part_of
from pipeline.data.group_names import NAMES as GROUP_NAMES
from pipeline.data.group_names import is_group_name, may_group
from pipeline.data.listing import NAMES
from pipeline.errors import ConfigError
from pipeline.new.seen import Seen
from pipeline.new.table import Column, Table, read_table

SPLIT_NAMES, LABEL_NAMES = (NAMES[key] for key in ("split", "label"))
SUBMISSION = re.compile(r"submission", re.IGNORECASE)  # Kaggle's form of an entry
GROUPS = 5  # different values of an id from which on whole groups can be split
FEWEST = 3  # of what is surely a group: one a part
PEEKED = 2000  # rows of another part that are read
FORMS = ("csv", "tsv", "txt", "data", "gz", "parquet", "feather", "xlsx")  # words of a file's name


@dataclass(frozen=True)
class Parts:
    """The files of one set."""

    files: dict[str, Path]
    """train, validation, test -> file, or a pattern of files."""
    said: list[str] = field(default_factory=list)
    """What is not used, and why."""

    @property
    def train(self) -> Path:
        """Return the training part."""
        return self.files["train"]

    @property
    def paths(self) -> dict[str, Path]:
        """Return the fields of data.source that name the other parts."""
        return {f"{part}_path": path for part, path in self.files.items() if part != "train"}


def part_in_name(path: Path) -> tuple[str | None, str]:
    """Return the part that a word of a file's name says, and the name without it."""
    words = [word for word in re.split(r"[^a-z0-9]+", path.name.lower()) if word]
    named = [word for word in words if word in PARTS]
    rest = " ".join(word for word in words if word not in PARTS)
    found = {PARTS[word] for word in named}
    return (found.pop() if len(found) == 1 else None), rest


def files_beside(path: Path) -> list[Path]:
    """Return a file, and where it is called after train, those of the other parts beside it."""
    part, rest = part_in_name(path)
    if part not in ("train", None):
        return [path]
    found: dict[str | None, Path] = {}
    for other in sorted(path.parent.iterdir()):
        own, left = part_in_name(other)
        if other.is_file() and own not in (None, "train") and _same(left, rest):
            found.setdefault(own, other)
    return [path, *found.values()]


def _same(one: str, other: str) -> bool:
    """Tell whether two names without their part are alike, whatever form the files have."""
    first, second = ([word for word in name.split() if word not in FORMS] for name in (one, other))
    return first == second


def parts_among(paths: Sequence[Path], target: str | None) -> Parts:
    """Return the files of one set by part, by words in their names; one file is the training part.

    A file without the column that train has and that is predicted is left out, and named.

    Raises:
        ConfigError: there are several and their names do not say.
    """
    kept = [path for path in paths if len(paths) == 1 or not SUBMISSION.search(path.name)]
    said = [
        f"{path.name} is a form of entry: it is not used." for path in paths if path not in kept
    ]
    if len(kept) == 1:
        return Parts({"train": kept[0]}, said)
    found: dict[str, Path] = {}
    unnamed = [path for path in kept if part_in_name(path)[0] is None]
    for path in kept:
        part, rest = part_in_name(path)
        if unnamed == [path] and any(_same(rest, part_in_name(p)[1]) for p in kept if p != path):
            part = "train"  # adult.data beside adult.test
        if part is None or part in found:
            names = ", ".join(sorted(p.name for p in kept))
            raise ConfigError(
                f"--data: several tables ({names}) whose names do not say which is train, "
                "validation and test; name one file"
            )
        found[part] = path
    if "train" not in found:
        raise ConfigError(f"--data: there is {', '.join(found)} and no train; name one file")
    return Parts({"train": found.pop("train"), **found}, said)


def part_folders(root: Path, files: Sequence[Path]) -> Parts | None:
    """Return a pattern for each part, where the folders in a folder are parts; None: they are not.

    Args:
        root: the folder.
        files: all that lie in it.
    """
    tops = _tops(root, files)
    while len(tops) == 1 and all(file.parent != root for file in files):
        root /= tops.pop()
        tops = _tops(root, files)
    named = {part_of(top): root / top for top in sorted(tops)}
    is_parted = "train" in named and None not in named and 1 < len(named) == len(tops)
    if not is_parted or any(file.parent == root for file in files):
        return None
    suffix = files[0].suffix
    return Parts({str(part): folder / "**" / f"*{suffix}" for part, folder in named.items()})


def _tops(root: Path, files: Sequence[Path]) -> set[str]:
    """Return the folders in a folder in which files lie."""
    return {file.relative_to(root).parts[0] for file in files if file.parent != root}


def with_target(parts: Parts, table: Table, target: str) -> Parts:
    """Leave out the files that lack the target, or hold no value of it, and say so."""
    files, said = dict(parts.files), list(parts.said)
    for part, path in parts.files.items():
        if part == "train" or not table.has_header or not path.is_file():
            continue
        why = _lacks(path, target)
        if why is not None:
            said.append(f"{path.name} has {why}: it is used for nothing.")
            del files[part]
    return Parts(files, said)


def _lacks(path: Path, target: str) -> str | None:
    """Return what a file does not have of a column; None: it has the column, and values in it."""
    other = read_table(path, most=PEEKED)
    if other is None or all(column.name != target for column in other.columns):
        return f"no column {target}"
    return None if other.column(target).values else f"no value of {target}"


def split_column(table: Table) -> Column | None:
    """Return the column that says the part of each row, where every value of it is one."""
    for column in table.columns:
        parts = {part_of(value) for value in set(column.values)}
        is_named = column.name.lower() in SPLIT_NAMES
        if is_named and not column.unknown and None not in parts and {"train"} < parts:
            return column
    return None


def group_columns(table: Table, target: str) -> list[Column]:
    """Return the columns that name who or what was measured, and come again, the likeliest first.

    Args:
        table: all rows that were read.
        target: column that is predicted.
    """
    named = {name: place for place, name in enumerate(GROUP_NAMES)}
    found = []
    for column in table.columns:
        lower = column.name.lower()
        is_other = column.name == target or (lower in LABEL_NAMES and lower not in named)
        if is_other or not may_group(column.name, distinct=column.distinct, rows=table.rows):
            continue
        is_sure = is_group_name(column.name)
        rank = named.get(lower, len(named)) if is_sure else -column.distinct
        found.append((not is_sure, rank, column))
    return [column for _, _, column in sorted(found, key=lambda entry: entry[:2])]


def group_of(columns: Sequence[Column]) -> Column | None:
    """Return the one of `group_columns` by which a set can be split."""
    for column in columns:
        if column.distinct >= (FEWEST if is_group_name(column.name) else GROUPS):
            return column
    return None


def split_of_groups(group: Column, answered: Column, *, is_class: bool) -> str:
    """Return how whole groups are split: as many of each class, where a group has one class."""
    if not is_class or len(group.values) != len(answered.values):
        return "group"
    pairs = set(zip(group.values, answered.values, strict=True))
    groups_of_class = Counter(label for _, label in pairs)
    is_pure = len(pairs) == group.distinct
    return "stratified" if is_pure and min(groups_of_class.values()) >= GROUPS else "group"


@dataclass(frozen=True)
class Aside:
    """Columns that are neither input nor target, and the split that they make."""

    names: tuple[str, ...]
    fields: dict[str, str]
    """split, group -> column, as in data.source."""
    by: str | None
    """How the set is split; None: as its task has it."""
    tested: dict[str, int] | None
    """Class -> samples of the test part, where a column says it."""
    has_test: bool
    said: tuple[str, ...]


def aside_of(table: Table, parts: Parts, answered: Column, *, is_class: bool) -> Aside:
    """Return the columns of parts and of groups, and notes on them."""
    fields, said = {}, list(parts.said)
    split, groups = split_column(table), group_columns(table, answered.name)
    names = [column.name for column in (split, *groups) if column is not None]
    group = group_of(groups)
    by = split_of_groups(group, answered, is_class=is_class) if group is not None else None
    has_test, tested = "test" in parts.files, None
    if len(parts.files) > 1:
        by = "given"
        said.append(f"Parts: {', '.join(p.name for p in parts.files.values())}.")
    elif split is not None:
        fields, by = {"split": split.name}, "given"
        own = [part_of(value) for value in split.values]
        has_test = "test" in own
        said.append(f"Column {split.name} says the part of each row.")
        if is_class and has_test and len(own) == len(answered.values):
            pairs = zip(own, answered.values, strict=True)
            tested = dict(Counter(label for part, label in pairs if part == "test"))
    if group is not None:
        fields |= {"group": group.name}
        whole = "what is cut from train keeps each whole" if by == "given" else "each stays whole"
        said.append(f"{group.distinct:,} groups by {group.name}: {whole} (data.source.group).")
    return Aside(tuple(names), fields, by, tested, has_test, tuple(said))


def with_split(seen: Seen, aside: Aside) -> Seen:
    """Return what was seen with the split that its columns and files make."""
    extra = seen.extra if aside.by is None else {**seen.extra, "by": aside.by}
    return replace(seen, is_given=aside.has_test, extra=extra, tested=aside.tested)
