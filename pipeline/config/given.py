"""A config for a model that was trained elsewhere: the data's own, and nothing is trained."""

import json
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.config.label_files import find_labels, read_labels
from pipeline.config.load import has_section, load
from pipeline.errors import ConfigError
from pipeline.tasks import TASKS

log = logging.getLogger(__name__)

SUFFIXES = (".keras", ".h5", ".hdf5", ".tflite")
WANTED = "wanted a .keras, .h5 or float .tflite file, or the folder of a SavedModel"
UNTRAINED = {
    "epochs": 0,
    "distill": None,
    "pretrain": None,
    "freeze": None,
    "range_test": False,
    "learning_curve": False,
}


def as_given(path: Path, model: Path, overrides: Sequence[str]) -> list[str]:
    """Return the `--set`s that put a model in the place of a config's own, and train nothing.

    Args:
        path: the config file, whose data, formats, targets and gates count; where its model is a
            file, `scale` and `offset` of it, too. It needs no model.
        model: a .keras, .h5 or float .tflite file, or the folder of a SavedModel.
        overrides: `--set`s for the config file.

    Raises:
        ConfigError: there is no such model, or it is of another kind; or the config is wrong.
    """
    if not model.exists():
        raise ConfigError(f"{model}: no such file or folder; {WANTED}")
    if model.is_file() and model.suffix not in SUFFIXES:
        raise ConfigError(f"{model}: {WANTED}")
    settings: dict[str, Any] = {"kind": "file", "path": os.path.relpath(model, path.parent)}
    in_place = [] if has_section(path, "model") else [f"model={json.dumps(settings)}"]
    config = load(path, [*in_place, *overrides])
    if config.model.kind == "file":
        kept = ("scale", "offset", "input_range")
        settings |= {name: getattr(config.model, name) for name in kept}
    name = re.sub(r"[^a-z0-9_\-]+", "_", f"{config.name}_{model.stem}".lower())[:64]
    train = {"schedule": {"kind": "constant"}} | UNTRAINED
    chosen: dict[str, Any] = {
        "model": settings,
        "tune": None,
        "harden": None,
        "name": name,
        "train": train,
    }
    source = config.data.source
    labels = find_labels(model) if TASKS[config.task].learns_classes else None
    if labels is not None and source.class_names is None and source.labels_path is None:
        chosen["data.source.class_names"] = read_labels(labels)
        log.info("classes in the order of %s", labels)
    return [f"{key}={json.dumps(value)}" for key, value in chosen.items()]
