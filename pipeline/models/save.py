"""Write `.keras` files whose bytes depend only on the model, and read them in safe mode.

Keras stamps the date into a `.keras` archive, lets zip stamp its entries, and tells shared objects
apart by their address in memory; dates are taken out, and addresses become running numbers.
"""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

from pipeline.arrays import Model
from pipeline.artifacts import atomic_path
from pipeline.errors import ArtifactError

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip entry can carry
START = "start.keras"  # beside a spec: the weights that training starts from, where they are given
SHARED_ID = re.compile(r'"shared_object_id": (\d+)')


def save_keras(model: Model, path: Path) -> None:
    """Save a Keras 3 model, whole or not at all, with no date in it."""
    with atomic_path(path) as temporary:
        dated = temporary.with_suffix(".dated.keras")
        try:
            model.save(dated, include_optimizer=False)
            _normalize(dated, temporary)
        finally:
            dated.unlink(missing_ok=True)


def _normalize(source: Path, target: Path) -> None:
    """Copy a `.keras` archive, entries in order of name, dates removed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for name in sorted(old.namelist()):
            content = old.read(name)
            if name == "metadata.json":
                metadata = json.loads(content)
                metadata.pop("date_saved", None)
                content = json.dumps(metadata, sort_keys=True).encode()
            elif name == "config.json":
                content = _renumber(content.decode()).encode()
            new.writestr(zipfile.ZipInfo(name, EPOCH), content)


def _renumber(config: str) -> str:
    """Replace each shared object's id by its rank in order of appearance."""
    ids = list(dict.fromkeys(SHARED_ID.findall(config)))
    ranks = {identity: str(rank) for rank, identity in enumerate(ids, 1)}
    return SHARED_ID.sub(lambda found: f'"shared_object_id": {ranks[found[1]]}', config)


def load_keras(path: Path) -> Any:
    """Load a Keras 3 model; nothing stored in the file is executed.

    Raises:
        ArtifactError: the file is no readable `.keras` archive, or asks to run code.
    """
    import keras

    if path.is_file() and not zipfile.is_zipfile(path):
        raise ArtifactError(f"{path}: no .keras file, or cut short: it is no whole archive")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a damaged description makes Keras raise whatever there is
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if "Lambda" in reason:
            reason = "a Lambda layer holds Python code, which is not run; write it as layers"
        raise ArtifactError(
            f"{path}: not a .keras file that can be loaded safely: {reason}"
        ) from error


def give_start(model: Model, spec_folder: Path) -> None:
    """Give a model the weights that stand beside its spec; without them nothing changes."""
    path = spec_folder / START
    if path.exists():
        model.set_weights(load_keras(path).get_weights())
