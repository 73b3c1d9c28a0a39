"""Watch a training: check the network after some epochs, and log each problem once."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Model, only
from pipeline.config.schema import Train
from pipeline.config.train_schema import ClassWeights
from pipeline.data.dataset import Dataset
from pipeline.data.memmap_arrays import count_ids, map_array, take_rows, where
from pipeline.data.preprocess import to_model_inputs
from pipeline.documents.spec import Spec
from pipeline.documents.training import Warned
from pipeline.models.predict import detector_targets
from pipeline.tasks import TASKS
from pipeline.tasks.task import Task
from pipeline.train.batches import Feed
from pipeline.train.losses import Loss, without_names
from pipeline.train.probe import Signs, form_of, prober
from pipeline.train.step import class_weights, weight_loss
from pipeline.train.warnings import Evidence, warnings_of

log = logging.getLogger(__name__)

Rows = Sequence[Mapping[str, float]]

REACH = {"sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, np.inf)}
MARGIN = 0.05  # beyond the reach, and still above noise
SAMPLES = 64  # whose values are compared with the reach


def watcher(
    model: Model, spec: Spec, settings: Train, *, feed: Feed, loss: Loss
) -> Callable[[Rows], list[Warned]]:
    """Return a function that takes the rows of finished epochs, and logs problems.

    It looks at the network after epochs 1, 2, 4, 8, … and whenever it is shown the same rows again,
    as at the end. It logs each problem once, and returns all of them.

    Args:
        model: Functional, in training.
        spec: of the network.
        settings: the `train` section.
        feed: of the training samples.
        loss: of each sample.
    """
    task, dataset = TASKS[spec.task], feed.dataset
    if task.learns_classes:  # a teacher's samples need no label, and say nothing of a loss
        known = where(only(feed.targets), lambda labels: labels >= 0)
        if len(known) < len(feed.positions):
            targets = {name: take_rows(labels, known) for name, labels in feed.targets.items()}
            feed = replace(feed, positions=take_rows(feed.positions, known), targets=targets)
    look = prober(model, feed, loss=loss)
    form, told = form_of(model), set[str]()
    facts: dict[str, Any] = {
        "form": form,
        "settings": settings,
        "metric": f"val_{task.metric}",
        "sign": 1 if task.direction == "up" else -1,
        "chance": _chance(dataset, spec.task),
        "constant": _constant(task, feed, loss, settings.class_weights),
        "unreachable": _unreachable(form.ending, feed),
    }
    watched = 0
    signs: Signs | None = None

    def watch(rows: Rows) -> list[Warned]:
        nonlocal watched, signs
        epochs = len(rows)
        if signs is None or epochs & (epochs - 1) == 0 or epochs == watched:
            signs = look()
        watched = epochs
        found = warnings_of(Evidence(rows=rows, signs=signs, **facts))
        for warned in found:
            if warned.code not in told:
                log.warning("          warning: %s.\n          %s.", warned.text, warned.cure)
            told.add(warned.code)
        return found

    return watch


def _chance(dataset: Dataset, task: str) -> float | None:
    """Return the metric of the best constant prediction on validation; None for a detector."""
    constant_score = TASKS[task].constant_score
    if constant_score is None:
        return None
    if not TASKS[task].has_classes:
        return constant_score(np.empty(0))
    return constant_score(count_ids(take_rows(dataset.labels, dataset.split("validation"))))


def _constant(task: Task, feed: Feed, loss: Loss, setting: ClassWeights | None) -> float:
    """Return the loss of the best constant prediction: the class frequencies, or the mean.

    Classes count by their weights, as in the training loss. Of a detector it is 0: its loss has no
    such bound.
    """
    if task.constant_score is None:
        return 0.0
    target = only(feed.targets)
    if not task.learns_classes:
        mean, of_value = target.mean(), without_names(loss)

        def losses(own: Array) -> Array:
            return np.asarray(of_value(tf.constant(own), tf.fill((len(own), 1), mean)))

        return float(map_array(target, losses, np.float32).mean(dtype=np.float64))
    names = feed.dataset.class_names or ()
    weights = class_weights(setting, target, names)
    counts = count_ids(target, len(names))
    shares = counts + 1 if weights is None else (counts + 1) * weights
    answer = np.log(shares / shares.sum()).astype(np.float32)
    ids = np.arange(len(names), dtype=target.dtype)
    counted = without_names(weight_loss(loss, weights))
    each = counted(tf.constant(ids), tf.constant(np.tile(answer, (len(ids), 1))))
    return float(np.average(each, weights=counts))


def _unreachable(ending: str | None, feed: Feed) -> float:
    """Return the fraction of a detector's targets that its last layer cannot output."""
    decision = feed.dataset.preprocess.anomaly
    if decision is None or ending not in REACH:
        return 0.0
    raw = feed.dataset.read(feed.positions[:SAMPLES])
    values = np.asarray(detector_targets(to_model_inputs(raw, feed.dataset.preprocess), decision))
    low, high = REACH[ending]
    return float(((values < low - MARGIN) | (values > high + MARGIN)).mean())
