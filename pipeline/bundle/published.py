"""Whether a bundle still stands as it was published; no TensorFlow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import MANIFEST, check_files, read_json
from pipeline.errors import ArtifactError


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


def checked_manifest(bundle: Path) -> dict[str, Any]:
    """Return the manifest of a bundle whose files are those that it describes.

    Args:
        bundle: exported/<name>.

    Raises:
        ArtifactError: it is no bundle, or a file was changed or is missing.
    """
    if not (bundle / MANIFEST).is_file():
        raise ArtifactError(
            f"{bundle}: not a bundle: it has no {MANIFEST}; `make export` makes one"
        )
    manifest: dict[str, Any] = read_json(bundle / MANIFEST)
    check_files(bundle, manifest["files"], "Publish it again: edgeline run CONFIG --force bundle.")
    return manifest
