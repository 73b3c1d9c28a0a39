"""A network that came as a graph of layers: the user's own, or one of keras.applications.

The spec holds the graph itself (`architecture`), flat and with every seed filled in; see adopt.py
for how it comes there. Under tf_keras the same calls are made on layers of that namespace.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from pipeline.arrays import Layer, Model, Namespace
from pipeline.documents.spec import Spec
from pipeline.models.inputs import inputs_of
from pipeline.models.translate import translate_call

FROM_OUTSIDE = ("file", "application")  # kinds that are built here
Make = Callable[[Any], Callable[..., Any]]


def build(
    keras: Namespace,
    spec: Spec,
    *,
    batch_size: int | None = None,
    unroll: bool = False,
    graph: Any = None,
) -> Any:
    """Build the network of a `kind: file` or `kind: application` spec.

    Args:
        keras: the namespace, `keras` or `tf_keras`; both give the same layers and weights.
        spec: of the network; `model.architecture` is what Keras 3 serialises.
        batch_size: fixed batch for export; None for training.
        unroll: whether recurrent cells other than LSTM are written out, a step at a time.
        graph: that network of Keras 3, where it is at hand; None: it is read from the spec.

    Raises:
        Untranslatable: tf_keras has no such layer.
    """
    import keras as keras_3

    if graph is None:
        architecture = deepcopy(spec.architecture)  # reading takes it apart
        graph = keras_3.saving.deserialize_keras_object(architecture, safe_mode=True)
    if keras is keras_3 and batch_size is None:
        return graph
    inputs = inputs_of(keras, spec, batch_size)

    def make(layer: Layer) -> Callable[..., Any]:
        if keras is keras_3:
            return type(layer).from_config(layer.get_config())
        return translate_call(keras, layer, unroll=unroll)

    return keras.Model(inputs, replay(graph, inputs, make), name=graph.name)


def replay(
    model: Model,
    inputs: Sequence[Any],
    make: Make,
    *,
    training: bool | None = None,
    made: dict[int, Callable[..., Any]] | None = None,
) -> list[Any]:
    """Make the calls of a Functional model of Keras 3 on other tensors, and return its outputs.

    Models within the model are gone through too, so that what comes of it is flat.

    Args:
        model: a Functional or Sequential model of Keras 3.
        inputs: tensors of any namespace, in the order of `model.inputs`.
        make: layer -> the function that replaces it; called once a layer.
        training: the argument of the inner model's calls; None: none was given.
        made: identity of a layer -> what was made of it: an inner model may be called twice.
    """
    tensors = dict(zip(map(id, model.inputs), inputs, strict=True))
    made = {} if made is None else made
    for nodes in (model._nodes_by_depth[depth] for depth in sorted(model._nodes_by_depth)[::-1]):
        for node in nodes:
            if node.is_input:
                continue
            layer = node.operation
            args, filled = node.arguments.fill_in(tensors)
            kwargs = {name: value for name, value in filled.items() if value is not None}
            if training is not None and "training" in inspect.signature(layer.call).parameters:
                kwargs["training"] = training
            if is_model(layer):
                inner, told = functional(layer), kwargs.get("training", training)
                outputs = replay(inner, _flat(args), make, training=told, made=made)
            else:
                if id(layer) not in made:
                    made[id(layer)] = make(layer)
                outputs = _flat(made[id(layer)](*args, **kwargs))
            tensors |= dict(zip(map(id, node.outputs), outputs, strict=True))
    return [tensors[id(tensor)] for tensor in model.outputs]


def is_model(layer: Layer) -> bool:
    """Tell whether a layer is a network of its own."""
    return hasattr(layer, "layers") and hasattr(layer, "inputs")


def functional(model: Model) -> Any:
    """Return a Sequential model as the Functional one that it holds; others as they are."""
    import keras

    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs, model.outputs, name=model.name)
    return model


def _flat(value: Any) -> list[Any]:
    """Return the tensors in an argument list or a result, in order."""
    if isinstance(value, list | tuple):
        return [tensor for part in value for tensor in _flat(part)]
    if isinstance(value, Mapping):
        return [tensor for part in value.values() for tensor in _flat(part)]
    return [value]
