"""Whether a stage's folder holds what is wanted: the result of a recipe, or one to look at."""

from pathlib import Path

from pipeline.artifacts import MANIFEST, SCHEMA, check_files, read_json
from pipeline.errors import ArtifactError


def is_fresh(folder: Path, key: str) -> bool:
    """Tell whether a folder holds the result of this very recipe; its bytes are checked.

    Raises:
        ArtifactError: it does, and a file was changed since.
    """
    if not (folder / MANIFEST).exists():
        return False
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("key") != key:  # older versions' too
        return False
    if not all((folder / name).exists() for name in manifest["outputs"]):
        return False
    check_files(folder, manifest["outputs"], f"Run again with --force {folder.name}.")
    return True


def is_usable(folder: Path, code: str) -> bool:
    """Tell whether a stage may look at its last result: whole, and written by the same code."""
    try:
        manifest = read_json(folder / MANIFEST)
        if (manifest["schema"], manifest["code"]) != (SCHEMA, code):
            return False
        check_files(folder, manifest["outputs"], "It is not used.")
    except (ArtifactError, KeyError, TypeError):
        return False
    return True
