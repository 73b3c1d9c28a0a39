"""The one path from raw sample to model input, in TensorFlow, for training.

device/runner.py has the NumPy form, which ships; both read preprocess.json, tests compare them on
random and real samples, and `verify` does so on the samples that it measures. What is computed in
between has the precision of float64 in both. Images and numbers let gradients through.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pipeline.arrays import Array, Namespace, Tensor
from pipeline.artifacts import SCHEMA
from pipeline.data.scratch import map_array
from pipeline.data.spectrogram import spectrogram
from pipeline.data.squeeze import squeeze_inputs
from pipeline.data.tokens import tokens

Entry = Mapping[str, Any]


def document(
    task: str,
    class_names: tuple[str, ...] | None,
    inputs: list[dict[str, Any]],
    target: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the contents of preprocess.json."""
    labels = None if class_names is None else list(class_names)
    return {
        "schema": SCHEMA,
        "task": task,
        "labels": labels,
        "inputs": inputs,
        "target": target,
        "anomaly": None,  # how a detector scores, and from where on it flags: known after training
    }


def to_model_inputs(raw: Mapping[str, Any], preprocess: Mapping[str, Any]) -> dict[str, Any]:
    """Return name -> model input (B, *shape) as TensorFlow tensors, float32 or int32.

    Args:
        raw: name -> raw values (B, ...), tensors or arrays.
        preprocess: contents of preprocess.json.
    """
    import tensorflow as tf

    found = {}
    for entry in preprocess["inputs"]:
        sample = squeeze_inputs(tf, tf.convert_to_tensor(raw[entry["name"]]), entry)
        found[entry["name"]] = PREPARE[entry["kind"]](tf, sample, entry)
    return found


def _scaled(tf: Namespace, raw: Tensor, entry: Entry) -> Any:
    centred = tf.cast(raw, tf.float32) - np.float32(entry["offset"])
    return centred * np.float32(entry["scale"])


def _columns(tf: Namespace, raw: Tensor, entry: Entry) -> Any:
    """Return a table's rows (B, C) as (B, D): numbers made even, categories one-hot."""
    parts = []
    for i, column in enumerate(entry["columns"]):
        if column["kind"] == "category":
            parts.append(tf.one_hot(_place(tf, raw[:, i], column), column["width"]))
        elif column["how"] == "piecewise":
            parts.append(_stretches(tf, raw[:, i], column))
        else:
            parts.append(_number(tf, raw[:, i], column)[:, None])
    return tf.concat(parts, axis=1)


def _codes(tf: Namespace, raw: Tensor, entry: Entry) -> Any:
    """Return categories (B, C) as rows of one table of vectors, (B, C) int32."""
    columns = enumerate(entry["columns"])
    return tf.stack([_place(tf, raw[:, i], c) + c["first"] for i, c in columns], axis=1)


def _series(tf: Namespace, raw: Tensor, entry: Entry) -> Any:
    """Return recordings (B, T, C) with each channel made even."""
    if entry["relative"]:
        return _relative(tf, raw, entry)
    columns = enumerate(entry["columns"])
    return tf.stack([_number(tf, raw[..., i], column) for i, column in columns], axis=-1)


def _relative(tf: Namespace, raw: Tensor, entry: Entry) -> Any:
    """Return windows less their own mean, over their own deviation."""
    is_known = tf.logical_not(tf.math.is_nan(raw))
    x = tf.where(is_known, tf.cast(raw, tf.float64), 0.0)
    count = tf.maximum(tf.reduce_sum(tf.cast(is_known, tf.float64), axis=1, keepdims=True), 1.0)
    mean = tf.reduce_sum(x, axis=1, keepdims=True) / count
    centred = tf.where(is_known, x - mean, 0.0)
    deviation = tf.sqrt(tf.reduce_sum(centred**2, axis=1, keepdims=True) / count)
    return tf.cast(centred / tf.maximum(deviation, entry["floor"]), tf.float32)


def _number(tf: Namespace, values: Tensor, column: Entry) -> Any:
    """Return values of one column or channel, in any shape, made even; float32."""
    values = tf.cast(values, tf.float32)
    x = tf.where(tf.math.is_nan(values), np.float32(column["fill"]), values)
    x = tf.cast(x, tf.float64)
    if column["how"] != "quantile":
        x = tf.clip_by_value(x, column["low"], column["high"])
        return tf.cast((x - column["offset"]) * column["scale"], tf.float32)
    knots, heights = np.array(column["knots"]), np.array(column["heights"])
    if len(knots) == 1:
        return tf.cast(tf.zeros_like(x) + heights[0], tf.float32)
    x = tf.clip_by_value(x, knots[0], knots[-1])
    flat = tf.searchsorted(knots, tf.reshape(x, [-1]), side="right")
    place = tf.reshape(tf.clip_by_value(flat - 1, 0, len(knots) - 2), tf.shape(x))
    slopes = np.diff(heights) / np.diff(knots)
    y = tf.gather(heights, place) + (x - tf.gather(knots, place)) * tf.gather(slopes, place)
    return tf.cast(y, tf.float32)


def _stretches(tf: Namespace, values: Tensor, column: Entry) -> Any:
    """Return how far into each stretch between two edges values (B,) are: 0 to 1, (B, K)."""
    values = tf.cast(values, tf.float32)
    x = tf.where(tf.math.is_nan(values), np.float32(column["fill"]), values)
    edges = np.array(column["edges"])
    shares = (tf.cast(x, tf.float64)[:, None] - edges[:-1]) / np.diff(edges)
    return tf.cast(tf.clip_by_value(shares, 0.0, 1.0), tf.float32)


def _place(tf: Namespace, values: Tensor, column: Entry) -> Any:
    """Return the place (B,) int32 of each category; the last is for rare, new and missing ones."""
    values = tf.cast(values, tf.float32)
    code = tf.cast(tf.where(tf.math.is_nan(values), -1.0, values), tf.int32)
    places = np.array([column["width"] - 1, *column["places"]], np.int32)  # -1: the first here
    return tf.gather(places, code + 1)


PREPARE: dict[str, Callable[[Any, Any, Entry], Any]] = {
    "image": _scaled,
    "table": _scaled,
    "columns": _columns,
    "codes": _codes,
    "audio": spectrogram,
    "series": _series,
    "tokens": tokens,
}


def scaled_targets(labels: Array, preprocess: Mapping[str, Any]) -> Array:
    """Return `target_of` many labels, on disk where they are as many as a training set's."""
    dtype = target_of(labels[:0], preprocess).dtype
    return map_array(labels, lambda block: target_of(block, preprocess), dtype)


def target_of(labels: Array, preprocess: Mapping[str, Any]) -> Array:
    """Return what the loss compares with: class ids int32, or targets scaled to deviation 1."""
    target = preprocess["target"]
    if target is None:
        return np.asarray(labels, np.int32)
    centred = np.asarray(labels, np.float32) - np.float32(target["offset"])
    return np.asarray(centred / np.float32(target["scale"]), np.float32)
