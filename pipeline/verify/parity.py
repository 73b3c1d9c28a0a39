"""Parity: a file's outputs against the reference's, on the same samples. Pure NumPy.

Targets and outputs are mappings: name -> (N, ...).

Legend: N samples, K classes or outputs.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.arrays import Array, Arrays, only, take
from pipeline.documents.parity import BaselineDrop, FileParity, LayerNoise
from pipeline.tasks.intervals import bootstrap
from pipeline.tasks.metrics import sqnr_db
from pipeline.tasks.task import Task, metric_drop, ranking_drop

RESAMPLES = 1000  # the bounds then move by less than a tenth of the interval from seed to seed
BINS = 15  # of confidence


def drop_interval(
    task: Task, targets: Arrays, reference: Arrays, other: Arrays, *, seed: int
) -> tuple[float, float]:
    """Return the 95 % interval of the metric drop, by the paired bootstrap over samples.

    Both models are scored on the same resample, so common errors cancel.

    Args:
        task: whose metric counts.
        targets: name -> (N, ...).
        reference: name -> (N, ...), outputs of the reference.
        other: name -> (N, ...), outputs of the file.
        seed: of the resampling.

    Returns:
        Lower and upper end, in the unit of `metric_drop`; positive is worse.
    """

    def drop(drawn: Array) -> float:
        wanted = {task.metric: task.score(take(targets, drawn), take(reference, drawn))}
        found = {task.metric: task.score(take(targets, drawn), take(other, drawn))}
        return metric_drop(task, wanted, found)

    return bootstrap(drop, len(next(iter(targets.values()))), resamples=RESAMPLES, seed=seed)


def calibration_error(labels: Array, outputs: Array) -> float:
    """Return the expected calibration error (ECE): mean |accuracy - confidence|, in [0, 1].

    Expected calibration error over BINS bins of the greatest probability (Guo et al. 2017,
    arXiv:1706.04599, equation 3).

    Args:
        labels: class ids (N,).
        outputs: probabilities (N, K).
    """
    sure, right = outputs.max(axis=1), outputs.argmax(axis=1) == labels
    places = np.minimum((sure * BINS).astype(int), BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    apart = np.bincount(places, sure, BINS) - np.bincount(places, right, BINS)
    return float(np.abs(apart).sum() / counts.sum())


def worst_class(labels: Array, reference: Array, other: Array) -> tuple[int, float]:
    """Return the class whose recall falls most, and the drop in [-1, 1].

    Args:
        labels: (N,), class ids.
        reference: (N, K), outputs of the reference.
        other: (N, K), outputs of the file.
    """
    wanted, found = reference.argmax(axis=1) == labels, other.argmax(axis=1) == labels
    drops = {
        int(k): float(wanted[labels == k].mean() - found[labels == k].mean())
        for k in np.unique(labels)
    }
    worst = max(drops, key=lambda k: drops[k])
    return worst, drops[worst]


def compare(
    task: Task,
    targets: Arrays,
    reference: Arrays,
    *,
    other: Arrays,
    class_names: tuple[str, ...] | None,
    layers: Sequence[LayerNoise],
    seed: int,
) -> FileParity:
    """Return how far a file is from the reference.

    Args:
        task: whose metric and decisions count.
        targets: name -> (N, ...).
        reference: the reference's outputs, by name.
        other: the file's outputs, in the same unit and by the same names.
        class_names: None for a regression.
        layers: noise of the file's layers; empty: unknown.
        seed: of the bootstrap.
    """
    wanted, found = task.metrics(targets, reference), task.metrics(targets, other)
    same = task.agree(task.decisions(reference), task.decisions(other), targets)
    worst: tuple[int, float] | None = None
    unsure: float | None = None
    if class_names is not None:
        labels, outputs = only(targets), only(other)
        worst = worst_class(labels, only(reference), outputs)
        unsure = calibration_error(labels, outputs)
    return FileParity(
        metric_drop=metric_drop(task, wanted, found),
        metric_drop_ci95=drop_interval(task, targets, reference, other, seed=seed),
        agreement=float(same.mean()),
        output_sqnr_db=min(sqnr_db(reference[name], other[name]) for name in reference),
        calibration_error=unsure,
        worst_class_drop=None if worst is None else worst[1],
        worst_class=None if worst is None or class_names is None else class_names[worst[0]],
        worst_layer=min(layers, key=lambda layer: layer.sqnr_db, default=None),
        auc_drop=ranking_drop(task, targets, reference, other=other),
    )


def compare_baselines(
    task: Task, targets: Arrays, shipped: Arrays, *, outputs: Mapping[str, Arrays], seed: int
) -> dict[str, BaselineDrop]:
    """Return how much worse each classical model is than the shipped file: a paired test.

    Args:
        task: whose metric counts.
        targets: name -> (N, ...).
        shipped: outputs of the file, by name.
        outputs: model -> outputs of another model on the same samples.
        seed: of the bootstrap.
    """
    own = task.metrics(targets, shipped)
    return {
        name: BaselineDrop(
            drop=metric_drop(task, own, task.metrics(targets, other)),
            drop_ci95=drop_interval(task, targets, shipped, other, seed=seed),
        )
        for name, other in outputs.items()
    }


def confusion(labels: Array, outputs: Array) -> Array:
    """Return how often class i (row) was called j (column), int64 (K, K)."""
    classes = outputs.shape[1]
    flat = labels * classes + outputs.argmax(axis=1)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)
