"""One operation of a .tflite file, and how shapes there stand for shapes in Keras."""

from dataclasses import dataclass
from typing import Any

from pipeline.arrays import Array, Layer, Tensor


class Refused(Exception):
    """A file holds what cannot be rebuilt; the text says what."""


@dataclass(frozen=True)
class Node:
    """One operation of a file."""

    kind: str
    name: str
    options: Any
    """Its table of the schema; None where it has none."""
    read: list[Any]
    """The Keras tensors that it reads; None in the place of constants."""
    stored: list[Array | None]
    """Constants that it reads; None in the place of tensors."""
    shapes: list[list[int]]
    """Of what it reads, in the file."""
    written: list[list[int]]
    """Of what it writes, in the file."""

    def constant(self, place: int) -> Array:
        """Return a constant input in its shape in the file.

        Raises:
            Refused: the input is computed.
        """
        found = self.stored[place] if place < len(self.stored) else None
        if found is None:
            raise Refused(f"{self.name}: input {place} is computed; wanted a constant")
        return found

    def bias(self, place: int) -> Array | None:
        """Return the bias (channels,); None where the operation has none."""
        is_there = place < len(self.read) and bool(self.shapes[place])
        return self.constant(place) if is_there else None

    def tensor(self, place: int = 0) -> Any:
        """Return a tensor that must be computed."""
        found = self.read[place]
        if found is None:
            raise Refused(f"{self.name}: input {place} is a constant; wanted a tensor")
        return found

    def axis(self, axis: int, shape: list[int]) -> int:
        """Return where an axis of the file's tensor is in Keras, whose first is the batch."""
        return axis % max(len(shape), 1) + (0 if has_batch(shape) else 1)


def has_batch(shape: list[int]) -> bool:
    """Tell whether a tensor's first axis stands for the batch."""
    return bool(shape) and shape[0] == 1


def sample_shape(shape: list[int]) -> tuple[int, ...]:
    """Return the shape of one sample in Keras."""
    return tuple(shape[1:] if has_batch(shape) else shape)


def to_file_shape(x: Tensor, shape: list[int], name: str) -> Any:
    """Return a tensor in the form of a file's shape."""
    import keras

    wanted = sample_shape(shape)
    return x if tuple(x.shape[1:]) == wanted else keras.layers.Reshape(wanted, name=name)(x)


def to_sample_shape(x: Tensor, inner: tuple[int, ...], name: str) -> Any:
    """Reshape a Keras tensor so that one sample has the shape `inner`."""
    import keras

    return x if tuple(x.shape[1:]) == inner else keras.layers.Reshape(inner, name=name)(x)


def call_with_weights(layer: Layer, x: Tensor, weights: list[Array | None]) -> Any:
    """Call a layer on a tensor, and set its weights, each in its Keras shape; None is left out."""
    output = layer(x)
    layer.set_weights([w for w in weights if w is not None])
    return output
