"""Pre-training: an autoencoder learns from samples without labels, a classifier goes on from it.

Erhan et al. 2010, "Why does unsupervised pre-training help deep learning?"; here the whole encoder
is trained at once. What it gained is measured: the same network, on the same few labels, without.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from pipeline.arrays import Model
from pipeline.config.schema import Train
from pipeline.data.dataset import Dataset
from pipeline.data.unlabeled import UNLABELED
from pipeline.documents.spec import Spec
from pipeline.documents.training import Pretraining
from pipeline.models.autoencoder import reconstruction_spec
from pipeline.train.ablation import describe_gain, folder_of
from pipeline.train.make import TrainingOptions
from pipeline.train.supervised import Trained, train_network

# What a classifier's training may have, and that of an autoencoder has not.
PLAIN = {"freeze": None, "class_weights": None, "oversample": False, "label_smoothing": 0.0}

log = logging.getLogger(__name__)


def train_pretrained(
    spec: Spec, settings: Train, dataset: Dataset, *, out: Path, **learning: Unpack[TrainingOptions]
) -> tuple[Trained, Pretraining]:
    """Train the encoder on all training samples, then the whole network on those with a label.

    Args:
        spec: of an autoencoder with a task on its code.
        settings: the `train` section; `pretrain` is there.
        dataset: has the samples without a label as a part of their own, where there are some.
        out: folder of checkpoints and TensorBoard logs.
        learning: further arguments of `train_network`.

    Returns:
        The network, and what pre-training gained on the validation split.
    """
    assert settings.pretrain is not None  # else there is nothing to do here
    everything, unlabeled = _without_labels(dataset)
    log.info("          pre-training on %d samples", len(everything.split("train")))
    first = train_network(
        reconstruction_spec(spec),
        _to_reconstruct(settings),
        everything,
        out=folder_of(out, "pretrain"),
        **learning,
    )
    begin = _encoder_of(first.model)
    log.info("          training on %d labels", len(dataset.split("train")))
    trained = train_network(spec, settings, dataset, out=out, begin=begin, **learning)
    alone = None
    if settings.pretrain.compare:
        log.info("          the same without pre-training")
        plain = settings.model_copy(update={"freeze": None})
        alone = train_network(spec, plain, dataset, out=folder_of(out, "without"), **learning)
    return trained, Pretraining(
        **describe_gain(spec, trained, alone),
        samples=len(everything.split("train")),
        unlabeled=unlabeled,
        labeled=len(dataset.split("train")),
        reconstruction_loss=first.validation["val_loss"],
    )


def _without_labels(dataset: Dataset) -> tuple[Dataset, int]:
    """Return the dataset as an autoencoder learns from it, and how many samples have no label."""
    parts = dict(dataset.splits)
    others = parts.get(UNLABELED, parts["train"][:0])
    parts["train"] = np.concatenate([parts["train"], others])
    plain = dataset.preprocess.model_copy(update={"target": None})
    labels = np.zeros(len(dataset.labels), np.int64)
    return replace(dataset, splits=parts, labels=labels, preprocess=plain), len(others)


def _to_reconstruct(settings: Train) -> Train:
    assert settings.pretrain is not None
    changed = {"epochs": settings.pretrain.epochs, "loss": "auto"}
    return settings.model_copy(update=changed | PLAIN)


def _encoder_of(model: Model) -> Any:
    """Return a function that gives a network the weights of the layers that it has in common."""
    learned = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}

    def begin(other: Model) -> None:
        for layer in other.layers:
            if layer.name in learned:
                layer.set_weights(learned[layer.name])

    return begin
