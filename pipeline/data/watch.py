"""What a source looks like from outside, cheaply: when this changes, `data` runs again.

It reads names, sizes and times, never contents; no TensorFlow.
"""

import hashlib
import os
from pathlib import Path

from pipeline.config.schema import ImageFolderSource, Section


def source_state(source: Section, base: Path) -> str | None:
    """Return a digest of a folder's listing; None for sources that do not lie in the user's files.

    Args:
        source: the config's `data.source`.
        base: folder at which relative paths start.
    """
    if not isinstance(source, ImageFolderSource):
        return None
    digest = hashlib.sha256()
    for folder, subfolders, names in os.walk(base / source.path):
        subfolders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            stat = path.stat()
            digest.update(
                f"{path.relative_to(base / source.path)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode()
            )
    return digest.hexdigest()
