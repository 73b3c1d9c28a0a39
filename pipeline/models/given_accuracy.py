"""Whether a trained network from outside knows the classes of this data; where not, why not.

A network that is given values of another range, or whose classes stand in another order, predicts
at chance and quantizes perfectly. So the usual ranges and a permutation of its classes are tried on
the validation split, and the one that explains it is named.
"""

import logging
from collections.abc import Iterator

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.arrays import Array, Model
from pipeline.data.dataset import Dataset
from pipeline.data.memmap_arrays import take_rows
from pipeline.documents.spec import Adoption, RawUnit, Spec
from pipeline.errors import ConfigError
from pipeline.models.equality import outputs_of_given
from pipeline.samples import KINDS
from pipeline.tasks import TASKS
from pipeline.tasks.intervals import wilson

log = logging.getLogger(__name__)

SAMPLES = 2000  # of the validation split, at most
GAIN = 0.2  # of accuracy, at least: another range helps random features a little, too
PICTURE_RANGES = {"[0, 255]": (255.0, 0.0), "[-1, 1]": (2.0, -1.0), "as_is": (1.0, 0.0)}


def check_accuracy(given: Model, spec: Spec, dataset: Dataset) -> None:
    """Refuse a trained network whose range or order of classes is another than this config's.

    Args:
        given: as it was read.
        spec: of it, as it is taken in.
        dataset: its validation split is predicted.

    Raises:
        ConfigError: its accuracy is that of chance, and another range or order explains it.
    """
    names = dataset.class_names
    if names is None or not TASKS[spec.task].has_softmax or spec.adoption.head != "keep":
        return
    positions = dataset.split("validation")[:SAMPLES]
    labels = np.asarray(take_rows(dataset.labels, positions))
    most = float(np.bincount(labels, minlength=len(names)).max() / len(labels))
    predicted = _predict(given, spec, dataset, positions)
    right = predicted == labels
    accuracy = float(right.mean())
    if wilson(int(right.sum()), len(labels))[0] > most:
        return
    told = (
        f"model.path: accuracy {accuracy:.4f} on the validation split, where the most frequent "
        f"class alone has {most:.4f}"
    )
    _refuse_other_order(predicted, labels, names, most, told)
    for setting, other in _other_ranges(spec, dataset):
        found = _predict(given, other, dataset, positions)
        share = float((found == labels).mean())
        if wilson(int((found == labels).sum()), len(labels))[0] > most and share > accuracy + GAIN:
            raise ConfigError(
                f"{told}; with model.input_range: {setting} it is {share:.4f}. Set it"
            )
        both = f"{told}; with model.input_range: {setting}"
        _refuse_other_order(found, labels, names, most, both)
    log.warning(
        "          %s: neither another model.input_range nor another order of classes explains it",
        told,
    )


def best_order(predicted: Array, labels: Array, classes: int) -> tuple[list[int], float]:
    """Return the class of each output by which most predictions are right, and their share.

    The order is found on every second sample and judged on the others, for the best of all orders
    looks good by chance.

    Args:
        predicted: ids of outputs (n,).
        labels: ids of classes (n,).
        classes: how many there are.
    """
    counts = np.zeros((classes, classes))
    np.add.at(counts, (predicted[::2], labels[::2]), 1)
    _, order = linear_sum_assignment(counts, maximize=True)
    return order.tolist(), float((order[predicted[1::2]] == labels[1::2]).mean())


def _refuse_other_order(
    predicted: Array, labels: Array, names: tuple[str, ...], most: float, told: str
) -> None:
    """Raise where the classes in another order make most predictions right, not just more."""
    order, share = best_order(predicted, labels, len(names))
    judged = len(labels) // 2
    if wilson(share * judged, judged)[0] > (1 + most) / 2:
        listed = ", ".join(names[k] for k in order)
        raise ConfigError(
            f"{told}; with its classes in another order it is {share:.4f}. Set "
            f"data.source.class_names: [{listed}]"
        )


def _predict(given: Model, spec: Spec, dataset: Dataset, positions: Array) -> Array:
    return np.argmax(outputs_of_given(given, spec, dataset, positions=positions), axis=1)


def _other_ranges(spec: Spec, dataset: Dataset) -> Iterator[tuple[str, Spec]]:
    """Yield the values of `model.input_range` that are not the spec's, each with its spec."""
    for setting, adoption in _ranges(dataset).items():
        values = {name: getattr(adoption, name) for name in ("scale", "offset", "raw")}
        other = spec.adoption.model_copy(update=values)
        if other != spec.adoption:
            yield setting, spec.model_copy(update={"adoption": other})


def _ranges(dataset: Dataset) -> dict[str, Adoption]:
    entries = dataset.preprocess.inputs
    if all(KINDS[entry.kind].has_fixed_range for entry in entries):
        return {
            name: Adoption(scale=scale, offset=offset)
            for name, (scale, offset) in PICTURE_RANGES.items()
        }
    units: dict[str, RawUnit] = {}
    for entry in entries:
        if (unit := KINDS[entry.kind].raw_unit(entry)) is not None:
            units[entry.name] = unit
    return {"raw": Adoption(raw=units), "as_is": Adoption()} if units else {}
