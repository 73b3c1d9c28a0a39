"""Adopt a network that none of our builders made, in the form that later stages expect.

Inner models are flattened. The inputs get the data's names. The last layers get the names and the
form of our own families: `logits` and a softmax for classes, `value` for a regression in the
target's unit. Weights are kept or reset. The result is the `architecture` of a spec, and the model
that training starts from.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.arrays import Array, Layer, Model, Namespace, Tensor
from pipeline.documents.preprocess import Target
from pipeline.documents.spec import Adoption, Spec, SpecInput
from pipeline.errors import ConfigError
from pipeline.models import blocks
from pipeline.models.graph import functional, is_model, replay
from pipeline.seeds import fold_seed
from pipeline.tasks import TASKS

Change = Callable[[list[Array]], list[Array]]
LINEAR = ("linear", None)
ENDINGS = ("logits", "probabilities", "value")  # names of our own families' last layers


@dataclass(frozen=True)
class Ending:
    """How a network ends: its last layers, what stands for them, and the weights of that."""

    replaced: Mapping[int, Callable[..., Any]]
    """Identity of a layer -> the function that replaces it."""
    move: Callable[[], None]
    """Brings the weights of the replaced layers over."""


def adopt_model(keras: Namespace, model: Model, spec: Spec, *, target: Target | None) -> Any:
    """Return a Functional model that fits the spec, with the weights of the one given.

    Args:
        keras: Keras 3.
        model: Functional or Sequential.
        spec: of the network; `adoption` says what becomes of its ends.
        target: offset and scale of a regression's target; None: there is none.

    Raises:
        ConfigError: it has no graph, or its inputs or outputs do not fit the data.
    """
    adoption = spec.adoption
    if not is_model(model):
        raise ConfigError(
            f"model.path: a {type(model).__name__} has no graph of layers; wanted a Functional or "
            "Sequential model. Rebuild it as keras.Model(inputs, outputs)"
        )
    model, head = functional(model), adoption.head
    if len(model.outputs) != 1:
        raise ConfigError(f"model.path: wanted one output; came {len(model.outputs)}")
    _check_inputs(model, spec)
    ending = _ending(keras, model, spec, target) if head == "keep" else _cut(model, head)
    made: list[tuple[Any, Any]] = []

    def make(layer: Layer) -> Callable[..., Any]:
        if id(layer) in ending.replaced:
            return ending.replaced[id(layer)]
        return _copy(layer, spec, made)

    inputs = {
        entry.name: keras.Input(tuple(entry.shape), dtype=entry.dtype, name=entry.name)
        for entry in spec.inputs
    }
    shown = [_shown(keras, inputs[entry.name], adoption) for entry in _in_order(model, spec)]
    (x,) = replay(model, shown, make)
    if head != "keep":
        x = blocks.output(keras, spec, _vector(keras, x))
    if not adoption.reset_weights:
        for old, new in made:
            if getattr(old, "weights", None):  # an operation has none
                new.set_weights(old.get_weights())
        ending.move()
    return keras.Model(list(inputs.values()), x, name=spec.model.kind)


def reconstructs_input(model: Model) -> bool:
    """Return whether a network's outputs have the shapes of its inputs, as an autoencoder's do."""
    return is_model(model) and [t.shape for t in model.inputs] == [t.shape for t in model.outputs]


def _copy(layer: Layer, spec: Spec, made: list[tuple[Any, Any]]) -> Callable[..., Any]:
    """Return a layer like this one, in float32 and with seeds of the spec; keep it with its own."""
    name = _free_name(layer.name, {new.name for _, new in made})
    config = _settings(layer, spec, name)
    if spec.adoption.reset_weights and type(layer).__name__ == "BatchNormalization":
        config["momentum"] = min(config["momentum"], blocks.MOMENTUM)
    new = type(layer).from_config(config)
    made.append((layer, new))
    return new


def _settings(layer: Layer, spec: Spec, name: str) -> dict[str, Any]:
    """Return a layer's settings under a name, in float32 and with seeds of the spec."""
    config = seed_layer(layer.get_config(), fold_seed(spec.seed, name)) | {"name": name}
    return config | ({"dtype": "float32"} if "dtype" in config else {})


def _free_name(name: str, taken: set[str]) -> str:
    """Return a name that neither another layer of an inner model has, nor our own endings."""
    number = 1
    free = name
    while free in taken or free in ENDINGS:
        number += 1
        free = f"{name}_{number}"
    return free


def seed_layer(settings: Any, seed: int, *path: str) -> Any:
    """Return a layer's settings with a seed of its own wherever one is left open."""
    if isinstance(settings, Mapping):
        return {
            key: fold_seed(seed, *path, key)
            if key == "seed" and value is None
            else seed_layer(value, seed, *path, str(key))
            for key, value in settings.items()
        }
    if isinstance(settings, list):
        return [seed_layer(value, seed, *path, str(i)) for i, value in enumerate(settings)]
    return settings


