"""Whether a bundle still stands as it was published; no TensorFlow."""

from pathlib import Path, PurePosixPath

from pipeline.artifacts import MANIFEST, check_files
from pipeline.documents.manifest import Manifest
from pipeline.documents.stages import Published
from pipeline.errors import ArtifactError


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


def read_bundle(bundle: Path) -> Manifest:
    """Return the manifest of a bundle whose files are those that it describes.

    Args:
        bundle: exported/<name>.

    Raises:
        ArtifactError: it is no bundle, or another version's, or a file was changed or is missing.
    """
    path = bundle / MANIFEST
    if not path.is_file():
        raise ArtifactError(
            f"{bundle}: not a bundle: it has no {MANIFEST}; `make export` makes one"
        )
    manifest = Manifest.read(path)
    names = [*manifest.files, *(model.file for model in manifest.models)]
    beyond = [name for name in names if not _is_inside(name)]
    strange = {model.file for model in manifest.models} - set(manifest.files)
    if beyond or strange:
        named = ", ".join(beyond or sorted(strange))
        raise ArtifactError(f"{path}: {named}: no file of this bundle; do not use it")
    check_files(bundle, manifest.files, "Publish it again: edgeline run CONFIG --force bundle.")
    return manifest


def _is_inside(name: str) -> bool:
    """Tell whether a relative path stays in its folder."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return bool(parts) and ".." not in parts and not parts[0].startswith("/") and ":" not in name
