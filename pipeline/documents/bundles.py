"""Whether a bundle still stands as it was published; no TensorFlow."""

from pathlib import Path, PurePosixPath

from pipeline.artifacts import MANIFEST, check_files
from pipeline.documents.manifest import Manifest
from pipeline.documents.preprocess import Preprocess
from pipeline.documents.stages import Published
from pipeline.errors import ArtifactError

NEEDED = ("preprocess.json", "golden.npz")  # of whoever runs a model, besides the model


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


def read_bundle(bundle: Path, copy: Path | None = None) -> Manifest:
    """Return the manifest of a bundle whose files are those that it describes.

    Args:
        bundle: exported/<name>.
        copy: an empty folder for what runs a model: the manifest, preprocess.json, golden.npz and
            the .tflite files, by the very bytes that were hashed; None: nothing is copied.

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
    strange |= set(NEEDED) - set(manifest.files)
    if beyond or strange:
        named = ", ".join(beyond or sorted(strange))
        raise ArtifactError(f"{path}: {named}: no file of this bundle; do not use it")
    copies = {}
    if copy is not None:
        wanted = [*NEEDED, *(model.file for model in manifest.models)]
        copies = {name: copy / name for name in wanted}
        manifest.write(copy / MANIFEST)
    cure = "Publish it again: edgeline run CONFIG --force bundle."
    check_files(bundle, manifest.files, cure, copies=copies)
    _check_sense(manifest, path, Preprocess.read((copy or bundle) / NEEDED[0]))
    return manifest


def _check_sense(manifest: Manifest, path: Path, preprocess: Preprocess) -> None:
    """Refuse a manifest whose parts contradict each other.

    Raises:
        ArtifactError: it ships a format that it does not hold, or preprocess.json is another's.
    """
    problems = []
    formats = [model.format for model in manifest.models]
    if manifest.ships not in formats or len(set(formats)) < len(formats):
        listed = ", ".join(formats) or "none"
        problems.append(f"ships: {manifest.ships} is not one of the formats {listed}")
    if preprocess.labels is not None and len(set(preprocess.labels)) < 2:
        problems.append("labels: wanted two or more different ones")
    if not preprocess.inputs:
        problems.append("inputs: there are none")
    if problems:
        raise ArtifactError(f"{path}: {'; '.join(problems)}; do not use it")


def _is_inside(name: str) -> bool:
    """Tell whether a relative path stays in its folder."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return bool(parts) and ".." not in parts and not parts[0].startswith("/") and ":" not in name