def _check_inputs(model: Model, spec: Spec) -> None:
    """Refuse a network whose inputs have other shapes than the data's."""
    wanted = [list(entry.shape) for entry in _in_order(model, spec)]
    if spec.adoption.triples:
        wanted = [[*shape[:-1], 3] if shape[-1] == 1 else shape for shape in wanted]
    found = [list(tensor.shape[1:]) for tensor in model.inputs]
    fits = len(wanted) == len(found) and all(
        len(w) == len(f) and all(b in (a, None) for a, b in zip(w, f, strict=True))
        for w, f in zip(wanted, found, strict=True)
    )
    if not fits:
        raise ConfigError(
            f"model.path: the network takes {found} and the data gives {wanted}; set the size in "
            "data.source, or give a network for it"
        )


def _in_order(model: Model, spec: Spec) -> list[SpecInput]:
    """Return the data's inputs as the network takes them: by name where it has theirs."""
    entries = {entry.name: entry for entry in spec.inputs}
    names = [tensor.name for tensor in model.inputs]
    known = sorted(names) == sorted(entries)
    return [entries[name] for name in names] if known else list(entries.values())


def _shown(keras: Namespace, x: Tensor, adoption: Adoption) -> Any:
    """Return an input as the network was trained on it: gray as three channels, and scaled."""
    if adoption.triples and x.shape[-1] == 1:
        x = keras.layers.Concatenate(name="gray_as_rgb")([x, x, x])
    if (adoption.scale, adoption.offset) != (1.0, 0.0):
        x = keras.layers.Rescaling(adoption.scale, adoption.offset, name="as_trained")(x)
    return x


def _vector(keras: Namespace, x: Any) -> Any:
    """Return the last map or sequence as a vector, for a head to stand on."""
    if len(x.shape) == 4:
        return keras.layers.GlobalAveragePooling2D(name="head_average")(x)
    return keras.layers.Flatten(name="head_flatten")(x) if len(x.shape) > 2 else x


def _last(model: Model) -> tuple[Any, Any]:
    """Return the last layer and the one before it; of inner models their own last ones."""
    (tensor,) = model.outputs
    layer = tensor._keras_history.operation
    if is_model(layer):
        return _last(functional(layer))
    (node,) = layer._inbound_nodes[-1:]
    before = node.input_tensors[0]._keras_history.operation if node.input_tensors else None
    return layer, _last(functional(before))[0] if is_model(before) else before


def _cut(model: Model, head: str) -> Ending:
    """Return the ending of a network that gets another head; its own is removed where asked for."""
    if head == "add":
        return Ending({}, lambda: None)
    last, before = _last(model)
    gone: dict[int, Callable[..., Any]] = {id(last): lambda x, **_: x}
    if _is_activation(last):
        gone[id(before)] = gone[id(last)]
    return Ending(gone, lambda: None)


def _activation(layer: Layer) -> str | None:
    """Return the name of a layer's activation; None where it has none, or is no layer."""
    if type(layer).__name__ == "Softmax":
        return "softmax"
    found = getattr(layer, "activation", None)
    return getattr(found, "__name__", None)


def _is_activation(layer: Layer) -> bool:
    """Return whether a layer is only an activation, such as a softmax."""
    return _activation(layer) is not None and not layer.weights


def _ending(keras: Namespace, model: Model, spec: Spec, target: Target | None) -> Ending:
    """Return the ending in our own form, with the same outputs.

    Raises:
        ConfigError: its outputs do not fit the task.
    """
    (last, before), units = _last(model), spec.units
    if TASKS[spec.task].predicts_input:
        return Ending({}, lambda: None)
    scores = before if _is_activation(last) else last
    shape, activation = list(model.outputs[0].shape[1:]), _activation(last)
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


def _check_scores(scores: Any, last: Any) -> None:
    """Refuse a network of classes that ends with neither a softmax nor the scores before one."""
    activation, inner = _activation(last), _activation(scores)
    if activation not in ("softmax", *LINEAR) or (scores is not last and inner not in LINEAR):
        raise ConfigError(
            f"model.path: the last layer, {last.name}, ends with {activation}; wanted a softmax, "
            "or the scores before it. Set model.head: replace for a new last layer"
        )


def _classes(scores: Any, last: Any, logits: Any, softmax: Any, change: Change | None) -> Ending:
    """Return logits and a softmax: split where they are one layer, added where there is none."""
    move = _mover(scores, logits, change)
    if scores is not last:
        return Ending({id(scores): logits, id(last): softmax}, move)
    return Ending({id(last): lambda *x, **told: softmax(logits(*x, **told))}, move)


def _logits(keras: Namespace, spec: Spec, scores: Any) -> Any:
    """Return the layer of the scores under the name that it has in our own families.

    Where they come from an operation, such as a sum, a layer that changes nothing has the name.
    """
    if not isinstance(scores, keras.layers.Layer):
        named = keras.layers.Activation("linear", name="logits")
        return lambda *x: named(scores.__class__.from_config(scores.get_config())(*x))
    config = _settings(scores, spec, "logits")
    if "activation" in config:
        config["activation"] = "linear"
    return type(scores).from_config(config)


def _two_logits(keras: Namespace, spec: Spec, scores: Any) -> Any:
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


def _mover(old: Any, new: Any, change: Change | None) -> Callable[[], None]:
    def move() -> None:
        weights = old.get_weights() if getattr(old, "weights", None) else []
        if weights:  # an operation has none
            new.set_weights(change(weights) if change else weights)

    return move
