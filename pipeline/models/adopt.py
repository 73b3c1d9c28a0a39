"""Adopt a network that none of our builders made, in the form that later stages expect.

Inner models are flattened. The inputs get the data's names. The last layers get the names and the
form of our own families: `logits` and a softmax for classes, `value` for a regression in the
target's unit. Weights are kept or reset. The result is the `architecture` of a spec, and the model
that training starts from.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pipeline.arrays import Layer, Model, Namespace, Tensor
from pipeline.documents.preprocess import Entry
from pipeline.documents.spec import Spec, SpecInput
from pipeline.documents.target import Target
from pipeline.errors import ConfigError
from pipeline.models import blocks
from pipeline.models.ending import cut_head, end_as_ours
from pipeline.models.graph import functional, is_model, replay
from pipeline.models.input_range import Affine, fold_scaling, given_affine, takes_ids
from pipeline.models.layer_settings import settings_of

ENDINGS = ("logits", "probabilities", "value")  # names of our own families' last layers

Named = TypeVar("Named", SpecInput, Entry)


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
    model, head = with_graph(model), adoption.head
    if len(model.outputs) != 1:
        raise ConfigError(f"model.path: wanted one output; came {len(model.outputs)}")
    _check_inputs(model, spec)
    _refuse_masks(model)
    ending = (
        end_as_ours(keras, model, spec, target=target) if head == "keep" else cut_head(model, head)
    )
    inputs = {
        entry.name: keras.Input(tuple(entry.shape), dtype=entry.dtype, name=entry.name)
        for entry in spec.inputs
    }
    shown, folded = [], set[int]()
    for tensor, entry in zip(model.inputs, in_model_order(model, spec.inputs), strict=True):
        affine, layers = fold_scaling(model, tensor, given_affine(adoption, entry.name))
        folded |= {id(layer) for layer in layers}
        shown.append(shown_input(keras, inputs[entry.name], affine, triples=adoption.triples))
    made: list[tuple[Any, Any]] = []

    def make(layer: Layer) -> Callable[..., Any]:
        if id(layer) in folded:
            return lambda x, **_: x
        if id(layer) in ending.replaced:
            return ending.replaced[id(layer)]
        return _copy(layer, spec, made)

    (x,) = replay(model, shown, make)
    if head != "keep":
        x = blocks.output(keras, spec, _vector(keras, x))
    if not adoption.reset_weights:
        for old, new in made:
            if getattr(new, "weights", None):  # an operation has none
                new.set_weights(old.get_weights())
        ending.move()
    return keras.Model(list(inputs.values()), x, name=spec.model.kind)


def with_graph(model: Model) -> Any:
    """Return a network as a Functional model.

    Raises:
        ConfigError: it has no graph of layers.
    """
    if not is_model(model):
        raise ConfigError(
            f"model.path: a {type(model).__name__} has no graph of layers; wanted a Functional or "
            "Sequential model. Rebuild it as keras.Model(inputs, outputs)"
        )
    return functional(model)


def reconstructs_input(model: Model) -> bool:
    """Return whether a network's outputs have the shapes of its inputs, as an autoencoder's do."""
    return is_model(model) and [t.shape for t in model.inputs] == [t.shape for t in model.outputs]


def _copy(layer: Layer, spec: Spec, made: list[tuple[Any, Any]]) -> Callable[..., Any]:
    """Return a layer like this one, in float32 and with seeds of the spec; keep it with its own."""
    name = _free_name(layer.name, {new.name for _, new in made})
    config = settings_of(layer, spec, name)
    if spec.adoption.reset_weights and type(layer).__name__ == "BatchNormalization":
        config["momentum"] = min(config["momentum"], blocks.MOMENTUM)
    new = type(layer).from_config(config)
    made.append((layer, new))
    return new


def _free_name(name: str, taken: set[str]) -> str:
    """Return a name that neither another layer of an inner model has, nor our own endings."""
    number = 1
    free = name
    while free in taken or free in ENDINGS:
        number += 1
        free = f"{name}_{number}"
    return free


def _check_inputs(model: Model, spec: Spec) -> None:
    """Refuse a network whose inputs have other shapes than the data's."""
    entries = in_model_order(model, spec.inputs)
    for tensor, entry in zip(model.inputs, entries, strict=False):
        if entry.dtype == "float32" and takes_ids(model, tensor):
            raise ConfigError(
                f"model.path: input {tensor.name} of the network takes ids of words or categories "
                f"(whole numbers), and the data gives numbers, {entry.name}; wanted a text source, "
                "or categories of a csv source, whose ids are the network's"
            )
    wanted = [list(entry.shape) for entry in entries]
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


def _refuse_masks(model: Model) -> None:
    """Refuse layers that hide steps from those behind them: no fused LSTM or mean knows a mask."""
    for layer in model.layers:
        if is_model(layer):
            _refuse_masks(layer)
        if type(layer).__name__ == "Masking" or getattr(layer, "mask_zero", False):
            raise ConfigError(
                f"model.path: layer {layer.name} ({type(layer).__name__}) hides steps by a mask, "
                "which has no form in a .tflite file. Build the network without Masking and with "
                "mask_zero=False, and train it so"
            )


def in_model_order(model: Model, inputs: Sequence[Named]) -> list[Named]:
    """Return the data's inputs as the network takes them: by name where it has theirs."""
    entries = {entry.name: entry for entry in inputs}
    names = [tensor.name for tensor in model.inputs]
    known = sorted(names) == sorted(entries)
    return [entries[name] for name in names] if known else list(entries.values())


def shown_input(keras: Namespace, x: Tensor, affine: Affine, *, triples: bool) -> Any:
    """Return an input (B, ..., C) as the network was trained on it: gray as three, and scaled."""
    if triples and x.shape[-1] == 1:
        x = keras.layers.Concatenate(name="gray_as_rgb")([x, x, x])
    if affine.is_identity:
        return x
    scale, offset = (value.tolist() for value in affine)
    return keras.layers.Rescaling(scale, offset, name="as_trained")(x)


def _vector(keras: Namespace, x: Any) -> Any:
    """Return the last map or sequence as a vector, for a head to stand on."""
    if len(x.shape) == 4:
        return keras.layers.GlobalAveragePooling2D(name="head_average")(x)
    return keras.layers.Flatten(name="head_flatten")(x) if len(x.shape) > 2 else x
