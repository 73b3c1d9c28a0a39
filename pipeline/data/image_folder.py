"""Images in class subfolders, or in train / validation / test folders of class subfolders.

One image is in memory at a time. What is not an image is left out and reported.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config.schema import ImageFolderSource
from pipeline.data.images import SUFFIXES, UNREADABLE, read_image
from pipeline.data.shards import Chunk
from pipeline.data.sources import Source
from pipeline.errors import ConfigError

PARTS = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}
SHOWN = 5  # names of files that a finding spells out


def open_image_folder(source: ImageFolderSource, base: Path) -> Source:
    """List the folder; images are decoded when the chunks are asked for."""
    root = base / source.path
    if not root.is_dir():
        raise ConfigError(
            f"data.source.path: {root} is not a folder; paths are relative to the config file"
        )
    folders = _class_folders(root)
    names = sorted({folder.name for folder, _ in folders})
    if len(names) < 2:
        raise ConfigError(
            f"data.source.path: {root} holds {len(names)} class folders; "
            "wanted: one subfolder a class, or train / validation / test folders of them"
        )
    left_out = sorted(p for p in root.iterdir() if p.is_file() and not p.name.startswith("."))
    files: list[tuple[Path, str, str | None]] = []
    empty = []
    for folder, part in folders:
        images = sorted(
            p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES
        )
        others = sorted(
            p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() not in SUFFIXES
        )
        left_out += [p for p in others if not p.name.startswith(".")]
        files += [(image, folder.name, part) for image in images]
        empty += [] if images else [folder]
    if empty:
        shown = ", ".join(str(folder.relative_to(root)) for folder in empty)
        raise ConfigError(
            f"data.source.path: {root}: no image in {shown}; add some, or remove the folder"
        )
    findings = _finding("other_files", "are not images and were left out", left_out, root)
    return Source(
        {"image": "image"},
        tuple(names),
        lambda: _read(files, names, source, root, findings),
        findings=findings,
    )


def _class_folders(root: Path) -> list[tuple[Path, str | None]]:
    """Return (class folder, part) in order; the part is None where there are no part folders."""
    subfolders = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    if subfolders and all(p.name.lower() in PARTS for p in subfolders):
        return [
            (folder, PARTS[part.name.lower()])
            for part in subfolders
            for folder in sorted(
                p for p in part.iterdir() if p.is_dir() and not p.name.startswith(".")
            )
        ]
    return [(folder, None) for folder in subfolders]


def _read(
    files: list[tuple[Path, str, str | None]],
    names: list[str],
    source: ImageFolderSource,
    root: Path,
    findings: list[dict[str, Any]],
) -> Iterator[Chunk]:
    """Yield one image after the other; report the unreadable ones at the end."""
    broken = []
    for path, name, part in files:
        try:
            pixels = read_image(path, height=source.height, width=source.width, color=source.color)
        except UNREADABLE:
            broken.append(path)
            continue
        label = np.array([names.index(name)], np.int64)
        yield Chunk({"image": pixels[None]}, label, [path.relative_to(root).as_posix()], part)
    findings += _finding(
        "unreadable_images", "could not be decoded and were left out", broken, root
    )


def _finding(code: str, what: str, paths: list[Path], root: Path) -> list[dict[str, Any]]:
    """Return a finding that counts files and names the first few; none for no file."""
    if not paths:
        return []
    shown = ", ".join(str(path.relative_to(root)) for path in paths[:SHOWN])
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    level = "warning" if code == "unreadable_images" else "info"
    return [
        {
            "level": level,
            "code": code,
            "text": f"{len(paths)} files {what}: {shown}{more}.",
            "count": len(paths),
        }
    ]
