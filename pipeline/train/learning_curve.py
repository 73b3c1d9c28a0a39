"""The metric on training and validation samples; with fewer training samples, too, where asked.

Whether more data, more capacity or less of it would help is read from these (Cortes et al. 1993,
"Learning curves: asymptotic values and rate of convergence").
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from pipeline.arrays import Array
from pipeline.config.schema import Train
from pipeline.data.dataset import Dataset, with_decision
from pipeline.documents.decision import Decision
from pipeline.documents.spec import Spec
from pipeline.documents.training import Learning, LearningRow
from pipeline.seeds import fold_seed
from pipeline.tasks import TASKS
from pipeline.train.ablation import folder_of
from pipeline.train.losses import loss_of
from pipeline.train.make import TrainingOptions
from pipeline.train.supervised import Trained, train_network
from pipeline.train.validate import evaluator

log = logging.getLogger(__name__)

SHARES = (0.1, 0.3)  # of the training samples
LONGER = 3  # times the epochs at most, so that fewer samples make about as many steps
JUDGED = 2000  # training samples that are judged, at most


def learning_curve(
    spec: Spec,
    settings: Train,
    dataset: Dataset,
    *,
    trained: Trained,
    out: Path,
    begin: Callable[[Any], None] | None,
    **learning: Unpack[TrainingOptions],
) -> Learning:
    """Return the metric on training and validation samples, by fraction of the training samples.

    Args:
        spec: of the network.
        settings: the `train` section.
        dataset: what it learns from.
        trained: the network, of all samples.
        out: folder of checkpoints.
        begin: gives the model the weights to start from; None: the seed says.
        learning: further arguments of `train_network`.
    """
    task = TASKS[spec.task]
    positions = dataset.split("train")
    rows = []
    if settings.learning_curve:
        order = np.random.Generator(np.random.Philox(fold_seed(learning["seed"], "curve")))
        shuffled = order.permutation(positions)
        for share in SHARES:
            fewer = _only(dataset, np.sort(shuffled[: max(1, round(share * len(positions)))]))
            longer = {"epochs": settings.epochs * min(LONGER, round(1 / share))}
            plain = settings.model_copy(update={**longer, "range_test": False, "distill": None})
            log.info("          learning curve: %.0f %% of the samples", 100 * share)
            folder = folder_of(out, f"curve_{share:.0%}")
            less = train_network(
                spec, plain, fewer, out=folder, begin=begin, is_watched=False, **learning
            )
            rows.append(_row(spec, settings, fewer, less, share))
    rows.append(_row(spec, settings, dataset, trained, 1.0))
    return Learning(
        metric="loss" if task.predicts_input else task.metric,
        direction="down" if task.predicts_input else task.direction,
        rows=tuple(rows),
        fine_tuning=None,
    )


def _row(
    spec: Spec, settings: Train, dataset: Dataset, trained: Trained, fraction: float
) -> LearningRow:
    """Return what one network reaches on the samples that it learned from, and on validation."""
    task, positions = spec.task, dataset.split("train")
    if (score := spec.score) is not None:
        dataset = with_decision(dataset, Decision(score=score))
    kept = np.unique(np.linspace(0, len(positions) - 1, JUDGED).astype(int))
    known, loss = _only(dataset, positions[kept]), loss_of(settings, task)
    found = evaluator(trained.model, known, split="train", task=task, loss=loss)()
    name = "loss" if TASKS[task].predicts_input else TASKS[task].metric
    return LearningRow(
        fraction=fraction,
        samples=len(positions),
        train=found[f"val_{name}"],
        validation=trained.validation[f"val_{name}"],
        train_loss=found["val_loss"],
        validation_loss=trained.validation["val_loss"],
    )


def _only(dataset: Dataset, positions: Array) -> Dataset:
    """Return the dataset with only some of its training samples."""
    return replace(dataset, splits={**dataset.splits, "train": positions})
