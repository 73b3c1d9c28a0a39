"""The file that a network would ship as, made and judged on validation as the ladder does it."""

from pathlib import Path
from typing import Any

from pipeline.arrays import Arrays
from pipeline.artifacts import WORK
from pipeline.compress import ladder, measure
from pipeline.compress.calibration import known_ranges
from pipeline.data.dataset import Dataset
from pipeline.documents.ladder import MadeFile, Refusal
from pipeline.documents.recipe import FileRecipe, Quantizer
from pipeline.errors import ConversionError
from pipeline.export.inspect import inspect
from pipeline.export.make import make_file
from pipeline.tasks.task import Task


def make_shipped_file(
    folder: Path, form: str, *, dataset: Dataset, calibration: Path, io: str, granularity: str
) -> tuple[Path, int]:
    """Return the file, made in the plainest way, and how many operations stay in float.

    Args:
        folder: holds model.keras and spec.json; the file goes there.
        form: its format.
        dataset: whose inputs it takes.
        calibration: calibration.npz.
        io: type of input and output of the integer files.
        granularity: of `compress.quantize`.

    Raises:
        ConversionError: no file can be made of this model.
    """
    plain = FileRecipe.model_validate(
        {"input_ranges": known_ranges(dataset.preprocess), "granularity": granularity}
    )

    def attempt(rung: str, quantizer: Quantizer) -> MadeFile | Refusal:
        file = folder / f"{quantizer}.tflite"
        try:
            make_file(
                file,
                form,
                recipe=plain.model_copy(update={"quantizer": quantizer}),
                models=folder,
                spec=folder / "spec.json",
                calibration=calibration,
                io=io,
                work=folder / WORK,
            )
        except ConversionError as error:
            return Refusal(quantizer=quantizer, refused=str(error))
        left = inspect(file, form).float_ops_left
        return MadeFile(quantizer=quantizer, float_ops=len(left))

    found = ladder.least_float(ladder.PLAIN, attempt)
    if isinstance(found, Refusal):
        raise ConversionError(found.refused)
    return folder / f"{found.quantizer}.tflite", found.float_ops


def judge_file(file: Path, dataset: Dataset, reference: Arrays, *, task: Task) -> dict[str, Any]:
    """Return what a file reaches on validation, and what it lost against the float network.

    Args:
        file: the .tflite file.
        dataset: where the samples are.
        reference: the float network's outputs for them, by name.
        task: its metric judges the outputs.

    Returns:
        metrics (name -> value), reference (the task's metric of the float network), metric_drop,
        agreement.
    """
    targets = dataset.targets(dataset.split("validation"))
    outputs = measure.outputs_of(file, dataset, dataset.split("validation"))
    compared = measure.judge_outputs(dataset, reference, outputs, task=task)
    return {
        "metrics": task.metrics(targets, outputs),
        "reference": task.metrics(targets, reference)[task.metric],
        "metric_drop": compared.metric_drop,
        "agreement": compared.agreement,
    }
