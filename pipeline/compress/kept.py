"""Measurements of the last run's rungs: where they still hold, nothing is converted or run."""

import importlib.metadata
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import MANIFEST, check_files, read_json, sha256_file, sha256_json
from pipeline.compress.ladder import TUNED
from pipeline.errors import ArtifactError

log = logging.getLogger(__name__)

# What makes and runs the rungs' files: with another version they are measured anew.
MAKERS = ("tensorflow", "keras", "tf-keras", "ai-edge-litert", "ai-edge-quantizer")
LADDER = "ladder.json"


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

    The same choice again means that the stage was forced: then everything is measured. A file that
    is not as its manifest says is not used.

    Args:
        previous: the stage's last complete folder, if any.
        key: of this run, by `key_of`.
        choice: the settings of this run that choose among rungs and change no measurement.
    """
    if previous is None or not (previous / LADDER).exists():
        return {}
    try:
        outputs = read_json(previous / MANIFEST)["outputs"]
        described = {name: outputs[name] for name in (LADDER, TUNED) if name in outputs}
        check_files(previous, described, "Its rungs are measured anew.")
    except ArtifactError as error:
        log.warning("%s", error)
        return {}
    found = read_json(previous / LADDER)
    if found["key"] != key or found.get("choice") == choice:
        return {}
    return dict(found["measured"])
