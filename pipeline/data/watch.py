"""What a source looks like from outside, cheaply: when this changes, `data` runs again.

It reads names, sizes, times and package versions, never contents; no TensorFlow.
"""

import hashlib
import importlib.metadata
import os
from collections.abc import Iterator
from pathlib import Path

from pipeline.config.schema import BundledSource, CsvSource, ImageFolderSource, Section, TfdsSource


def source_state(source: Section, base: Path) -> str | None:
    """Return what samples depend on besides the config: a folder's listing, a package's version.

    A set of TFDS counts by its name and version alone, which TFDS never reuses for other contents.

    Args:
        source: the config's `data.source`.
        base: folder at which relative paths start.
    """
    if isinstance(source, BundledSource):
        return _versions("scikit-learn")
    if isinstance(source, TfdsSource):
        return _versions("tensorflow-datasets")
    if isinstance(source, CsvSource):
        paths = (source.path, source.validation_path, source.test_path)
        stats = [(base / Path(path).expanduser()).stat() for path in paths if path]
        return " ".join(f"{stat.st_size} {stat.st_mtime_ns}" for stat in stats)
    if not isinstance(source, ImageFolderSource):
        return None
    digest = hashlib.sha256(_versions("pillow").encode())
    root = base / Path(source.path).expanduser()
    for path in walk(root):
        stat = path.stat()
        line = f"{path.relative_to(root)}\0{stat.st_size}\0{stat.st_mtime_ns}\n"
        digest.update(os.fsencode(line))
    return digest.hexdigest()


def walk(root: Path) -> Iterator[Path]:
    """Yield every file below a folder, sorted, through linked folders too."""
    for folder, subfolders, names in os.walk(root, followlinks=True):
        subfolders.sort()
        yield from (Path(folder, name) for name in sorted(names) if Path(folder, name).is_file())


def _versions(*names: str) -> str:
    return " ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
