"""From a spec's named inputs to the one tensor that a network begins with.

Legend: B batch, T steps, C channels, H height, W width. Words and categories get a vector each.
"""

from typing import Any

from pipeline.arrays import Namespace
from pipeline.documents.spec import Spec, SpecInput
from pipeline.seeds import fold_seed


def inputs_of(keras: Namespace, spec: Spec, batch_size: int | None) -> list[Any]:
    """Return one input layer for each named input of the spec."""
    return [
        keras.Input(
            shape=tuple(entry.shape),
            batch_size=batch_size,
            dtype=entry.dtype,
            name=entry.name,
        )
        for entry in spec.inputs
    ]


def vector_of(keras: Namespace, spec: Spec, inputs: list[Any]) -> Any:
    """Return all inputs as one vector (B, n): numbers flattened, words and categories embedded.

    A text is the mean of the vectors of its words (Joulin et al. 2017, arXiv:1607.01759); what
    stands after its end has a vector too, and so the mean tells its length.
    """
    flat = []
    for x, entry in zip(inputs, spec.inputs, strict=True):
        name = entry.name
        if entry.dtype == "int32":
            x = embed_tokens(keras, spec, x, entry=entry)
            if entry.pool == "mean":
                flat.append(keras.layers.GlobalAveragePooling1D(name=f"mean_{name}")(x))
                continue
        flat.append(keras.layers.Flatten(name=f"flatten_{name}")(x))
    return flat[0] if len(flat) == 1 else keras.layers.Concatenate(name="join")(flat)


def embed_tokens(keras: Namespace, spec: Spec, x: Any, *, entry: SpecInput) -> Any:
    """Return whole numbers (B, T) as learned vectors (B, T, embedding)."""
    seed = fold_seed(spec.seed, "initializer", entry.name)
    return keras.layers.Embedding(
        entry.vocabulary,
        getattr(spec.model, "embedding", 0),
        embeddings_initializer=keras.initializers.RandomUniform(-0.05, 0.05, seed=seed),
        name=f"embedding_{entry.name}",
    )(x)


def picture_of(spec: Spec, inputs: list[Any]) -> Any:
    """Return the only input of a network, which must be an image (B, H, W, C).

    Raises:
        ValueError: there are other inputs.
    """
    (x, *others), (entry, *_) = inputs, spec.inputs
    if others or len(entry.shape) != 3:
        raise ValueError("wanted one picture (height, width, channels)")
    return x


def sequence_of(keras: Namespace, spec: Spec, inputs: list[Any]) -> Any:
    """Return the one sequence (B, T, C): a series, a text, or the rows of a picture in turn.

    Raises:
        ValueError: there are other inputs, or it has no steps.
    """
    (x, *others), (entry, *_) = inputs, spec.inputs
    shape = entry.shape
    if others:
        raise ValueError("wanted one series, text or picture")
    if entry.is_text:
        return embed_tokens(keras, spec, x, entry=entry)
    if len(shape) == 3:
        return keras.layers.Reshape((shape[0], shape[1] * shape[2]), name="rows")(x)
    if len(shape) != 2:
        raise ValueError("wanted a series (steps, channels), a text or a picture")
    return x
