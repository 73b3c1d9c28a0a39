"""The one path from raw sample to model input, in TensorFlow, for training.

pipeline/samples has a file a kind; pipeline/ondevice has the NumPy form, which ships. Both read
preprocess.json, tests compare them on random and real samples, and `verify` does so on the samples
that it measures. Both compute in float64 in between. Images and numbers let gradients through.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.arrays import Array, Arrays
from pipeline.data.memmap_arrays import map_array
from pipeline.data.squeeze import squeeze_inputs
from pipeline.documents.preprocess import Preprocess
from pipeline.samples import KINDS


def to_model_inputs(raw: Mapping[str, Any], preprocess: Preprocess) -> dict[str, Any]:
    """Return name -> model input (B, *shape) as TensorFlow tensors, float32 or int32.

    Args:
        raw: name -> raw values (B, ...), tensors or arrays.
        preprocess: contents of preprocess.json.
    """
    import tensorflow as tf

    found = {}
    for entry in preprocess.inputs:
        sample = squeeze_inputs(tf, tf.convert_to_tensor(raw[entry.name]), entry)
        found[entry.name] = KINDS[entry.kind].encode(tf, sample, entry)
    return found


def fit_target(targets: Array) -> dict[str, Any]:
    """Return the scaling of regression targets (N,): prediction = output * scale + offset.

    Returns:
        offset: the mean, in the target's unit; scale: the standard deviation, 1 where that is 0.
    """
    mean = targets.mean(dtype=np.float64)
    squares = map_array(targets, lambda block: (block - mean) ** 2, np.float64)
    spread = float(np.float32(np.sqrt(squares.mean())))
    return {"offset": float(np.float32(mean)), "scale": spread or 1.0}


def scaled_targets(targets: Arrays, preprocess: Preprocess) -> dict[str, Array]:
    """Return what the loss compares with, name -> (N, ...): `target_of` each target.

    Many are made block by block, in a file. Ragged targets are as they are on disk.
    """
    return {
        name: values if values.dtype == object else _scale_values(values, preprocess)
        for name, values in targets.items()
    }


def _scale_values(values: Array, preprocess: Preprocess) -> Array:
    dtype = target_of(values[:0], preprocess).dtype
    return map_array(values, lambda block: target_of(block, preprocess), dtype)


def target_of(labels: Array, preprocess: Preprocess) -> Array:
    """Return the loss's targets (N,): class ids int32, or labels scaled to deviation 1, float32.

    Args:
        labels: (N,), as on disk.
        preprocess: its `target` scales; None there: labels are classes.
    """
    target = preprocess.target
    if target is None:
        return np.asarray(labels, np.int32)
    centered = np.asarray(labels, np.float32) - np.float32(target.offset)
    return np.asarray(centered / np.float32(target.scale), np.float32)
