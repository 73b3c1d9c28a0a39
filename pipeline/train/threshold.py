"""The decision threshold of two classes: chosen on validation, built into the last bias.

A softmax of two classes decides at 0.5. Adding log((1 - t) / t) to the logit of the positive class
moves the probability t to 0.5 (Elkan 2001, theorem 2; the prior shift of Saerens et al. 2002,
equation 2.4). So every runtime decides at the threshold without knowing of it, and the 256 steps of
an int8 probability lie on both sides of it, however rare the positive class is.
"""

import logging

import numpy as np

from pipeline.arrays import Array, Model, only
from pipeline.config.decision_schema import Decision
from pipeline.data.dataset import Dataset
from pipeline.data.memmap_arrays import take_rows
from pipeline.documents.threshold import DecisionQuality, Threshold
from pipeline.errors import ConfigError
from pipeline.models.ending import layers_from_output
from pipeline.models.graph import functional
from pipeline.models.predict import predict

log = logging.getLogger(__name__)

CLASSES = 2
EDGE = 1e-7  # probabilities are kept so far from 0 and 1, where float32 has no step left
BEYOND = 1.0  # logits beyond the outermost sample: nothing, or everything, is positive


def check_decision(settings: Decision, dataset: Dataset) -> None:
    """Refuse a decision that these classes do not have, before anything is trained.

    Raises:
        ConfigError: there are not two classes, or none of them has the name of the positive one.
    """
    names = dataset.class_names or ()
    if len(names) != CLASSES:
        raise ConfigError(f"decision: wanted two classes; the data have {len(names)}. Remove it")
    if settings.positive is not None and settings.positive not in names:
        raise ConfigError(
            f"decision.positive: {settings.positive!r} is no class; wanted one of "
            f"{', '.join(names)}"
        )


def place_threshold(model: Model, dataset: Dataset, settings: Decision) -> Threshold:
    """Choose the threshold on the validation split, and build it into the network's last bias.

    Args:
        model: trained; its last bias is changed.
        dataset: with two classes.
        settings: what the threshold is chosen by.

    Returns:
        The contents of threshold.json.

    Raises:
        ConfigError: no threshold reaches `at_least`, or the last layer has no bias.
    """
    positive = positive_class(settings, dataset)
    positions = dataset.split("validation")
    labels = np.asarray(take_rows(dataset.labels, positions))
    margins = margins_of(only(predict(model, dataset, positions)), positive)
    names = dataset.class_names
    assert names is not None  # checked before training
    if (labels == positive).any() or settings.metric == "fixed":
        threshold = choose_margin(margins, labels == positive, settings)
    else:
        threshold = 0.0
        log.warning(
            "          warning: the validation split has no sample of %s, so that no threshold can "
            "be chosen: it stays at 0.5.", names[positive],
        )  # fmt: skip
    shift_bias(model, positive, -threshold)
    found = quality_of(labels == positive, margins > threshold)
    return Threshold(
        metric=settings.metric,
        positive=names[positive],
        threshold=float(1 / (1 + np.exp(-threshold))),
        shift=-threshold,
        precision=found.precision,
        recall=found.recall,
    )


def quality_of(is_positive: Array, is_predicted: Array) -> DecisionQuality:
    """Return precision, recall and F1 of the positive class.

    Args:
        is_positive: (N,) bool.
        is_predicted: (N,) bool.
    """
    hits = int(np.logical_and(is_positive, is_predicted).sum())
    predicted, positives = int(is_predicted.sum()), int(is_positive.sum())
    return DecisionQuality(
        precision=hits / predicted if predicted else None,
        recall=hits / positives if positives else None,
        f1=2 * hits / max(1, predicted + positives),
    )


def positive_class(settings: Decision, dataset: Dataset) -> int:
    """Return the id of the positive class."""
    if settings.positive is not None:
        return list(dataset.class_names or ()).index(settings.positive)
    labels = np.asarray(take_rows(dataset.labels, dataset.split("train")))
    return int(np.bincount(labels[labels >= 0], minlength=CLASSES).argmin())


def margins_of(probabilities: Array, positive: int) -> Array:
    """Return log(p / (1 - p)) of the positive class (N,), of probabilities (N, 2)."""
    p = np.clip(probabilities[:, positive].astype(np.float64), EDGE, 1 - EDGE)
    return np.asarray(np.log(p / (1 - p)))


def choose_margin(margins: Array, is_positive: Array, settings: Decision) -> float:
    """Return the margin above which a sample is predicted positive.

    Of equally good ones it is the nearest to 0, where the network decides by itself.

    Args:
        margins: of the validation samples (N,).
        is_positive: (N,) bool.
        settings: what is made largest.

    Raises:
        ConfigError: no threshold reaches `at_least`; the message has the most that one does.
    """
    if settings.metric == "fixed":
        assert settings.threshold is not None  # the section asks for it
        return float(np.log(settings.threshold / (1 - settings.threshold)))
    order = np.sort(np.unique(margins))
    cuts = np.concatenate([[order[0] - BEYOND], (order[1:] + order[:-1]) / 2, [order[-1] + BEYOND]])
    ranked = np.sort(margins)
    flagged = len(margins) - np.searchsorted(ranked, cuts, side="right")
    positives = np.sort(margins[is_positive])
    hits = len(positives) - np.searchsorted(positives, cuts, side="right")
    values = _values(hits, flagged, len(positives), len(margins), settings)
    best = values >= values.max() - 1e-12
    return float(cuts[best][np.abs(cuts[best]).argmin()])


def _values(hits: Array, flagged: Array, positives: int, samples: int, settings: Decision) -> Array:
    """Return how good each cut is (C,); of those that do not reach `at_least` -1."""
    precision = hits / np.maximum(1, flagged)
    recall = hits / max(1, positives)
    if settings.metric == "f1":
        return np.asarray(2 * hits / np.maximum(1, flagged + positives))
    if settings.metric == "balanced_accuracy":
        negatives = samples - positives
        return np.asarray(recall + (negatives - (flagged - hits)) / max(1, negatives))
    if settings.metric == "cost":
        assert settings.cost_ratio is not None  # the section asks for it
        return -((positives - hits) * settings.cost_ratio + (flagged - hits))
    held, wanted = (precision, recall)
    if settings.metric == "precision_at_recall":
        held, wanted = recall, precision
    assert settings.at_least is not None  # the section asks for it
    reaches = (held >= settings.at_least) & (flagged > 0)
    if not reaches.any():
        what = settings.metric.partition("_at_")[2]
        raise ConfigError(
            f"decision.at_least: no threshold reaches {what} {settings.at_least:g} on the "
            f"validation split; the most is {float(held[flagged > 0].max()):.4f}. Set it lower"
        )
    return np.where(reaches, wanted, -1.0)


def shift_bias(model: Model, positive: int, shift: float) -> None:
    """Add to the bias of one of two classes in the network's last layer.

    Raises:
        ConfigError: that layer has no bias.
    """
    layers = (layer for layer in layers_from_output(functional(model)) if layer.weights)
    last = next(layers, None)
    bias = getattr(last, "bias", None)
    if bias is None or tuple(bias.shape) != (CLASSES,):
        name = "none" if last is None else last.name
        raise ConfigError(
            f"decision: the last layer with weights, {name}, has no bias of two classes that the "
            "threshold could be built into. Give it one, or remove decision"
        )
    values = np.asarray(bias).copy()
    values[positive] += shift
    bias.assign(values)
