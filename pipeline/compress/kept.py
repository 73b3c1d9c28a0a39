"""What the last run made and measured: where it still holds, nothing is made or run again."""

import importlib.metadata
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.artifacts import MANIFEST, check_files, read_json, sha256_file, sha256_json
from pipeline.compress.ladder import TUNED
from pipeline.documents.stages import StageManifest
from pipeline.errors import ArtifactError

log = logging.getLogger(__name__)

# What makes and runs the rungs' files: with another version they are measured anew.
MAKERS = (
    "tensorflow", "keras", "tf-keras", "ai-edge-litert", "ai-edge-quantizer",
    "tensorflow-model-optimization",
)  # fmt: skip
LADDER, WEIGHTS = "ladder.json", "weights.json"


def key_of(files: Mapping[str, Path], settings: Mapping[str, Any]) -> str:
    """Return what measurements hold for.

    Args:
        files: name -> file whose bytes decide them.
        settings: name -> plain data that decides them.
    """
    hashes = {name: sha256_file(path) for name, path in files.items()}
    makers = {name: importlib.metadata.version(name) for name in MAKERS}
    return sha256_json({"files": hashes, "settings": settings, "makers": makers})


def kept_measurements(previous: Path | None, *, key: str, choice: Any) -> dict[str, dict[str, Any]]:
    """Return step -> measurements of the last run, where they hold and only the choice is another.

    Args:
        previous: the stage's last complete folder, if any.
        key: of this run, by `key_of`.
        choice: the settings of this run that choose among rungs and change no measurement.
    """
    found = kept_document(previous, LADDER, (LADDER, TUNED), key=key, choice=choice)
    return {} if found is None else dict(found["measured"])


def kept_document(
    previous: Path | None, name: str, files: Sequence[str], *, key: str, choice: Any
) -> dict[str, Any] | None:
    """Return a JSON document of the last run where it holds; None where it is made anew.

    The same choice again means that the stage was forced: then it is made anew. Files that are not
    as their manifest says are not used.

    Args:
        previous: the stage's last complete folder, if any.
        name: of the document, which holds the `key` and the `choice` that it was made under.
        files: what is used with it, where it is there.
        key: of this run: what the document depends on.
        choice: what else this run depends on.
    """
    if previous is None or not (previous / name).exists():
        return None
    try:
        outputs = StageManifest.read(previous / MANIFEST).outputs
        described = {file: outputs[file] for file in files if file in outputs}
        check_files(previous, described, "It is made anew.")
        found = read_json(previous / name)
    except ArtifactError as error:
        log.warning("%s", error)
        return None
    if found["key"] != key or found.get("choice") == choice:
        return None
    return dict(found)
