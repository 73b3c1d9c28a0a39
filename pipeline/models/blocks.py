"""Layers shared by two or more models, made from whichever Keras namespace is passed in.

Every initialiser and every dropout has a seed of its own, so that weights depend on the config
alone. Layers have fixed names: reports, quantization errors and weights are told apart by them.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.seeds import fold_seed

ACTIVATIONS_HE = ("relu", "relu6")  # He et al. 2015, arXiv:1502.01852; Glorot for the others

# Of batch normalisation's running statistics. Keras' 0.99 needs 300 steps to forget its start, more
# than a small set makes in all; 0.9 needs 30.
MOMENTUM = 0.9


def inputs_of(keras: Any, spec: Mapping[str, Any], batch_size: int | None) -> list[Any]:
    """Return one input layer for each named input of the spec."""
    return [
        keras.Input(
            shape=tuple(entry["shape"]),
            batch_size=batch_size,
            dtype=entry["dtype"],
            name=entry["name"],
        )
        for entry in spec["inputs"]
    ]


def initializer(keras: Any, spec: Mapping[str, Any], name: str, activation: str | None) -> Any:
    """Return the kernel initialiser of layer `name`: He before rectifiers, else Glorot; seeded."""
    seed = fold_seed(spec["seed"], "initializer", name)
    if activation in ACTIVATIONS_HE:
        return keras.initializers.HeNormal(seed=seed)
    return keras.initializers.GlorotUniform(seed=seed)


def dropout(keras: Any, spec: Mapping[str, Any], x: Any, name: str) -> Any:
    """Apply dropout at the spec's rate; nothing is added at rate zero."""
    rate = spec["model"]["dropout"]
    if rate == 0:
        return x
    return keras.layers.Dropout(rate, seed=fold_seed(spec["seed"], "dropout", name), name=name)(x)


def flatten_to_vector(keras: Any, spec: Mapping[str, Any], inputs: list[Any]) -> Any:
    """Return all inputs as one vector a sample: numbers flattened, words and categories embedded.

    A text is the mean of the vectors of its words (Joulin et al. 2017, arXiv:1607.01759); what
    stands after its end has a vector too, and so the mean tells its length.
    """
    flat = []
    for x, entry in zip(inputs, spec["inputs"], strict=True):
        name = entry["name"]
        if entry["dtype"] == "int32":
            x = keras.layers.Embedding(
                entry["vocabulary"],
                spec["model"]["embedding"],
                embeddings_initializer=keras.initializers.RandomUniform(
                    -0.05, 0.05, seed=fold_seed(spec["seed"], "initializer", name)
                ),
                name=f"embedding_{name}",
            )(x)
            if entry["pool"] == "mean":
                flat.append(keras.layers.GlobalAveragePooling1D(name=f"mean_{name}")(x))
                continue
        flat.append(keras.layers.Flatten(name=f"flatten_{name}")(x))
    return flat[0] if len(flat) == 1 else keras.layers.Concatenate(name="join")(flat)


def dense_stack(
    keras: Any, spec: Mapping[str, Any], x: Any, widths: tuple[int, ...], *, batch_norm: bool
) -> Any:
    """Apply dense layers named dense_1, dense_2, … with the spec's activation."""
    activation = spec["model"]["activation"]
    for number, width in enumerate(widths, 1):
        name = f"dense_{number}"
        x = keras.layers.Dense(
            width,
            use_bias=not batch_norm,
            kernel_initializer=initializer(keras, spec, name, activation),
            name=name,
        )(x)
        if batch_norm:
            x = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_norm")(x)
        x = keras.layers.Activation(activation, name=f"{name}_{activation}")(x)
    return x


def output(keras: Any, spec: Mapping[str, Any], x: Any) -> Any:
    """Apply the output layer: `logits` and a softmax for classes, `value` for a regression."""
    units = spec["output"]["units"]
    if spec["output"]["task"] == "classification":
        logits = keras.layers.Dense(
            units, kernel_initializer=initializer(keras, spec, "logits", None), name="logits"
        )(x)
        return keras.layers.Activation("softmax", name="probabilities")(logits)
    return keras.layers.Dense(
        units, kernel_initializer=initializer(keras, spec, "value", None), name="value"
    )(x)


def logits_model(keras: Any, model: Any) -> Any:
    """Return the model up to its logits where it has a softmax; else itself.

    Layers and weights are shared with `model`.
    """
    names = [layer.name for layer in model.layers]
    return (
        keras.Model(model.inputs, model.get_layer("logits").output) if "logits" in names else model
    )
