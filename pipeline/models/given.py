"""Read a model that was trained elsewhere; nothing stored in the file is executed.

All are read in the process that converts, where a damaged file does no harm: `.keras` and `.h5` by
the Keras that wrote them; a SavedModel of Keras 2 by tf_keras, its layers from the metadata, its
weights from the checkpoint; a float `.tflite` operation by operation (tflite/).
"""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Model
from pipeline.errors import (
    ArtifactError,
    ConfigError,
    ConversionError,
    PipelineError,
    ShortageError,
)
from pipeline.models.keras_2 import keras_3_copy, refuse_operations
from pipeline.models.save import load_keras, save_keras
from pipeline.models.tflite.read import read_tflite

LIMIT_S = 120.0  # of processor time for a file; damaged HDF5 can keep its reader busy for ever
METADATA = "keras_metadata.pb"  # of a SavedModel: its layers
CODE = ("Lambda", "__lambda__", "lambda", "function_type")  # layers and functions that hold code
NETWORKS = ("_tf_keras_network", "_tf_keras_sequential")


def read_model(path: Path, work: Path) -> Any:
    """Return a Keras 3 model.

    Args:
        path: a `.keras`, `.h5` or float `.tflite` file, or the folder of a SavedModel.
        work: folder for a form that lies between.

    Raises:
        ConfigError: there is none, or it would have to execute what is stored in it.
    """
    from pipeline.worker.client import CONVERTER, LAST_WORDS, request

    work.mkdir(parents=True, exist_ok=True)
    whole = work / "given.keras"
    try:
        request("start_up")  # whose time is not the file's
        request("read_model_file", path=str(path), out=str(whole), limit_s=LIMIT_S)
        return _finite(load_keras(whole), path)
    except ConfigError:
        raise
    except ArtifactError as error:
        raise ConfigError(f"model.path: {error}") from error
    except ShortageError:
        raise
    except ConversionError as error:  # its reader crashed over it
        raise ConfigError(f"model.path: {path}: cannot be read: it is damaged") from error
    except PipelineError as error:  # its reader came to no end, or was killed
        how = str(error).splitlines()[0].removeprefix(CONVERTER).removesuffix(LAST_WORDS)
        raise ConfigError(f"model.path: {path}: cannot be read: its reader{how}") from error


def _finite(model: Model, path: Path) -> Any:
    """Return a model whose weights are numbers.

    Raises:
        ConfigError: some are not; the first such layer is named.
    """
    for layer in model.layers:
        real = [w for w in layer.get_weights() if w.dtype.kind == "f"]
        wrong = sum(int((~np.isfinite(w)).sum()) for w in real)
        if wrong:
            raise ConfigError(
                f"model.path: {path}: layer {layer.name} holds {wrong} weights that are NaN or "
                "infinite: its training diverged, or the file is damaged"
            )
    return model


def start_up() -> None:
    """Import what reads models. Runs in the process that converts."""
    import keras

    assert keras.backend.backend() == "tensorflow"  # which is imported with it


def read_model_file(path: str, out: str) -> None:
    """Write the model of a file anew, as `.keras`. Runs in the process that converts.

    Args:
        path: a file from outside: the libraries that read it may crash over it, or never end.
        out: path of the `.keras` file to write.

    Raises:
        ArtifactError, ConfigError: there is no model in it, or it holds code.
    """
    file = Path(path)
    read = _from_saved_model if file.is_dir() else READERS.get(file.suffix, _from_archive)
    save_keras(read(file), Path(out))


def _from_h5(path: Path) -> Any:
    """Return the model of an HDF5 file.

    Raises:
        ConfigError: it holds only weights, or code.
    """
    import h5py
    import keras

    try:
        with h5py.File(path) as file:
            described = file.attrs.get("model_config")
            version = file.attrs.get("keras_version", "2.0")
    except Exception as error:  # a damaged file makes h5py raise whatever there is
        raise ConfigError(f"model.path: {path}: no HDF5 file: {error}") from error
    if described is None:
        raise ConfigError(
            f"model.path: {path}: weights without layers; wanted a whole model, of model.save"
        )
    text = described.decode(errors="replace") if isinstance(described, bytes) else str(described)
    refuse_code(text, path)
    if _is_keras_2(version):
        refuse_operations(text, path)
        return _load_keras_2(path)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # as above
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"model.path: {path}: Keras cannot read it: {reason}") from error


def _from_archive(path: Path) -> Any:
    """Return the model of a `.keras` file, of whichever Keras wrote it.

    Raises:
        ArtifactError, ConfigError: it is damaged, or holds code.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            version = json.loads(archive.read("metadata.json")).get("keras_version", "")
            text = archive.read("config.json").decode()
    except Exception:  # damaged: Keras says what is wrong
        return load_keras(path)
    if not _is_keras_2(version):
        return load_keras(path)
    refuse_code(text, path)
    refuse_operations(text, path)
    return _load_keras_2(path)


def _is_keras_2(version: Any) -> bool:
    """Tell whether a version as a file holds it is of Keras 2; the oldest files hold none."""
    text = version.decode(errors="replace") if isinstance(version, bytes) else str(version)
    return text.startswith(("1.", "2."))


def _load_keras_2(path: Path) -> Any:
    """Return a file's model by tf_keras, as a model of Keras 3."""
    import tf_keras

    try:
        model = tf_keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a damaged file makes its reader raise whatever there is
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"model.path: {path}: Keras 2 cannot read it: {reason}") from error
    return keras_3_copy(model, path)


def refuse_code(described: str, path: Path) -> None:
    """Refuse a description of layers that holds a Python function.

    Raises:
        ConfigError: it does.
    """
    try:
        plain = json.dumps(
            json.loads(described), ensure_ascii=False
        )  # no letter is spelt by number
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"model.path: {path}: its layers are no JSON: {error}") from error
    if any(f'"{word}"' in plain for word in CODE):
        raise ConfigError(
            f"model.path: {path}: a Lambda layer holds Python code, which is not run; write it as "
            "layers of Keras"
        )


def _from_saved_model(path: Path) -> Any:
    """Return the model of a SavedModel of Keras 2: its layers from the metadata.

    Raises:
        ConfigError: it is no Functional or Sequential model, or holds code.
    """
    import tf_keras
    from tf_keras.protobuf import saved_metadata_pb2
    from tf_keras.src.saving.legacy.saved_model import json_utils

    if not (path / METADATA).exists():
        raise ConfigError(
            f"model.path: {path}: no SavedModel of Keras 2 (there is no {METADATA}); a graph "
            "without layers cannot be trained. Wanted a .keras file"
        )
    metadata = saved_metadata_pb2.SavedMetadata()
    metadata.ParseFromString((path / METADATA).read_bytes())
    root = next((node for node in metadata.nodes if node.node_path == "root"), None)
    if root is None or root.identifier not in NETWORKS:
        raise ConfigError(f"model.path: {path}: no Functional or Sequential model")
    refuse_code(root.metadata, path)
    refuse_operations(root.metadata, path)
    kind = tf_keras.Sequential if root.identifier == NETWORKS[1] else tf_keras.Model
    model = kind.from_config(json_utils.decode(root.metadata)["config"])
    status = model.load_weights(path / "variables" / "variables")
    status.expect_partial().assert_existing_objects_matched()
    for layer in model._flatten_layers():
        layer.finalize_state()
    return keras_3_copy(model, path)


READERS: dict[str, Callable[[Path], Any]] = {
    ".h5": _from_h5,
    ".hdf5": _from_h5,
    ".tflite": read_tflite,
}
