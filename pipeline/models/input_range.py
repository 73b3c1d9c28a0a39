"""Which values a network from outside was trained on, and how it is given them.

Our inputs are prepared: pictures in [0, 1], numbers of mean 0 and deviation 1. A network that
begins with its own `Rescaling` or `Normalization` expects raw values. What leads
from ours to raw values and its own first layers become one product and one sum, which int8 keeps.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.arrays import Array, Layer, Model, Tensor
from pipeline.config.model_schema import File
from pipeline.documents.preprocess import Entry
from pipeline.documents.spec import Adoption, RawUnit
from pipeline.errors import ConfigError
from pipeline.samples import KINDS

log = logging.getLogger(__name__)

MEANS = ("Normalization", "BatchNormalization")  # layers that know what they were trained on
FAR = 1.5  # mean or deviation of values that are not prepared: those have 0 and 1, pictures less
SMALL = 1 / 16  # a factor up to this one is for pixels to 255, not for values to 1


class Affine(NamedTuple):
    """scale * x + offset, of all values or of each along the last axis."""

    scale: Array
    offset: Array

    def then(self, other: "Affine") -> "Affine":
        """Return this one and then another as one."""
        return Affine(other.scale * self.scale, other.scale * self.offset + other.offset)

    @property
    def is_identity(self) -> bool:
        """Whether nothing changes, but for rounding."""
        return bool(
            np.allclose(self.scale, 1, atol=1e-6) and np.allclose(self.offset, 0, atol=1e-6)
        )


def adoption_of(settings: File, given: Model, entries: Sequence[Entry]) -> Adoption:
    """Return how a network from a file is taken in.

    Args:
        settings: the `model` section.
        given: Functional or Sequential, as it was read.
        entries: the inputs of preprocess.json, in the order in which the network takes them.

    Raises:
        ConfigError: raw values were asked for, and an input has none.
    """
    scale, offset, raw = settings.scale, settings.offset, dict[str, RawUnit]()
    asked = settings.input_range
    if isinstance(asked, tuple):
        low, high = asked
        scale, offset = scale * (high - low), offset + scale * low
    elif asked != "as_is" and (scale, offset) == (1.0, 0.0):
        for tensor, entry in zip(given.inputs, entries, strict=False):
            first = leading_layers(given, tensor)
            if asked == "raw" or _expects_raw(first, entry):
                raw[entry.name] = _raw_unit(entry, asked)
                _tell(entry, first)
    return Adoption(
        head=settings.head,
        scale=scale,
        offset=offset,
        raw=raw,
        reset_weights=settings.reset_weights,
    )


def _expects_raw(first: Sequence[Layer], entry: Entry) -> bool:
    """Return whether the first layer of an input is one for raw values."""
    if not first or KINDS[entry.kind].raw_unit(entry) is None:
        return False
    layer, is_picture = first[0], KINDS[entry.kind].has_fixed_range
    if type(layer).__name__ == "Rescaling":
        return is_picture and float(np.abs(layer.scale).max()) <= SMALL
    mean, deviation = _statistics(layer)
    is_far = max(float(np.abs(mean).max()), float(deviation.max())) > FAR
    return is_far or (not is_picture and float(deviation.min()) < 1 / FAR)


def _statistics(layer: Layer) -> tuple[Array, Array]:
    """Return mean and deviation that a layer takes out of its input."""
    if type(layer).__name__ == "BatchNormalization":
        return np.asarray(layer.moving_mean), np.sqrt(np.asarray(layer.moving_variance))
    return np.asarray(layer.mean), np.sqrt(np.asarray(layer.variance))


def _raw_unit(entry: Entry, asked: str) -> RawUnit:
    unit = KINDS[entry.kind].raw_unit(entry)
    if unit is None:
        raise ConfigError(
            f"model.input_range: {asked}: input {entry.name} is not its raw values times a factor; "
            "wanted data.source.numbers: standard, and no categories"
        )
    return unit


def _tell(entry: Entry, first: Sequence[Layer]) -> None:
    """Say that an input is given raw values, and why."""
    begins = f"; it begins with {type(first[0]).__name__} ({first[0].name})" if first else ""
    log.info(
        "          model.path: the network is given raw values of %s%s. model.input_range: as_is "
        "gives prepared ones",
        entry.name,
        begins,
    )


def leading_layers(model: Model, tensor: Tensor) -> list[Layer]:
    """Return the first layers behind an input (B, ...) that scale it, or subtract a mean."""
    found: list[Layer] = []
    while (layer := _only_reader(model, tensor)) is not None:
        if type(layer).__name__ not in ("Rescaling", *MEANS):
            break
        found.append(layer)
        tensor = layer.output
    return found


def fold_scaling(model: Model, tensor: Tensor, given: Affine) -> tuple[Affine, list[Layer]]:
    """Return what leads to an input, and its first layers, as one; and those layers.

    Args:
        model: Functional.
        tensor: one of its inputs (B, ..., C).
        given: what comes before it.
    """
    folded: list[Layer] = []
    for layer in leading_layers(model, tensor):
        own = _affine(layer)
        if own is None:
            break
        given = given.then(own)
        folded.append(layer)
    return given, folded


def _affine(layer: Layer) -> Affine | None:
    """Return a layer as one product and one sum along the last axis; None: it is another thing."""
    if type(layer).__name__ == "Rescaling":
        return Affine(np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64))
    if type(layer).__name__ != "Normalization" or layer.invert:
        return None
    mean, deviation = (np.asarray(value, np.float64) for value in _statistics(layer))
    if max((1, *mean.shape[:-1])) > 1:  # along other axes, too
        return None
    mean, deviation = mean.reshape(-1), np.maximum(deviation.reshape(-1), 1e-7)
    return Affine(1 / deviation, -mean / deviation)


def takes_ids(model: Model, tensor: Tensor) -> bool:
    """Return whether an input (B, ...) holds whole numbers that stand for words or categories."""
    reader = _only_reader(model, tensor)
    return "int" in str(tensor.dtype) or type(reader).__name__ == "Embedding"


def _only_reader(model: Model, tensor: Tensor) -> Layer | None:
    """Return the layer that alone reads a tensor; None: several do, or a model within the model."""
    readers = [
        node.operation
        for nodes in model._nodes_by_depth.values()
        for node in nodes
        if any(source is tensor for source in node.input_tensors)
    ]
    return readers[0] if len(readers) == 1 else None


def given_affine(adoption: Adoption, name: str) -> Affine:
    """Return what an input is multiplied by, and what is added, before the network sees it."""
    unit: Mapping[str, RawUnit] = adoption.raw
    source = unit.get(name, adoption)
    return Affine(np.asarray(source.scale, np.float64), np.asarray(source.offset, np.float64))
