"""Messages between workers, as JSON: data and names, nothing to execute.

Functions and records of this package go by name. A dataset goes by its folder, which all workers
share, and what was replaced since it was opened; a Keras model as the bytes of its `.keras` file.
"""

import base64
import dataclasses
import importlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from types import FunctionType
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from pydantic import BaseModel

from pipeline.arrays import Model, Tensor
from pipeline.data.dataset import Dataset, changes_since_opened, reopen_dataset
from pipeline.models.save import load_keras, save_keras

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PACKAGE = "pipeline."


def encode_value(value: object) -> bytes:
    """Return a value as text that another worker can read.

    Raises:
        TypeError: the value has no form in JSON.
    """
    return json.dumps(_plain(value)).encode()


def decode_value(body: bytes) -> Any:
    """Return what `encoded` was given.

    Raises:
        ValueError: it names something that is not of this package.
    """
    return _value(json.loads(body))


def _plain(value: object) -> Any:
    """Return a value as JSON has it; what JSON has not is {"kind": …, "value": …}."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list):
        return [_plain(part) for part in value]
    for kind, (types, written, _) in FORMS.items():
        if isinstance(value, types) or (kind == "record" and dataclasses.is_dataclass(value)):
            return {"kind": kind, "value": written(value)}
    raise TypeError(f"workers cannot be sent a {type(value).__name__}")


def _value(plain: object) -> Any:
    if isinstance(plain, list):
        return [_value(part) for part in plain]
    if isinstance(plain, dict):
        return FORMS[plain["kind"]][2](plain["value"])
    return plain


def _name(value: type | FunctionType) -> str:
    return f"{value.__module__}:{value.__qualname__}"


def _named(name: str) -> Any:
    """Return what a module of this package holds under a name."""
    module, _, own = name.partition(":")
    if not module.startswith(PACKAGE) or "." in own:
        raise ValueError(f"{name}: wanted a name of {PACKAGE}*")
    return getattr(importlib.import_module(module), own)


def _array(values: Tensor) -> dict[str, Any]:
    found = np.ascontiguousarray(values)
    data = base64.b64encode(found.tobytes()).decode()
    return {"dtype": found.dtype.str, "shape": list(np.shape(values)), "data": data}


def _array_of(plain: Mapping[str, Any]) -> Any:
    data = base64.b64decode(plain["data"])
    return np.frombuffer(data, np.dtype(plain["dtype"])).reshape(plain["shape"]).copy()


def _dataset(dataset: Dataset) -> list[Any]:
    return [_plain(part) for part in (dataset.folder.resolve(), *changes_since_opened(dataset))]


def _record(record: "DataclassInstance") -> list[Any]:
    fields = {f.name: _plain(getattr(record, f.name)) for f in dataclasses.fields(record)}
    return [_name(type(record)), fields]


def _record_of(plain: list[Any]) -> Any:
    name, fields = plain
    return _named(name)(**{key: _value(part) for key, part in fields.items()})


def _model(model: Model) -> str:
    with tempfile.TemporaryDirectory() as folder:
        save_keras(model, Path(folder) / "model.keras")
        return base64.b64encode((Path(folder) / "model.keras").read_bytes()).decode()


def _model_of(plain: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.keras").write_bytes(base64.b64decode(plain))
        return load_keras(Path(folder) / "model.keras")


Form = tuple[tuple[type, ...], Callable[[Any], Any], Callable[[Any], Any]]
FORMS: dict[str, Form] = {  # kind -> types, how one is written, how it is read
    "tuple": ((tuple,), lambda v: [_plain(x) for x in v], lambda p: tuple(map(_value, p))),
    "dict": (
        (Mapping,),
        lambda v: [[_plain(key), _plain(x)] for key, x in v.items()],
        lambda p: {_value(key): _value(x) for key, x in p},
    ),
    "path": ((PurePath,), str, Path),
    "array": ((np.ndarray,), _array, _array_of),
    "number": ((np.generic,), _array, lambda p: _array_of(p)[()]),
    "dataset": ((Dataset,), _dataset, lambda p: reopen_dataset(*map(_value, p))),
    "section": (
        (BaseModel,),
        lambda v: [_name(type(v)), v.model_dump_json()],
        lambda p: _named(p[0]).model_validate_json(p[1]),
    ),
    "function": ((FunctionType,), _name, _named),
    "model": ((keras.Model,), _model, _model_of),
    "record": ((), _record, _record_of),
}
