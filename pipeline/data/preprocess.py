"""The one path from raw sample to model input: x = (raw - offset) * scale, fitted on train.

This is the TensorFlow form, for training; device/runner.py has the NumPy form that ships. Both read
the same preprocess.json, and `verify` runs the shipped one, so what is tested is what ships.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.artifacts import SCHEMA
from pipeline.data.dataset import Shards

Array = np.ndarray[Any, np.dtype[Any]]

IMAGE_SCALE = 1 / 255  # uint8 to [0, 1]: the range in which attacks and epsilon are stated
READ = 4096  # samples read at once while a table is measured


def fit_image(name: str, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
    """Return how an image becomes a model input in [0, 1]."""
    return {
        "name": name,
        "kind": "image",
        "shape": list(shape),
        "raw_dtype": dtype,
        "offset": 0.0,
        "scale": IMAGE_SCALE,
        "color": "gray" if shape[-1] == 1 else "rgb",
        "columns": None,
    }


def fit_table(
    name: str, shards: Shards, train: Array, columns: list[str], dtype: str
) -> dict[str, Any]:
    """Return how a table's row becomes a model input: mean 0 and deviation 1 over train.

    A constant column keeps scale 1: it becomes zero.
    """
    total = np.zeros(shards.shape, np.float64)
    squares = np.zeros(shards.shape, np.float64)
    for start in range(0, len(train), READ):
        rows = shards.take(train[start : start + READ]).astype(np.float64)
        total += rows.sum(axis=0)
    mean = total / len(train)
    for start in range(0, len(train), READ):
        squares += ((shards.take(train[start : start + READ]) - mean) ** 2).sum(axis=0)
    deviation = np.sqrt(squares / len(train))
    scale = np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1), 1.0)
    return {
        "name": name,
        "kind": "table",
        "shape": list(shards.shape),
        "raw_dtype": dtype,
        "offset": mean.astype(np.float32).tolist(),
        "scale": scale.astype(np.float32).tolist(),
        "color": None,
        "columns": columns,
    }


def fit_target(targets: Array) -> dict[str, float]:
    """Return the scaling of a regression's target: answer = output * scale + offset."""
    spread = float(targets.std(dtype=np.float64))
    return {"offset": float(targets.mean(dtype=np.float64)), "scale": spread if spread > 0 else 1.0}


def document(
    task: str, class_names: tuple[str, ...] | None, inputs: list[dict[str, Any]], target: Any
) -> dict[str, Any]:
    """Return the contents of preprocess.json."""
    labels = None if class_names is None else list(class_names)
    return {"schema": SCHEMA, "task": task, "labels": labels, "inputs": inputs, "target": target}


def to_model_inputs(raw: Mapping[str, Any], preprocess: Mapping[str, Any]) -> dict[str, Any]:
    """Return name -> float32 model input (B, *shape) as TensorFlow tensors; differentiable.

    Args:
        raw: name -> raw values (B, *shape), tensors or arrays.
        preprocess: contents of preprocess.json.
    """
    import tensorflow as tf

    return {
        entry["name"]: (
            tf.cast(raw[entry["name"]], tf.float32) - np.asarray(entry["offset"], np.float32)
        )
        * np.asarray(entry["scale"], np.float32)
        for entry in preprocess["inputs"]
    }


def target_of(labels: Array, preprocess: Mapping[str, Any]) -> Array:
    """Return what the loss compares with: class ids int32, or targets scaled to deviation 1."""
    target = preprocess["target"]
    if target is None:
        return np.asarray(labels, np.int32)
    return ((np.asarray(labels) - target["offset"]) / target["scale"]).astype(np.float32)
