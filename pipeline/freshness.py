"""Whether a stage's folder holds what is wanted: the result of a recipe, or one to look at."""

from pathlib import Path

from pipeline.artifacts import MANIFEST, check_files
from pipeline.documents.stages import StageManifest
from pipeline.errors import ArtifactError


def is_fresh(folder: Path, key: str) -> bool:
    """Tell whether a folder holds the result of this very recipe; its bytes are checked.

    Raises:
        ArtifactError: it does, and a file was changed since.
    """
    manifest = read_manifest(folder)
    if manifest is None or manifest.key != key:
        return False
    if not all((folder / name).exists() for name in manifest.outputs):
        return False
    check_files(folder, manifest.outputs, f"Run again with --force {folder.name}.")
    return True


def is_usable(folder: Path, code: str) -> bool:
    """Tell whether a stage may look at its last result: whole, and written by the same code."""
    manifest = read_manifest(folder)
    if manifest is None or manifest.code != code:
        return False
    try:
        check_files(folder, manifest.outputs, "It is not used.")
    except ArtifactError:
        return False
    return True


def read_manifest(folder: Path) -> StageManifest | None:
    """Return the manifest of a complete stage; None: there is none, or another version's."""
    try:
        return StageManifest.read(folder / MANIFEST)
    except ArtifactError:
        return None
