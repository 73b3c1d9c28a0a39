"""Measurements and models of the last run: where they still hold, nothing is made or run again."""

import importlib.metadata
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import JsonValue

from pipeline.artifacts import MANIFEST, check_files, sha256_file, sha256_json
from pipeline.compress.ladder import TUNED, Result
from pipeline.documents.ladder import Cached, Ladder
from pipeline.documents.stages import StageManifest
from pipeline.errors import ArtifactError

log = logging.getLogger(__name__)

# What makes and runs the rungs' files: with another version they are measured anew.
MAKERS = (
    "tensorflow", "keras", "tf-keras", "ai-edge-litert", "ai-edge-quantizer",
    "tensorflow-model-optimization",
)  # fmt: skip
LADDER, WEIGHTS = "ladder.json", "weights.json"
Document = TypeVar("Document", bound=Cached)


def key_of(files: Mapping[str, Path], settings: Mapping[str, Any]) -> str:
    """Return what measurements hold for.

    Args:
        files: name -> file whose bytes decide them.
        settings: name -> plain data that decides them.
    """
    hashes = {name: sha256_file(path) for name, path in files.items()}
    makers = {name: importlib.metadata.version(name) for name in MAKERS}
    return sha256_json({"files": hashes, "settings": settings, "makers": makers})


def load_measurements(
    previous: Path | None, *, key: str, choice: JsonValue
) -> Mapping[str, Result]:
    """Return rung -> measurements of the last run, where they hold and only the choice is another.

    Args:
        previous: the stage's last complete folder, if any.
        key: of this run, by `key_of`.
        choice: the settings of this run that choose among rungs and change no measurement.
    """
    cached = load_cached(previous, Ladder, (LADDER, TUNED), key=key, choice=choice)
    return {} if cached is None else cached.measured


def load_cached(
    previous: Path | None,
    document: type[Document],
    files: Sequence[str],
    *,
    key: str,
    choice: JsonValue,
) -> Document | None:
    """Return a document of the last run where it holds; None where it is made anew.

    The same choice again means that the stage was forced: then it is made anew. Files that are not
    as their manifest says are not used.

    Args:
        previous: the stage's last complete folder, if any.
        document: its type.
        files: its name, and those of the files beside it, where they exist.
        key: of this run: a hash of everything that the document depends on.
        choice: what else this run depends on.
    """
    if previous is None or not (previous / files[0]).exists():
        return None
    try:
        outputs = StageManifest.read(previous / MANIFEST).outputs
        described = {file: outputs[file] for file in files if file in outputs}
        check_files(previous, described, "It is made anew.")
        cached = document.read(previous / files[0])
    except ArtifactError as error:
        log.warning("%s", error)
        return None
    return cached if cached.key == key and cached.choice != choice else None
