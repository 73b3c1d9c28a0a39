"""What the folders of a set are, by their names: parts, folds, classes, or none of these."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.source_fingerprint import walk
from pipeline.errors import ConfigError

NOISE = "_background_noise_"  # what Speech Commands calls recordings that are no class
PARTS = {
    "train": "train", "training": "train", "trainset": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "testset": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
FILLERS = {"", "seg", "set", "data", "dataset", "images", "image", "img", "split", "files", "audio"}
UNLABELED = {"pred", "prediction", "predict", "unlabeled", "unlabelled", "ground_truth"}
FORMATS = {
    "images", "imgs", "image", "labels", "annotations", "masks", "jpegimages", "imagesets",
    "segmentationclass", "segmentationobject", "bboxes", "annotation", "json", "xml",
}  # fmt: skip
FOLD = re.compile(r"(fold|cv|split)[ _\-]?\d+\Z", re.IGNORECASE)
LAYOUT = "one subfolder a class, or train / validation / test folders of class subfolders"
FIRST_WORD = (
    r"(?:^|/)([A-Za-z][^/.]*)\.[^/]*$"  # cat in training/cat.12.png, as Edge Impulse has it
)


@dataclass(frozen=True)
class Placed:
    """A folder whose files are of one class."""

    folder: Path
    part: str | None
    group: str | None = None
    """The fold that it lies in."""


def part_of(name: str) -> str | None:
    """Return train, validation or test where a folder's or file's name says no more than that."""
    words = re.split(r"[^a-z]+", name.lower())
    parts = [PARTS[word] for word in words if word in PARTS]
    others = set(words) - set(PARTS) - FILLERS
    return parts[0] if len(set(parts)) == 1 and not others else None


def place_classes(root: Path, suffixes: Sequence[str]) -> tuple[Path, list[Placed], list[Path]]:
    """Return the folder of classes or parts, the class folders in order, and those left out.

    A single folder around everything is entered. A folder called `train` that holds samples itself
    is a class of that name, unless all others are called after parts, too.

    Args:
        root: the folder of the set.
        suffixes: of samples, lower case.

    Raises:
        ConfigError: the folders are parts, folds or formats without classes, or a mixture.
    """
    subfolders = _subfolders(root)
    while len(subfolders) == 1 and _subfolders(subfolders[0]):
        root, subfolders = subfolders[0], _subfolders(subfolders[0])
    left = [p for p in subfolders if p.name.lower() in UNLABELED or _is_unlabeled(p.name)]
    named = [p for p in subfolders if part_of(p.name)]
    if not named or len(named) + len(left) < 2:
        left = []
    kept = [p for p in subfolders if p not in left]
    if kept and all(FOLD.match(p.name) for p in kept):
        found = [Placed(c, None, fold.name) for fold in kept for c in _subfolders(fold)]
        refuse_no_classes(root, [p.folder for p in found] or kept, suffixes)
        return root, found, left
    parts = [p for p in named if _subfolders(p)]
    if not parts:
        refuse_no_classes(root, kept, suffixes)
        return root, [Placed(p, None) for p in subfolders], []
    _refuse_strangers(root, kept, parts)
    found = [Placed(c, part_of(p.name), None) for p in parts for c in _subfolders(_innermost(p))]
    refuse_no_classes(root, [p.folder for p in found], suffixes)
    return root, found, left


def _is_unlabeled(name: str) -> bool:
    return bool(UNLABELED.intersection(re.split(r"[^a-z]+", name.lower())))


def _innermost(part: Path) -> Path:
    """Return the folder of the classes of a part: `seg_train/seg_train` is one part."""
    inside = _subfolders(part)
    while len(inside) == 1 and part_of(inside[0].name) == part_of(part.name):
        part, inside = inside[0], _subfolders(inside[0])
    return part


def _refuse_strangers(root: Path, kept: list[Path], parts: list[Path]) -> None:
    strangers = [p.name for p in kept if p not in parts]
    if strangers:
        raise ConfigError(
            f"data.source.path: {root} holds {', '.join(p.name for p in parts)} beside "
            f"{', '.join(strangers)}; wanted {LAYOUT}, not both; move or remove the others"
        )
    names = [p.name for p in parts if part_of(p.name) == "validation"]
    if len(names) > 1:
        raise ConfigError(f"data.source.path: {root}: {' and '.join(names)} are one part; keep one")


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted, save those that hold no class."""
    return sorted(
        p
        for p in folder.iterdir()
        if p.is_dir() and not p.name.startswith((".", "__")) and p.name != NOISE
    )


