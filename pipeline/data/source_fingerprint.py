"""What a source looks like from outside, cheaply: when this changes, `data` runs again.

It reads names, sizes, times and package versions, never contents; no TensorFlow.
"""

import hashlib
import importlib.metadata
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.config.schema import (
    AudioFolderSource,
    BundledSource,
    CsvSource,
    ImageFolderSource,
    NpzSource,
    Section,
    SeriesCsvSource,
    SeriesFolderSource,
    TextSource,
    TfdsSource,
)
from pipeline.data.archives import is_archive
from pipeline.errors import ConfigError


def source_state(source: Section, base: Path) -> str | None:
    """Return what samples depend on besides the config: a folder's listing, a package's version.

    A TFDS set counts only by name and version, which TFDS never reuses for other contents.

    Args:
        source: the config's `data.source`.
        base: folder at which relative paths start.
    """
    if isinstance(source, BundledSource):
        return _versions("scikit-learn")
    if isinstance(source, TfdsSource):
        return _versions("tensorflow-datasets")
    if isinstance(source, CsvSource | TextSource):
        paths = (source.path, source.validation_path, source.test_path)
        return _listing([base / Path(path).expanduser() for path in paths if path], base)
    if isinstance(source, NpzSource):
        return _listing([base / Path(source.path).expanduser()], base)
    if isinstance(source, SeriesCsvSource):
        windows = [base / Path(source.windows_path)] if source.windows_path else []
        series = [path for path, _ in series_parts(source, base).values()]
        return _listing([*series, *windows], base)
    if isinstance(source, ImageFolderSource | AudioFolderSource | SeriesFolderSource):
        root = base / Path(source.path).expanduser()
        reader = "pillow" if isinstance(source, ImageFolderSource) else "numpy"
        if is_archive(root):
            return _versions(reader) + _listing([root], base)
        if root.is_file():
            files = walk(listing_folder(root, source.listing.folder))
            return _versions(reader) + _listing([root, *files], root.parent)
        return _versions(reader) + _listing(walk(root), root)
    return None


def model_state(model: Section, base: Path) -> str | None:
    """Return what a network that comes from a file depends on; None where it comes from none.

    Args:
        model: the config's `model`.
        base: folder at which relative paths start.
    """
    given = getattr(model, "path", None) or getattr(model, "weights", None)
    path = base / Path(given).expanduser() if given else None
    if path is None or not path.exists():
        return None
    root = path if path.is_dir() else path.parent
    return _listing(walk(root) if path.is_dir() else [path], root)


def series_parts(source: SeriesCsvSource, base: Path) -> dict[str, tuple[Path, str]]:
    """Return name -> file and its part; one part alone is not named.

    Raises:
        ConfigError: there is no such file, or one is of two parts.
    """
    if source.validation_path is None and source.test_path is None:
        return {name: (path, "") for name, path in series_files(source.path, base).items()}
    found: dict[str, tuple[Path, str]] = {}
    of: dict[Path, str] = {}
    for part, key in (("train", "path"), ("validation", "validation_path"), ("test", "test_path")):
        pattern = getattr(source, key)
        own = {} if pattern is None else series_files(pattern, base, key)
        for name, path in own.items():
            if of.setdefault(path.resolve(), part) != part:
                other = of[path.resolve()]
                raise ConfigError(f"data.source.{key}: {path} is of the {other} part, too")
            found[f"{part}/{name}"] = (path, part)
    return found


def series_files(pattern: str, base: Path, key: str = "path") -> dict[str, Path]:
    """Return name -> file of a path or a pattern, sorted; names start where the pattern does.

    Args:
        pattern: of files.
        base: folder at which relative paths start.
        key: of data.source, which has the pattern.

    Raises:
        ConfigError: there is no such file.
    """
    path = Path(pattern).expanduser()
    if not any(sign in pattern for sign in "*?["):
        if not (base / path).is_file():
            raise ConfigError(f"data.source.{key}: no such file: {base / path}")
        return {path.name: base / path}
    parts = (base / path).parts
    fixed = next(i for i, part in enumerate(parts) if any(sign in part for sign in "*?["))
    root = Path(*parts[:fixed])
    found = sorted(p for p in root.glob(str(Path(*parts[fixed:]))) if p.is_file())
    if not found:
        raise ConfigError(f"data.source.{key}: no file is called {pattern}; looked in {root}")
    return {p.relative_to(root).as_posix(): p for p in found}


def listing_folder(path: Path, folder: str | None) -> Path:
    """Return the folder of the files that a CSV file lists.

    Args:
        path: the CSV file.
        folder: as `data.source.listing.folder` says it.
    """
    if folder is not None:
        return path.parent / Path(folder).expanduser()
    return path.parent.parent if path.parent.name.lower() in ASIDE else path.parent


ASIDE = ("metadata", "meta", "labels", "annotations", "csv", "splits")


def _listing(paths: Iterable[Path], root: Path) -> str:
    """Return a hash over names, sizes and times of files."""
    digest = hashlib.sha256()
    for path in paths:
        stat = path.stat()
        line = f"{os.path.relpath(path, root)}\0{stat.st_size}\0{stat.st_mtime_ns}\n"
        digest.update(os.fsencode(line))
    return digest.hexdigest()


def walk(root: Path) -> Iterator[Path]:
    """Yield every file below a folder, sorted, through linked folders too, each of them once."""
    entered: set[str] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in entered:  # a link back up, or a second one
            subfolders.clear()
            continue
        entered.add(real)
        subfolders.sort()
        yield from (Path(folder, name) for name in sorted(names) if Path(folder, name).is_file())


def _versions(*names: str) -> str:
    return " ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
