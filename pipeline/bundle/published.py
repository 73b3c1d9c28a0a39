"""Whether a bundle still stands as it was published; no TensorFlow."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.artifacts import MANIFEST, SCHEMA, FileHash, check_files, read_json
from pipeline.documents.stages import Published
from pipeline.errors import ArtifactError

KEYS = {"files", "models", "ships"}


def is_published(record: Published, bundle: Path) -> bool:
    """Tell whether every file that was published is still there, unchanged.

    Args:
        record: what was published.
        bundle: exported/<name>.

    Raises:
        ArtifactError: a file was changed; missing files only mean that it is to be published again.
    """
    if not all((bundle / name).is_file() for name in record.files):
        return False
    check_files(bundle, record.files, "Run again with --force bundle.")
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
    _check_form(manifest, bundle)
    described = {name: FileHash(**entry) for name, entry in manifest["files"].items()}
    check_files(bundle, described, "Publish it again: edgeline run CONFIG --force bundle.")
    return manifest


def shipped_model(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest's row of the file that ships."""
    return dict(next(row for row in manifest["models"] if row["format"] == manifest["ships"]))


def _check_form(manifest: Any, bundle: Path) -> None:
    """Refuse the manifest of another version, and one that names files beyond the bundle.

    Raises:
        ArtifactError: it is such a one.
    """
    path = bundle / MANIFEST
    is_mapping = isinstance(manifest, dict)
    if not is_mapping or manifest.get("schema") != SCHEMA or not manifest.keys() >= KEYS:
        came = manifest.get("schema") if is_mapping else "no mapping"
        raise ArtifactError(
            f"{path}: not of this version (schema {came}; wanted {SCHEMA} with "
            f"{', '.join(sorted(KEYS))}); publish it again: edgeline run CONFIG"
        )
    names = [*manifest["files"], *(model["file"] for model in manifest["models"])]
    beyond = [name for name in names if not _is_inside(name)]
    strange = {model["file"] for model in manifest["models"]} - set(manifest["files"])
    if beyond or strange:
        named = ", ".join(beyond or sorted(strange))
        raise ArtifactError(f"{path}: {named}: no file of this bundle; do not use it")


def _is_inside(name: str) -> bool:
    """Tell whether a relative path stays in its folder."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return bool(parts) and ".." not in parts and not parts[0].startswith("/") and ":" not in name
