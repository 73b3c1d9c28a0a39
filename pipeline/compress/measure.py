"""Measurements of a quantized file on the validation split, against the reference's outputs."""

from pathlib import Path

from pipeline.arrays import Array, Arrays, Model, only
from pipeline.data.dataset import Dataset
from pipeline.device.measure import run_file
from pipeline.documents.ladder import Judgment, Measurement
from pipeline.documents.recipe import Quantizer
from pipeline.export.inspect import inspect
from pipeline.models.predict import in_target_unit, predict
from pipeline.models.save import load_keras
from pipeline.tasks.task import Task, metric_drop
from pipeline.verify.parity import worst_class


def reference_outputs(model: Path, dataset: Dataset) -> dict[str, Array]:
    """Return a `.keras` file's outputs on the validation split: name -> (N, ...)."""
    return predict(load_keras(model), dataset, dataset.split("validation"))


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
        reference: the reference's outputs on that split, by name.
        task: its metric and decisions judge the outputs.
        quantizer: that made it.
    """
    judged = judge_outputs(dataset, reference, outputs_of(file, dataset), task=task)
    return Measurement(
        quantizer=quantizer,
        bytes=file.stat().st_size,
        float_ops=len(inspect(file, form).float_ops_left),
        **judged.dump(),
    )


def outputs_of(file: Path, dataset: Dataset) -> dict[str, Array]:
    """Return a .tflite file's outputs on validation, name -> (N, ...), in the target's unit."""
    raw = dataset.read(dataset.split("validation"))
    return in_target_unit(run_file(file, dataset.preprocess, raw).outputs, dataset.preprocess)


def judge_outputs(dataset: Dataset, reference: Arrays, outputs: Arrays, *, task: Task) -> Judgment:
    """Return how outputs on the validation split, by name, compare with the reference's."""
    targets = dataset.targets(dataset.split("validation"))
    wanted, found = task.metrics(targets, reference), task.metrics(targets, outputs)
    same = task.agree(task.decisions(reference), task.decisions(outputs), targets)
    worst: float | None = None
    if dataset.class_names is not None:
        worst = worst_class(only(targets), only(reference), only(outputs))[1]
    return Judgment(
        metric=found[task.metric],
        metric_drop=metric_drop(task, wanted, found),
        agreement=float(same.mean()),
        worst_class_drop=worst,
    )
