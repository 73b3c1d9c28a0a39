"""Scan the training set for poison; see poisoning.py."""

from typing import Any

import numpy as np

from pipeline.arrays import Array, Model, only
from pipeline.audit.audited_model import AuditedModel
from pipeline.audit.evasion import evenly
from pipeline.audit.poisoning import ALPHA, CLEAR, ON_CLEAN_SETS, SIGN, list_suspects, scan
from pipeline.baseline.classical import features
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset
from pipeline.documents.poisoning import PoisonScan
from pipeline.models.predict import batches, predictor
from pipeline.ondevice.prepare import prepare_input

SCANNED = 5000  # training samples that are scanned, at most


def scan_training_set(audited: AuditedModel, config: Config) -> dict[str, Any]:
    """Scan the training set by the activations of the trained model; return `scan`."""
    dataset, names = audited.dataset, audited.names
    scanned = evenly(dataset.split("train"), SCANNED)
    labels = np.asarray(dataset.labels[scanned])
    result = scan(
        activations(audited.model, dataset, scanned),
        features_of(dataset, scanned),
        labels,
        names=names,
        seed=audited.learning["seed"],
    )
    suspects = list_suspects(result, np.asarray(dataset.ids[scanned]), names, labels=labels)
    return {
        "scan": PoisonScan(
            samples=len(scanned),
            training_samples=len(dataset.split("train")),
            min_silhouette=CLEAR,
            min_separation=SIGN,
            significance_level=ALPHA,
            clean_rates=ON_CLEAN_SETS,
            classes=tuple(result.classes),
            suspects=tuple(suspects),
        )
    }


def activations(model: Model, dataset: Dataset, positions: Array) -> Array:
    """Return the inputs of the last layer with weights, flat: (N, D) float32.

    Args:
        model: a Keras classifier.
        dataset: holds the samples.
        positions: of the samples (N,).
    """
    import keras

    last = next(layer for layer in reversed(model.layers) if layer.weights)
    compiled = predictor(keras.Model(model.inputs, last.input), dataset.preprocess)
    rows = [only(compiled(raw)).numpy() for raw in batches(dataset, positions)]
    values = np.concatenate(rows)
    return values.reshape(len(values), -1).astype(np.float32)


def features_of(dataset: Dataset, positions: Array) -> Array:
    """Return the model inputs as rows (N, F) that a classical model can train on."""
    parts = []
    for raw in batches(dataset, positions):
        views = [
            features(prepare_input(raw[entry.name], entry), entry)
            for entry in dataset.preprocess.inputs
        ]
        parts.append(np.concatenate(views, axis=1))
    return np.concatenate(parts)
