"""The one path from raw sample to model input: x = (raw - offset) * scale, fitted on train.

This is the TensorFlow form, for training; device/runner.py has the NumPy form, which ships. Both
read preprocess.json, and `verify` runs the shipped one.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.artifacts import SCHEMA
from pipeline.data.samples import Array, Input
from pipeline.data.shards import Shards

IMAGE_SCALES = {"uint8": 1 / 255, "uint16": 1 / 65535}  # to [0, 1]: where attacks state epsilon
BLOCK = 4096  # samples that are read at once while a table is measured


def fit_image(spec: Input, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
    """Return how an image becomes a model input in [0, 1].

    Args:
        spec: the input.
        shape: (height, width, channels).
        dtype: of the raw values, one of IMAGE_SCALES.
    """
    return {
        "name": spec.name,
        "kind": "image",
        "shape": list(shape),
        "raw_dtype": dtype,
        "offset": 0.0,
        "scale": IMAGE_SCALES[dtype],
        "color": "gray" if shape[-1] == 1 else "rgb",
        "columns": None,
    }


def fit_table(spec: Input, shards: Shards, train: Array) -> tuple[dict[str, Any], list[str]]:
    """Return how numbers become model inputs with mean 0 and deviation 1, and the constant columns.

    Statistics are taken along the last axis, a column each; of an input without columns, over all
    values. What is constant keeps scale 1 and becomes 0.

    Args:
        spec: the input.
        shards: its values.
        train: positions to learn from.
    """
    width = shards.shape[-1] if spec.columns is not None else 1
    lows, highs, total, count = np.inf, -np.inf, np.zeros(width), 0
    for rows in _blocks(shards, train, width):
        lows, highs = np.minimum(lows, rows.min(axis=0)), np.maximum(highs, rows.max(axis=0))
        total, count = total + rows.sum(axis=0), count + len(rows)
    is_constant = lows == highs
    mean = np.where(is_constant, lows, total / count)
    squares = sum(((rows - mean) ** 2).sum(axis=0) for rows in _blocks(shards, train, width))
    deviation = np.where(is_constant, 1.0, np.sqrt(squares / count))
    offset, scale = mean.astype(np.float32), (1 / deviation).astype(np.float32)
    columns = list(spec.columns) if spec.columns is not None else [spec.name]
    entry = {
        "name": spec.name,
        "kind": "table",
        "shape": list(shards.shape),
        "raw_dtype": str(shards.dtype),
        "offset": offset.tolist() if spec.columns is not None else float(offset[0]),
        "scale": scale.tolist() if spec.columns is not None else float(scale[0]),
        "color": None,
        "columns": columns if spec.columns is not None else None,
    }
    return entry, [columns[i] for i in np.flatnonzero(is_constant)]


def _blocks(shards: Shards, positions: Array, width: int) -> Iterator[Array]:
    """Yield the values at some positions as rows of `width` float64."""
    for start in range(0, len(positions), BLOCK):
        taken = shards.take(positions[start : start + BLOCK])
        yield taken.reshape(-1, width).astype(np.float64)


def fit_target(targets: Array) -> dict[str, float]:
    """Return the scaling of a regression's target: answer = output * scale + offset."""
    spread = float(np.float32(targets.std(dtype=np.float64)))
    return {"offset": float(np.float32(targets.mean(dtype=np.float64))), "scale": spread or 1.0}


def document(
    task: str,
    class_names: tuple[str, ...] | None,
    inputs: list[dict[str, Any]],
    target: dict[str, float] | None,
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
        entry["name"]: (tf.cast(raw[entry["name"]], tf.float32) - np.float32(entry["offset"]))
        * np.float32(entry["scale"])
        for entry in preprocess["inputs"]
    }


def target_of(labels: Array, preprocess: Mapping[str, Any]) -> Array:
    """Return what the loss compares with: class ids int32, or targets scaled to deviation 1."""
    target = preprocess["target"]
    if target is None:
        return np.asarray(labels, np.int32)
    centred = np.asarray(labels, np.float32) - np.float32(target["offset"])
    return np.asarray(centred / np.float32(target["scale"]), np.float32)
