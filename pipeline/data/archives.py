"""A folder inside a .zip or .tar file: unpacked once a process, removed when the process ends."""

import atexit
import shutil
import tarfile
import tempfile
import zipfile
from functools import lru_cache
from pathlib import Path

from pipeline.errors import ConfigError

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
FREE = 0.8  # share of the free space that the files of an archive may take


def is_archive(path: Path) -> bool:
    """Tell whether a file is named as an archive of a folder."""
    return path.name.lower().endswith(ARCHIVES) and path.is_file()


def folder_in(path: Path) -> Path:
    """Return the path itself, or the folder that an archive was unpacked to.

    Raises:
        ConfigError: the archive is broken, encrypted or larger than the free space.
    """
    return _unpacked(path, path.stat().st_mtime_ns) if is_archive(path) else path


@lru_cache(maxsize=8)
def _unpacked(path: Path, changed: int) -> Path:
    """Return the folder with the files of an archive."""
    folder = Path(tempfile.mkdtemp(prefix="edgeline-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        size, free = _size(path), shutil.disk_usage(folder).free
        if size > FREE * free:
            raise ConfigError(
                f"{path}: holds {size:,} bytes and {folder.parent} has {free:,} free; unpack it "
                "where there is room, and name the folder"
            )
        extra = {} if path.suffix.lower() == ".zip" else {"filter": "data"}
        shutil.unpack_archive(path, folder, **extra)  # type: ignore[arg-type]
    except (OSError, EOFError, RuntimeError, ValueError, *BROKEN) as error:
        raise ConfigError(f"{path}: cannot be unpacked: {error}") from error
    return folder


BROKEN = (shutil.ReadError, tarfile.TarError, zipfile.BadZipFile, NotImplementedError)


def _size(path: Path) -> int:
    """Return the bytes of all files in an archive."""
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as file:
            return sum(entry.file_size for entry in file.infolist())
    with tarfile.open(path) as archive:
        return sum(entry.size for entry in archive)
