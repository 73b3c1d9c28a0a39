"""The samples that files are judged on, and the reference's outputs for them."""

from dataclasses import dataclass

from pipeline.arrays import Array, Arrays, only
from pipeline.artifacts import Inputs
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset, with_decision_of
from pipeline.models.predict import predict
from pipeline.models.save import load_keras
from pipeline.tasks import TASKS, task_of
from pipeline.tasks.task import Task
from pipeline.verify.recordings import metrics_with

REFERENCE = "model.keras"


@dataclass(frozen=True)
class Held:
    """The samples of `verify.split`, on which files are compared with the reference."""

    dataset: Dataset
    positions: Array
    targets: Arrays
    """What the samples should be predicted as: name -> (N, ...)."""
    raw: dict[str, Array]
    reference: Arrays
    """Outputs of the reference by name, in the target's unit."""
    task: Task
    """How its predictions are judged."""
    recordings: Array | None
    """Recording of each sample (N,), of which it is a window; None: it is none."""
    groups: Array | None
    """Group of each sample (N,), for metrics per group; None: there are none."""

    @property
    def labels(self) -> Array:
        """Class ids or values (N,), where that is the only target."""
        return only(self.targets)

    def metrics(self, outputs: Arrays) -> dict[str, float]:
        """Return the task's metrics of outputs, and those of whole recordings."""
        return metrics_with(
            self.task, self.targets, outputs, recordings=self.recordings, groups=self.groups
        )


def held_out(config: Config, inputs: Inputs) -> Held:
    """Read the samples, and run the reference on them."""
    dataset = with_decision_of(open_dataset(inputs["dataset"]), inputs["reference"])
    positions = dataset.split(config.verify.split)
    reference = predict(load_keras(inputs["reference"] / REFERENCE), dataset, positions)
    targets, raw = dataset.targets(positions), dataset.read(positions)
    recordings = dataset.recordings if TASKS[config.task].has_recordings else None
    groups = dataset.report_groups
    return Held(
        dataset,
        positions,
        targets,
        raw,
        reference,
        task_of(config.task, config.task_metric),
        None if recordings is None else recordings[positions],
        None if groups is None else groups[positions],
    )
