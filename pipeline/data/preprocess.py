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
FITTED = 200_000  # training rows that columns are fitted on, at most: quantiles no longer change
KNOTS = 129  # of a quantile transform: half a step of int8 apart
EDGE = 0.005  # share that a robust scaling cuts off either end
LONG, HEAVY = 5.0, 8.0  # deviations to the farthest value: int8 has 256 steps for all of them
RARE = 5  # training samples of a category, below which it has no place of its own
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


def fit_columns(spec: Input, shards: Shards, train: Array) -> dict[str, Any]:
    """Return how a table of numbers and categories becomes a model input.

    Numbers with heavy tails are spread by rank: scaled alone they leave most of an integer's range
    to a few samples. Categories that are rare in train share a place with new and missing ones.

    Args:
        spec: the input, with its encoding.
        shards: its values, NaN where one is missing.
        train: positions to learn from.
    """
    assert spec.encoding is not None
    encoding, columns = dict(spec.encoding), []
    numbers = encoding.pop("numbers")
    step = max(1, len(train) // FITTED)
    values = shards.take(train[::step])
    for column, seen in zip(encoding.pop("columns"), values.T, strict=True):
        fit = fit_category if column["kind"] == "category" else fit_number
        columns.append(column | fit(seen[~np.isnan(seen)], column, numbers))
    width = sum(column["width"] for column in columns)
    return {
        "name": spec.name,
        "kind": "columns",
        "shape": [width],
        "raw_dtype": "float32",
        "columns": columns,
        **encoding,
    }


def fit_number(known: Array, column: Mapping[str, Any], how: str) -> dict[str, Any]:
    """Return how a column of numbers is made even: see `CsvSource.numbers`."""
    if not len(known):
        known = np.zeros(1, np.float32)
    low, middle, high = (float(q) for q in np.quantile(known, [EDGE, 0.5, 1 - EDGE]))
    spread = float(known.std(dtype=np.float64))
    reach = float(np.abs(known - middle).max()) / spread if spread else 0.0
    if how == "auto":
        how = "quantile" if reach > HEAVY else "robust" if reach > LONG else "standard"
    fitted: dict[str, Any] = {"how": how, "fill": float(np.float32(middle)), "width": 1}
    if how == "quantile":
        shares = np.linspace(0, 1, KNOTS)
        knots, first = np.unique(np.quantile(known, shares).astype(np.float32), return_index=True)
        last = (
            KNOTS
            - 1
            - np.unique(np.quantile(known, shares).astype(np.float32)[::-1], return_index=True)[1]
        )
        heights = ((shares[first] + shares[last]) / 2 - 0.5) * np.sqrt(12)  # even: deviation 1
        return fitted | {"knots": knots.tolist(), "heights": heights.tolist()}
    if how == "standard":
        low, high = float(known.min()), float(known.max())
        low, high = low - (high - low), high + (high - low)  # what lies far outside was never seen
    clipped = np.clip(known.astype(np.float64), low, high)
    deviation = float(clipped.std())
    return fitted | {
        "low": low,
        "high": high,
        "offset": float(clipped.mean()),
        "scale": 1 / deviation if deviation else 1.0,
    }


def fit_category(known: Array, column: Mapping[str, Any], how: str) -> dict[str, Any]:
    """Return the place of each category in the one-hot vector; the last place is for the rest."""
    counts = np.bincount(known.astype(np.int64), minlength=len(column["values"]))
    kept = np.flatnonzero(counts >= RARE)
    places = np.full(len(counts), len(kept))
    places[kept] = np.arange(len(kept))
    return {"places": places.tolist(), "width": len(kept) + 1}


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
        entry["name"]: _columns(tf, raw[entry["name"]], entry)
        if entry["kind"] == "columns"
        else (tf.cast(raw[entry["name"]], tf.float32) - np.float32(entry["offset"]))
        * np.float32(entry["scale"])
        for entry in preprocess["inputs"]
    }


def _columns(tf: Any, raw: Any, entry: Mapping[str, Any]) -> Any:
    """Return a table's rows (B, C) as (B, D), as the runner's function of that name does."""
    parts = []
    for i, column in enumerate(entry["columns"]):
        values = tf.cast(raw[:, i], tf.float32)
        make = _one_hot if column["kind"] == "category" else _number
        parts.append(make(tf, values, column))
    return tf.concat(parts, axis=1)


def _number(tf: Any, values: Any, column: Mapping[str, Any]) -> Any:
    x = tf.where(tf.math.is_nan(values), np.float32(column["fill"]), values)
    if column["how"] != "quantile":
        x = tf.clip_by_value(x, np.float32(column["low"]), np.float32(column["high"]))
        x = (tf.cast(x, tf.float64) - column["offset"]) * column["scale"]
        return tf.cast(x, tf.float32)[:, None]
    knots, heights = np.array(column["knots"]), np.array(column["heights"])
    if len(knots) == 1:
        return tf.zeros_like(x)[:, None] + np.float32(heights[0])
    x = tf.clip_by_value(tf.cast(x, tf.float64), knots[0], knots[-1])
    place = tf.clip_by_value(tf.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    slopes = np.diff(heights) / np.diff(knots)
    y = tf.gather(heights, place) + (x - tf.gather(knots, place)) * tf.gather(slopes, place)
    return tf.cast(y, tf.float32)[:, None]


def _one_hot(tf: Any, values: Any, column: Mapping[str, Any]) -> Any:
    known = tf.where(tf.math.is_nan(values), -1.0, values)
    code = tf.cast(known, tf.int32)
    places = np.array([column["width"] - 1, *column["places"]], np.int32)  # -1: the last place
    return tf.one_hot(tf.gather(places, code + 1), column["width"])


def target_of(labels: Array, preprocess: Mapping[str, Any]) -> Array:
    """Return what the loss compares with: class ids int32, or targets scaled to deviation 1."""
    target = preprocess["target"]
    if target is None:
        return np.asarray(labels, np.int32)
    centred = np.asarray(labels, np.float32) - np.float32(target["offset"])
    return np.asarray(centred / np.float32(target["scale"]), np.float32)
