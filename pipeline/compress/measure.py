"""Measurements of a quantized file on the validation split, against the reference's outputs."""

from pathlib import Path

import numpy as np

from pipeline.arrays import Array, Arrays, Model, only, take
from pipeline.data.dataset import Dataset
from pipeline.data.memmap_arrays import take_rows
from pipeline.device.measure import run_file
from pipeline.documents.ladder import Judgment, Measurement
from pipeline.documents.recipe import Quantizer
from pipeline.export.inspect import inspect
from pipeline.models.predict import in_target_unit, predict
from pipeline.models.save import load_keras
from pipeline.tasks import TASKS
from pipeline.tasks.intervals import rate_at_least
from pipeline.tasks.task import Task, metric_drop, ranking_drop
from pipeline.verify.parity import worst_class

RANKED = 2  # classes
ENOUGH_OF_A_CLASS = 200  # samples for AUC: its standard error is then below 0.03
ENOUGH = 1000  # samples for agreement: 0.99 of them is at least 0.983 with 95 % confidence


def agreement_samples(dataset: Dataset) -> Array:
    """Return the validation split (n,), and training samples behind it where it is small.

    They are no part of calibration, whose ranges the file has. Only decisions of the file and of
    the reference are compared on them, no labels. Values are compared on validation only: how near
    they must be follows from the reference's error on samples that it did not learn from.
    """
    validation = dataset.split("validation")
    if not TASKS[dataset.meta.task].has_classes:
        return validation
    free = dataset.split("train")
    free = free[~np.isin(free, dataset.split("calibration"))]
    return np.concatenate([validation, free[: max(0, ENOUGH - len(validation))]])


def ranking_samples(dataset: Dataset) -> Array:
    """Return `agreement_samples` (n,), and behind them training samples of classes rare in them.

    A ranking of two classes is as certain as the rarer class is large: with 20 positives that all
    score high, equal scores of the others are not seen.
    """
    found = agreement_samples(dataset)
    if TASKS[dataset.meta.task].ranking is None or len(dataset.class_names or ()) != RANKED:
        return found
    train, taken = dataset.split("train"), np.concatenate([found, dataset.split("calibration")])
    free = train[~np.isin(train, taken)]
    known, labels = (np.asarray(take_rows(dataset.labels, at)) for at in (found, free))
    more = [
        free[labels == k][: max(0, ENOUGH_OF_A_CLASS - int((known == k).sum()))]
        for k in range(RANKED)
    ]
    return np.concatenate([found, *more])


def reference_outputs(model: Path, dataset: Dataset) -> dict[str, Array]:
    """Return a `.keras` file's outputs on `ranking_samples`: name -> (N, ...)."""
    return predict(load_keras(model), dataset, ranking_samples(dataset))


def measure_model(model: Model, reference: Model, dataset: Dataset, *, task: Task) -> Judgment:
    """Return how a Keras model compares with the reference, on validation.

    Args:
        model: the model.
        reference: the trained model.
        dataset: where the validation split is.
        task: its metric and decisions judge the outputs.
    """
    outputs = [predict(net, dataset, dataset.split("validation")) for net in (model, reference)]
    return judge_outputs(dataset, outputs[1], outputs[0], task=task)


def measure_rung(
    file: Path,
    form: str,
    *,
    dataset: Dataset,
    reference: Arrays,
    task: Task,
    quantizer: Quantizer,
) -> Measurement:
    """Return what one file costs, and how it compares with the reference.

    Args:
        file: the .tflite file.
        form: its format.
        dataset: where the validation split is.
        reference: the reference's outputs on `ranking_samples`, by name.
        task: its metric and decisions judge the outputs.
        quantizer: that made it.
    """
    positions, compared = ranking_samples(dataset), slice(len(agreement_samples(dataset)))
    outputs = outputs_of(file, dataset, positions)
    validation = slice(len(dataset.split("validation")))
    judged = judge_outputs(
        dataset, take(reference, validation), take(outputs, validation), task=task
    )
    same = _same(dataset, take(reference, compared), take(outputs, compared), task=task)
    drop = ranking_drop(task, dataset.targets(positions), reference, other=outputs)
    return Measurement(
        quantizer=quantizer,
        bytes=file.stat().st_size,
        agreement_samples=len(same),
        agreement_at_least=rate_at_least(int(same.sum()), len(same)),
        float_ops=len(inspect(file, form).float_ops_left),
        **judged.dump() | {"auc_drop": drop},
    )


def outputs_of(file: Path, dataset: Dataset, indices: Array) -> dict[str, Array]:
    """Return a .tflite file's outputs on samples: name -> (N, ...), in the target's unit.

    Args:
        file: the .tflite file.
        dataset: where the samples are.
        indices: of the samples (N,).
    """
    raw = dataset.read(indices)
    return in_target_unit(run_file(file, dataset.preprocess, raw).outputs, dataset.preprocess)


def judge_outputs(dataset: Dataset, reference: Arrays, outputs: Arrays, *, task: Task) -> Judgment:
    """Return how outputs on the validation split, by name, compare with the reference's."""
    targets = dataset.targets(dataset.split("validation"))
    wanted, found = task.metrics(targets, reference), task.metrics(targets, outputs)
    same = _same(dataset, reference, outputs, task=task)
    worst: float | None = None
    if dataset.class_names is not None:
        worst = worst_class(only(targets), only(reference), only(outputs))[1]
    return Judgment(
        metric=found[task.metric],
        metric_drop=metric_drop(task, wanted, found),
        agreement=float(same.mean()),
        worst_class_drop=worst,
        auc_drop=ranking_drop(task, targets, reference, other=outputs),
    )


def _same(dataset: Dataset, reference: Arrays, outputs: Arrays, *, task: Task) -> Array:
    """Return which decisions are the same (N,); how far values spread, validation says."""
    targets = dataset.targets(dataset.split("validation"))
    return task.agree(task.decisions(reference), task.decisions(outputs), targets)
