"""Two views of the same samples: what the network makes of them, and what they look like."""

import numpy as np

from pipeline.arrays import Array, Model, only
from pipeline.baseline.classical import features
from pipeline.data.dataset import Dataset
from pipeline.models.predict import batches, predictor
from pipeline.ondevice.prepare import prepare_input


def activations(model: Model, dataset: Dataset, positions: Array) -> Array:
    """Return the inputs of the last layer with weights, flat: (N, D) float32.

    Args:
        model: a Keras classifier.
        dataset: where the samples are.
        positions: which samples (N,).
    """
    import keras

    last = next(layer for layer in reversed(model.layers) if layer.weights)
    compiled = predictor(keras.Model(model.inputs, last.input), dataset.preprocess)
    rows = [only(compiled(raw)).numpy() for raw in batches(dataset, positions)]
    found = np.concatenate(rows)
    return found.reshape(len(found), -1).astype(np.float32)


def appearance(dataset: Dataset, positions: Array) -> Array:
    """Return the model inputs as rows (N, D) that a classical model can learn from."""
    parts = []
    for raw in batches(dataset, positions):
        views = [
            features(prepare_input(raw[entry.name], entry), entry)
            for entry in dataset.preprocess.inputs
        ]
        parts.append(np.concatenate(views, axis=1))
    return np.concatenate(parts)
