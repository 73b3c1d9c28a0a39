"""Which equality holds between two sides: same bytes, same decisions, same metric, or none.

Each class holds where those after it do. Weights have a class of their own: bit-equal, or the
largest difference.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, Arrays
from pipeline.compare.sides import Side
from pipeline.documents.comparison import Equality, FileEquality, PairedDrop, WeightsDistance
from pipeline.tasks import task_of
from pipeline.tasks.task import Task
from pipeline.verify.parity import drop_interval

CLASSES = {  # class -> what it says
    "bytes": "same bytes",
    "decisions": "same decisions",
    "metric": "same metric within its interval",
    "different": "different",
    "unknown": "not comparable",
}
PREDICTION = "prediction"  # name of the only output of a shipped model, as predictions.npz holds it
SEED = 0  # of the bootstrap: the same sides give the same interval
NO_WEIGHTS = ("seed_generator", "optimizer")  # parts of a path that hold no weight of the network


def equality(one: Side, other: Side) -> FileEquality:
    """Return how the shipped model of one side stands to that of another."""
    own, theirs = one.files[one.ships], other.files[other.ships]
    paired = _paired(one, other)
    if own.sha256 == theirs.sha256:
        why = f"the shipped file, {theirs.file}, is the same"
        measured = None if isinstance(paired, str) else paired
        return FileEquality(equality="bytes", why=why, measured=measured)
    if isinstance(paired, str):
        return FileEquality(equality="unknown", why=paired, measured=None)
    if paired.agreement == 1.0:
        why = f"all {paired.samples:,} predictions agree"
        return FileEquality(equality="decisions", why=why, measured=paired)
    low, high = paired.metric_drop_ci95
    share = f"{100 * paired.agreement:.2f} % of {paired.samples:,} decisions agree"
    name: Equality = "metric" if low <= 0 <= high else "different"
    around = "contains 0" if name == "metric" else "does not contain 0"
    why = f"{share}; the interval of the drop, {low:.4f} to {high:.4f}, {around}"
    return FileEquality(equality=name, why=why, measured=paired)


def _paired(one: Side, other: Side) -> PairedDrop | str:
    """Return the paired difference of both on the same samples; a sentence where it is unknown."""
    if one.task != other.task:
        return f"the tasks differ: {one.task} and {other.task}"
    if one.labels != other.labels:
        return "the classes differ, or their order"
    if not one.predictions or not other.predictions:
        return "an earlier version made one of them, without stored predictions; run it again"
    if not np.array_equal(one.predictions["samples"], other.predictions["samples"]):
        return "they were measured on other samples"
    task = task_of(one.task, one.config.get("task_metric", "auto"))
    targets = {task.targets[0].name: one.predictions["labels"]}
    first, second = (
        {PREDICTION: _outputs(side.predictions[f"prediction_{side.ships}"], side.labels)}
        for side in (one, other)
    )
    return compare_outputs(task, targets, first, second=second)


def compare_outputs(task: Task, targets: Arrays, first: Arrays, *, second: Arrays) -> PairedDrop:
    """Return how outputs differ from others, with a paired 95 % interval.

    Args:
        task: its metric and its decisions are compared.
        targets: name -> (N, ...).
        first: name -> (N, ...), what the second is compared with.
        second: name -> (N, ...), of the same samples.
    """
    same = task.agree(task.decisions(first), task.decisions(second), targets)
    values = [task.score(targets, found) for found in (first, second)]
    drop = (values[0] - values[1]) * (1 if task.direction == "up" else -1)
    if task.is_relative:
        drop /= abs(values[0]) or 1.0
    interval = drop_interval(task, targets, first, second, seed=SEED)
    return PairedDrop(
        samples=len(same),
        agreement=float(same.mean()),
        metric_drop=float(drop),
        metric_drop_ci95=interval,
    )


def _outputs(predictions: Array, labels: tuple[str, ...] | None) -> Array:
    """Return outputs (N, K); one-hot where only predicted classes (N,) were stored."""
    if predictions.ndim == 2:
        return predictions
    return np.eye(len(labels or ()), dtype=np.float32)[predictions]


def weights(one: Side, other: Side) -> WeightsDistance:
    """Return how the weights of two trained models differ."""
    if one.reference.sha256 == other.reference.sha256:
        why = "model.keras has the same bytes"
        return WeightsDistance(equality="bit-equal", why=why, largest=0.0)
    first, second = (read_weights(side.reference.path) for side in (one, other))
    return distance(first, second)


def distance(first: Mapping[str, Array], second: Mapping[str, Array]) -> WeightsDistance:
    """Return the largest difference of two sets of weights; other shapes have no distance."""
    lacking = sorted(first.keys() ^ second.keys())
    if lacking:
        why = f"{len(lacking)} weights are in only one, such as {lacking[0]}"
        return WeightsDistance(equality="other network", why=why, largest=None)
    for name, values in first.items():
        if values.shape != second[name].shape:
            why = f"{name} has the shapes {values.shape} and {second[name].shape}"
            return WeightsDistance(equality="other network", why=why, largest=None)
    apart = {
        name: float(np.abs(values.astype(np.float64) - second[name]).max(initial=0.0))
        for name, values in first.items()
    }
    worst = max(apart, key=lambda name: apart[name], default="")
    if not worst or apart[worst] == 0.0:
        why = f"all {len(first)} weights are equal to the last bit; the files differ"
        return WeightsDistance(equality="bit-equal", why=why, largest=0.0)
    scale = float(np.abs(first[worst]).max(initial=0.0))
    why = f"largest difference {apart[worst]:.3g}, in {worst}, whose largest value is {scale:.3g}"
    return WeightsDistance(equality="apart", why=why, largest=apart[worst])


def read_weights(path: Path) -> dict[str, Array]:
    """Read the weights of a .keras file without Keras.

    Returns:
        Path inside model.weights.h5 -> values, in the layer's shape; no optimizer state.
    """
    import h5py

    found: dict[str, Array] = {}

    def keep(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset) and not any(part in name for part in NO_WEIGHTS):
            found[name] = np.asarray(node)

    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r") as file:
        file.visititems(keep)
    return found