def refuse_no_classes(root: Path, folders: Sequence[Path], suffixes: Sequence[str]) -> None:
    """Refuse class folders that are all called after parts, folds or formats.

    Raises:
        ConfigError: they are; it says what the set looks like, and what to do.
    """
    names = sorted({folder.name for folder in folders})
    is_telling = [not _says_no_class(name) for name in names]
    if not names or any(is_telling):
        return
    form = boxes_in(root)
    if form is not None:
        raise ConfigError(f"data.source.path: {root} {form}; {BOXES}")
    raise ConfigError(
        f"data.source.path: {root} holds {', '.join(names)}, which are names of parts, folds or "
        f"formats and not of classes; wanted {LAYOUT}{_cure(root, suffixes)}"
    )


def _says_no_class(name: str) -> bool:
    return bool(part_of(name) or FOLD.match(name)) or name.lower() in FORMATS


def _cure(root: Path, suffixes: Sequence[str]) -> str:
    """Return what else may say the class of each file."""
    tables = [p for p in walk(root) if p.suffix.lower() == ".csv" and ".csv" not in suffixes]
    if not tables:  # UrbanSound8K keeps its list beside the recordings
        beside = (root.parent / name for name in ("metadata", "meta"))
        tables = [p for folder in beside if folder.is_dir() for p in sorted(folder.glob("*.csv"))]
    if tables:
        return f"; where {tables[0].name} lists files and labels, set data.source.path: {tables[0]}"
    if names_classes(root, suffixes):
        return f"; where names begin with the class, set data.source.label_pattern: '{FIRST_WORD}'"
    return "; where names say the class, set data.source.label_pattern"


def names_classes(root: Path, suffixes: Sequence[str]) -> bool:
    """Tell whether the names of files begin with a class and a dot: few words, each of many."""
    files = [p.relative_to(root).as_posix() for p in samples_in(root, suffixes)]
    found = [m[1] for name in files if (m := re.search(FIRST_WORD, name))]
    return len(found) == len(files) > 1 and 2 <= len(set(found)) <= len(files) / 3


def samples_in(folder: Path, suffixes: Sequence[str]) -> Iterator[Path]:
    """Yield the files below a folder that are named as samples are."""
    return (p for p in walk(folder) if p.suffix.lower() in suffixes and not p.name.startswith("."))


BOXES = (
    "its labels are boxes, and here a picture has one class: cut the boxes out into class folders, "
    "or export the set as a classification folder"
)


def boxes_in(root: Path) -> str | None:
    """Return the form of a detection export in words; None where it is none."""
    names = set()
    for path in walk(root):
        name = path.name.lower()
        if name.endswith(".coco.json") or re.match(r"instances_.*\.json\Z", name):
            return f"is a detection export in COCO's form ({path.name})"
        if name == "_annotations.csv":
            return f"is a detection export as a table of boxes ({path.name})"
        if path.suffix == ".xml" and b"<bndbox>" in path.read_bytes()[:4096]:
            return f"is a detection export in Pascal VOC's form ({path.name})"
        if path.suffix == ".txt" and "labels" in path.parts and _is_yolo(path):
            return f"is a detection export in YOLO's form ({path.relative_to(root).as_posix()})"
        names.add(name)
    return "is a detection export in YOLO's form (_darknet.labels)" if _DARKNET in names else None


_DARKNET = "_darknet.labels"


def _is_yolo(path: Path) -> bool:
    """Tell whether the first line is a class and four or more numbers."""
    words = path.read_bytes()[:200].split(b"\n")[0].split()
    return len(words) >= 5 and all(re.match(rb"-?[\d.]+(e-?\d+)?\Z", word) for word in words)
