"""Whether a bundle still stands as it was published; no TensorFlow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import check_files


def is_published(record: Mapping[str, Any], bundle: Path) -> bool:
    """Tell whether every file that was published is still there, unchanged.

    Args:
        record: contents of bundle.json.
        bundle: exported/<name>.

    Raises:
        ArtifactError: a file was changed; missing files only mean that it is to be published again.
    """
    if not all((bundle / name).is_file() for name in record["files"]):
        return False
    check_files(bundle, record["files"], "Run again with --force bundle.")
    return True
