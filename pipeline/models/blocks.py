"""Layers shared by two or more models, made from whichever Keras namespace is passed in.

Every initializer and every dropout has a seed of its own, so that weights depend on the config
alone. Layers have fixed names: reports, quantization errors and weights are told apart by them.
"""

from typing import Any

from pipeline.arrays import Model, Namespace, Tensor
from pipeline.config.model_schema import Hidden
from pipeline.documents.spec import Spec
from pipeline.seeds import fold_seed
from pipeline.tasks import TASKS

# Before these, He et al. 2015 (arXiv:1502.01852); before the others Glorot and Bengio 2010.
ACTIVATIONS_HE = ("relu", "relu6", "leaky_relu", "gelu", "hard_swish")

# Of batch normalization's running statistics. Keras' 0.99 needs 300 steps to forget its start, more
# than a small set makes in all; 0.9 needs 30.
MOMENTUM = 0.9


def initializer(keras: Namespace, spec: Spec, name: str, *, activation: str | None) -> Any:
    """Return the kernel initializer of layer `name`, seeded: as the spec says, or by activation."""
    seed = fold_seed(spec.seed, "initializer", name)
    chosen = getattr(spec.model, "initializer", "auto")  # a perceptron has no choice
    if chosen == "he" or (chosen == "auto" and activation in ACTIVATIONS_HE):
        return keras.initializers.HeNormal(seed=seed)
    return keras.initializers.GlorotUniform(seed=seed)


def activate(keras: Namespace, spec: Spec, x: Any, *, name: str) -> Any:
    """Apply the spec's activation, after layer `name`."""
    settings = spec.settings(Hidden)
    name = f"{name}_{settings.activation}"
    if settings.activation == "leaky_relu":
        return keras.layers.LeakyReLU(settings.negative_slope, name=name)(x)
    return apply_activation(keras, x, settings.activation, name=name)


def apply_activation(keras: Namespace, x: Tensor, activation: str, *, name: str) -> Any:
    """Apply an activation to a tensor of any shape, in a form that both Keras versions have."""
    if activation == "hard_swish" and not hasattr(keras.activations, "hard_swish"):
        # x * relu6(x + 3) / 6 (Howard et al. 2019, arXiv:1905.02244, section 5.2), in the form that
        # the converter turns into one operation.
        gate = keras.layers.Rescaling(1.0, 3.0, name=f"{name}_plus_3")(x)
        gate = keras.layers.ReLU(6, name=f"{name}_relu6")(gate)
        gate = keras.layers.Rescaling(1 / 6, name=f"{name}_sixth")(gate)
        return keras.layers.Multiply(name=name)([x, gate])
    return keras.layers.Activation(activation, name=name)(x)


def batch_norm(keras: Namespace, x: Any, name: str) -> Any:
    """Normalize each channel over the batch (Ioffe and Szegedy 2015, arXiv:1502.03167)."""
    return keras.layers.BatchNormalization(momentum=MOMENTUM, name=name)(x)


def dropout(keras: Namespace, spec: Spec, x: Any, *, name: str, setting: str = "dropout") -> Any:
    """Apply dropout at the spec's rate; nothing is added at rate zero."""
    rate = getattr(spec.model, setting)
    if rate == 0:
        return x
    return keras.layers.Dropout(rate, seed=fold_seed(spec.seed, "dropout", name), name=name)(x)


def dense(keras: Namespace, spec: Spec, x: Any, *, units: int, name: str, **options: Any) -> Any:
    """Apply a dense layer without activation; `activation` says what comes after it."""
    activation = options.pop("activation", None)
    kernel = initializer(keras, spec, name, activation=activation)
    return keras.layers.Dense(units, kernel_initializer=kernel, name=name, **options)(x)


def dense_stack(
    keras: Namespace, spec: Spec, x: Any, *, widths: tuple[int, ...], normalize: bool
) -> Any:
    """Apply dense layers named dense_1, dense_2, … with the spec's activation."""
    activation = spec.settings(Hidden).activation
    for number, width in enumerate(widths, 1):
        name = f"dense_{number}"
        x = dense(
            keras, spec, x, units=width, name=name, activation=activation, use_bias=not normalize
        )
        if normalize:
            x = batch_norm(keras, x, f"{name}_norm")
        x = activate(keras, spec, x, name=name)
    return x


def convolution(
    keras: Namespace,
    spec: Spec,
    x: Any,
    *,
    filters: int | None,
    name: str,
    normalize: bool = True,
    **window: Any,
) -> Any:
    """Apply convolution, normalization and activation; a bias would vanish in the normalization.

    Args:
        keras: the namespace.
        spec: of the network.
        x: a picture (B, H, W, C), or a sequence (B, T, C).
        filters: output channels; None: depthwise, each channel by itself.
        name: of the layer; what follows it is named after it.
        normalize: whether batch normalization comes before the activation.
        window: kernel_size, strides, padding of the Keras layer.
    """
    kernel = initializer(keras, spec, name, activation=spec.settings(Hidden).activation)
    options = {"use_bias": not normalize, "name": name, "padding": "same"} | window
    if filters is None:
        x = keras.layers.DepthwiseConv2D(depthwise_initializer=kernel, **options)(x)
    else:
        layer = keras.layers.Conv2D if len(x.shape) == 4 else keras.layers.Conv1D
        x = layer(filters, kernel_initializer=kernel, **options)(x)
    if normalize:
        x = batch_norm(keras, x, f"{name}_norm")
    return activate(keras, spec, x, name=name)


def recurrent(
    keras: Namespace, spec: Spec, cell: str, *, units: int, name: str, **options: Any
) -> Any:
    """Return a recurrent layer of simple, lstm or gru cells; `options` are of the Keras layer."""
    cells = {
        "simple": keras.layers.SimpleRNN,
        "lstm": keras.layers.LSTM,
        "gru": keras.layers.GRU,
    }
    return cells[cell](
        units,
        kernel_initializer=initializer(keras, spec, name, activation=None),
        recurrent_initializer=keras.initializers.Orthogonal(
            seed=fold_seed(spec.seed, "recurrent", name)
        ),
        name=name,
        **options,
    )


def pool_sequence(keras: Namespace, x: Any, how: str) -> Any:
    """Return a sequence (B, T, C) as a vector (B, C) or, by flatten, (B, T * C)."""
    if how == "mean":
        return keras.layers.GlobalAveragePooling1D(name="mean")(x)
    if how == "max":  # as a window over all steps: that has an integer form everywhere
        x = keras.layers.MaxPooling1D(x.shape[1], name="max")(x)
    return keras.layers.Flatten(name="flatten")(x)


def output(keras: Namespace, spec: Spec, x: Any) -> Any:
    """Apply the layer of the only output; of classes `logits` and a softmax."""
    (made,) = spec.outputs
    if TASKS[spec.task].has_softmax:
        logits = dense(keras, spec, x, units=spec.units, name="logits")
        return keras.layers.Activation("softmax", name=made.name)(logits)
    return dense(keras, spec, x, units=spec.units, name=made.name)


def logits_model(keras: Namespace, model: Model) -> Any:
    """Return the model up to its logits where it has a softmax; else itself.

    Layers and weights are shared with `model`.
    """
    names = [layer.name for layer in model.layers]
    return (
        keras.Model(model.inputs, model.get_layer("logits").output) if "logits" in names else model
    )
