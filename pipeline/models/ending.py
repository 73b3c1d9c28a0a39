"""How a network from outside ends, in the form in which our own families end.

Classes end with `logits` and a softmax, a quantity with `value` in the target's unit. The weights
of the layers that are replaced move over.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.arrays import Array, Layer, Model, Namespace
from pipeline.documents.spec import Spec
from pipeline.documents.target import Target
from pipeline.errors import ConfigError
from pipeline.models import blocks
from pipeline.models.graph import functional, is_model
from pipeline.models.layer_settings import settings_of
from pipeline.tasks import TASKS

Change = Callable[[list[Array]], list[Array]]
LINEAR = ("linear", None)
RESHAPES = ("Reshape", "Flatten", "Squeeze", "Dropout", "Identity")  # no number changes in them


@dataclass(frozen=True)
class Ending:
    """How a network ends: its last layers, what stands for them, and the weights of that."""

    replaced: Mapping[int, Callable[..., Any]]
    """Identity of a layer -> the function that replaces it."""
    move: Callable[[], None]
    """Brings the weights of the replaced layers over."""


def layers_from_output(model: Model) -> Iterator[Any]:
    """Yield the layers from the output back, as long as each has one input; enter inner models."""
    (tensor,) = model.outputs
    while True:
        layer, number = tensor._keras_history.operation, tensor._keras_history.node_index
        yield from layers_from_output(functional(layer)) if is_model(layer) else [layer]
        sources = layer._inbound_nodes[number].input_tensors
        if len(sources) != 1 or sources[0]._keras_history.operation is None:
            return
        (tensor,) = sources
        if type(tensor._keras_history.operation).__name__ == "InputLayer":
            return


def _last(model: Model) -> tuple[Any, Any]:
    """Return the last layer and the one before it; of inner models their own last ones."""
    layers = layers_from_output(model)
    return next(layers), next(layers, None)


def _reshaped_softmax(model: Model) -> tuple[Any, Any, Any] | None:
    """Return last layer, softmax and its scores where only reshapes follow a softmax; else None.

    The softmax is over all numbers of a sample, so that it may as well come last.
    """
    chain = list(layers_from_output(model))
    count = next((i for i, x in enumerate(chain) if type(x).__name__ not in RESHAPES), len(chain))
    if count in (0, len(chain)) or activation_of(chain[count]) != "softmax":
        return None
    softmax, scores = chain[count], (*chain, None)[count + 1]
    shape = softmax.output.shape[1:]
    if getattr(softmax, "axis", -1) not in (-1, len(shape)) or max((1, *shape[:-1])) > 1:
        return None
    return chain[0], softmax, scores if _is_activation(softmax) else softmax


def cut_head(model: Model, head: str) -> Ending:
    """Return the ending of a network that gets another head; its own is removed where asked for."""
    if head == "add":
        return Ending({}, lambda: None)
    last, before = _last(model)
    gone: dict[int, Callable[..., Any]] = {id(last): lambda x, **_: x}
    if _is_activation(last):
        gone[id(before)] = gone[id(last)]
    return Ending(gone, lambda: None)


def activation_of(layer: Layer) -> str | None:
    """Return the name of a layer's activation; None where it has none, or is no layer."""
    if type(layer).__name__ == "Softmax":
        return "softmax"
    found = getattr(layer, "activation", None)
    return getattr(found, "__name__", None)


def _is_activation(layer: Layer) -> bool:
    """Return whether a layer is only an activation, such as a softmax."""
    return activation_of(layer) is not None and not layer.weights


def end_as_ours(keras: Namespace, model: Model, spec: Spec, *, target: Target | None) -> Ending:
    """Return the ending in our own form, with the same outputs.

    Raises:
        ConfigError: its outputs do not fit the task.
    """
    (last, before), units = _last(model), spec.units
    if TASKS[spec.task].predicts_input:
        return Ending({}, lambda: None)
    scores = before if _is_activation(last) else last
    shape, activation = list(model.outputs[0].shape[1:]), activation_of(last)
    is_class, is_dense = TASKS[spec.task].has_softmax, isinstance(scores, keras.layers.Dense)
    softmax = keras.layers.Activation("softmax", name="probabilities")
    is_one_of_two = is_class and is_dense and (units, shape) == (2, [1])
    if is_one_of_two and activation in ("sigmoid", *LINEAR):
        return _classes(scores, last, _two_logits(keras, spec, scores), softmax, beside_zero)
    if shape != [units]:
        raise ConfigError(
            f"model.path: the network outputs {shape} numbers and the data asks for "
            f"[{units}]; set model.head: replace for a new last layer"
        )
    if is_class and (reshaped := _reshaped_softmax(model)) is not None:
        return _softmax_last(keras, spec, *reshaped)
    if is_class:
        _check_scores(scores, last)
        return _classes(scores, last, _logits(keras, spec, scores), softmax, None)
    if not is_dense or activation not in LINEAR or not scores.use_bias:
        raise ConfigError(
            f"model.path: the last layer, {last.name}, is no Dense layer with bias and without "
            "activation, whose unit could be moved to the data's. Set model.head: replace"
        )
    kernel = blocks.initializer(keras, spec, "value", activation=None)
    value = keras.layers.Dense(units, kernel_initializer=kernel, name="value")
    return Ending({id(last): value}, _mover(last, value, _in_unit_of(target)))


def _check_scores(scores: Layer, last: Layer) -> None:
    """Refuse a network of classes that ends with neither a softmax nor the scores before one."""
    activation, inner = activation_of(last), activation_of(scores)
    if activation not in ("softmax", *LINEAR) or (scores is not last and inner not in LINEAR):
        raise ConfigError(
            f"model.path: the last layer, {last.name}, ends with {activation}; wanted a softmax, "
            "or the scores before it. Set model.head: replace for a new last layer"
        )


def _classes(
    scores: Layer, last: Layer, logits: Layer, softmax: Layer, change: Change | None
) -> Ending:
    """Return logits and a softmax: split where they are one layer, added where there is none."""
    move = _mover(scores, logits, change)
    if scores is not last:
        return Ending({id(scores): logits, id(last): softmax}, move)
    return Ending({id(last): lambda *x, **told: softmax(logits(*x, **told))}, move)


def _softmax_last(
    keras: Namespace, spec: Spec, last: Layer, softmax: Layer, scores: Layer
) -> Ending:
    """Return the ending of a network whose softmax is reshaped: the softmax comes last."""
    linear = _linear(scores, spec, f"{scores.name}_scores")
    tail = type(last).from_config(settings_of(last, spec, f"{last.name}_scores"))
    logits = keras.layers.Activation("linear", name="logits")
    made = keras.layers.Activation("softmax", name="probabilities")
    replaced: dict[int, Callable[..., Any]] = {id(softmax): lambda x, **_: x}
    replaced |= {id(scores): linear, id(last): lambda x, **_: made(logits(tail(x)))}
    return Ending(replaced, _mover(scores, linear, None))


def _logits(keras: Namespace, spec: Spec, scores: Layer) -> Any:
    """Return the layer of the scores under the name that it has in our own families.

    Where they come from an operation, such as a sum, a layer that changes nothing has the name.
    """
    if not isinstance(scores, keras.layers.Layer):
        named = keras.layers.Activation("linear", name="logits")
        return lambda *x: named(scores.__class__.from_config(scores.get_config())(*x))
    return _linear(scores, spec, "logits")


def _linear(layer: Layer, spec: Spec, name: str) -> Any:
    """Return an untrained copy of a layer under another name, without its activation."""
    config = settings_of(layer, spec, name)
    if "activation" in config:
        config["activation"] = "linear"
    return type(layer).from_config(config)


def _two_logits(keras: Namespace, spec: Spec, scores: Layer) -> Any:
    kernel = blocks.initializer(keras, spec, "logits", activation=None)
    return keras.layers.Dense(2, use_bias=scores.use_bias, kernel_initializer=kernel, name="logits")


def beside_zero(weights: list[Array]) -> list[Array]:
    """Return weights (…, 2) of logits 0 and z for a sigmoid's (…, 1): softmax([0, z]) has s(z)."""
    return [np.concatenate([np.zeros_like(w), w], axis=-1) for w in weights]


def _in_unit_of(target: Target | None) -> Change | None:
    """Return the scaling of a last layer to the unit of training: (output - offset) / scale."""
    if target is None:
        return None
    scale, offset = target.scale, target.offset
    return lambda weights: [weights[0] / scale, (weights[1] - offset) / scale]


def _mover(old: Layer, new: Layer, change: Change | None) -> Callable[[], None]:
    def move() -> None:
        weights = old.get_weights() if getattr(old, "weights", None) else []
        if weights:  # an operation has none
            new.set_weights(change(weights) if change else weights)

    return move
