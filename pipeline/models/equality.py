"""Whether a network from outside outputs, as it was taken in, what the given one outputs.

Both see the same real samples, after our preprocessing. What is compared is the network in memory,
the one that is built from the spec and given the saved weights, and that one after a gradient step
and a save: a layer that loses its state on one of these ways would be trained as one network and
shipped as another.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Layer, Model, Tensor
from pipeline.data.dataset import Dataset
from pipeline.data.preprocess import to_model_inputs
from pipeline.documents.spec import Spec
from pipeline.documents.target import Target
from pipeline.errors import ConfigError
from pipeline.models.adopt import in_model_order, shown_input
from pipeline.models.ending import RESHAPES, activation_of, layers_from_output
from pipeline.models.graph import build, functional, replay
from pipeline.models.input_range import given_affine
from pipeline.models.save import give_start, load_keras, save_keras
from pipeline.models.tolerance import TOLERANCE, largest_difference, tolerance_of
from pipeline.tasks import TASKS

SAMPLES = 32  # of the validation split
BATCH = 256  # samples a call
RATE = 1e-3  # of the gradient step


def check_equality(given: Model, adopted: Model, spec: Spec, *, dataset: Dataset) -> None:
    """Compare a network as given and as taken in.

    Args:
        given: as it was read.
        adopted: as it was taken in, with the weights of `given`.
        spec: of `adopted`.
        dataset: samples of its validation split are predicted.

    Raises:
        ConfigError: outputs differ; it has both, and the layer where the difference begins.
    """
    if spec.adoption.reset_weights or spec.adoption.head != "keep":
        return
    ids = dataset.split("validation")[:SAMPLES]
    inputs = _model_inputs(spec, dataset, ids)
    shown = _given_inputs(given, spec, inputs)
    wanted = _run_given(given, spec, dataset, shown)
    ours = _run(adopted, inputs)
    row = _difference(wanted, ours, tolerance_of(given))
    if row is None:
        return
    layer = _first_difference(given, adopted, shown, inputs)
    raise ConfigError(
        f"model.path: as taken in, the network outputs {_shown_values(ours[row])} for validation "
        f"sample {dataset.ids[ids[row]]} where the given one outputs "
        f"{_shown_values(wanted[row])}; the difference begins at {layer}. Set model.head: replace, "
        "or end the network in a Dense layer or a softmax"
    )


def outputs_of_given(given: Model, spec: Spec, dataset: Dataset, *, positions: Array) -> Array:
    """Return the outputs of a network as it was given, in our own form (N, K) float64.

    Args:
        given: as it was read.
        spec: how it is taken in: its inputs, and what they are scaled by.
        dataset: of the samples.
        positions: (N,), which samples.
    """
    made = []
    for start in range(0, len(positions), BATCH):
        inputs = _model_inputs(spec, dataset, positions[start : start + BATCH])
        made.append(_run_given(given, spec, dataset, _given_inputs(given, spec, inputs)))
    return np.concatenate(made)


def _run_given(given: Model, spec: Spec, dataset: Dataset, shown: list[Any]) -> Array:
    """Return the given network's outputs in our own form (N, K), of inputs as it was trained."""
    outputs = functional(given)(shown if len(shown) > 1 else shown[0], training=False)
    return _in_our_form(outputs, given, spec, dataset)


def check_saved_state(adopted: Model, spec: Spec, dataset: Dataset, *, folder: Path) -> None:
    """Compare a network with itself, built anew from its spec, and after a step and a save.

    Args:
        adopted: as it was taken in.
        spec: of it, with its architecture.
        dataset: samples of its validation split are predicted and trained on.
        folder: holds start.keras, its weights; and the file that is saved on the way.

    Raises:
        ConfigError: outputs differ; it has both, and the layer where the difference begins.
    """
    inputs = _model_inputs(spec, dataset, dataset.split("validation")[:SAMPLES])
    model = build(keras, spec)
    give_start(model, folder)
    _refuse_change(adopted, model, inputs, "built again with the same weights")
    _make_step(model, inputs)
    saved = folder / "after_a_step.keras"
    save_keras(model, saved)
    _refuse_change(model, load_keras(saved), inputs, "saved after a training step")
    saved.unlink()


def _refuse_change(before: Model, after: Model, inputs: Mapping[str, Any], when: str) -> None:
    """Raise where a network and what came of it output other numbers."""
    wanted, found = _run(before, inputs), _run(after, inputs)
    row = _difference(wanted, found)
    if row is not None:
        layer = _first_difference(before, after, _in_order(before, inputs), inputs)
        raise ConfigError(
            f"model.path: the network outputs {_shown_values(wanted[row])}, and "
            f"{_shown_values(found[row])} when it is {when}: a layer keeps state beside its "
            f"weights. The difference begins at {layer}. Write that layer as Rescaling, Dense or "
            "BatchNormalization"
        )


def _make_step(model: Model, inputs: Mapping[str, Any]) -> None:
    """Make one step of plain gradient descent on the mean square of the outputs."""
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True)
        loss = tf.reduce_mean(tf.square(tf.cast(outputs, tf.float32)))
    gradients = tape.gradient(loss, model.trainable_variables)
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        if gradient is not None:
            variable.assign_sub(RATE * tf.convert_to_tensor(gradient))


def _model_inputs(spec: Spec, dataset: Dataset, positions: Array) -> dict[str, Tensor]:
    """Return the samples as the network takes them; a forecaster does not see the last step."""
    ready = to_model_inputs(dataset.read(np.asarray(positions)), dataset.preprocess)
    return {
        entry.name: ready[entry.name][:, : entry.shape[0]]
        if spec.score == "forecast"
        else ready[entry.name]
        for entry in spec.inputs
    }


def _given_inputs(given: Model, spec: Spec, inputs: Mapping[str, Any]) -> list[Any]:
    """Return the inputs as the given network was trained to see them, in its order."""
    entries = in_model_order(given, spec.inputs)
    adoption = spec.adoption
    return [
        shown_input(
            keras,
            inputs[entry.name],
            given_affine(adoption, entry.name),
            triples=adoption.triples,
        )
        for entry in entries
    ]


def _in_order(model: Model, inputs: Mapping[str, Any]) -> list[Any]:
    return [inputs[tensor.name] for tensor in model.inputs]


def _run(model: Model, inputs: Mapping[str, Any]) -> Array:
    """Return the outputs of our own form for all samples (N, K)."""
    return np.asarray(model(dict(inputs), training=False), np.float64)


def _in_our_form(outputs: Tensor, given: Model, spec: Spec, dataset: Dataset) -> Array:
    """Return outputs of the given network as our own families give them.

    Returns:
        Probabilities (N, K) of classes; a quantity (N, K) in the unit that training sees; a
        detector's outputs as they are.
    """
    (values,) = outputs if isinstance(outputs, list | tuple) else [outputs]
    y = np.asarray(values, np.float64)
    task = TASKS[spec.task]
    if task.predicts_input:
        return y
    y = y.reshape(len(y), -1)
    if not task.has_softmax:
        return _in_training_unit(y, dataset.preprocess.target)
    if y.shape[1] == 1:
        activation = next(
            activation_of(layer)
            for layer in layers_from_output(functional(given))
            if type(layer).__name__ not in RESHAPES
        )
        p = y if activation == "sigmoid" else 1 / (1 + np.exp(-y))
        return np.concatenate([1 - p, p], axis=1)
    if (y >= 0).all() and np.abs(y.sum(axis=1) - 1).max() < TOLERANCE:
        return y
    shifted = np.exp(y - y.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _in_training_unit(y: Array, target: Target | None) -> Array:
    return y if target is None else (y - target.offset) / target.scale


def _difference(wanted: Array, found: Array, tolerance: float = TOLERANCE) -> int | None:
    """Return the sample whose outputs differ most, where they do; None: they are the same."""
    place = largest_difference(wanted, found, tolerance)
    return None if place is None else place * len(wanted) // max(1, wanted.size)


def _first_difference(
    given: Model, adopted: Model, shown: list[Any], inputs: Mapping[str, Any]
) -> str:
    """Return the first layer, by the given network's order, whose outputs differ."""
    theirs = _layer_outputs(given, shown)
    ours = _layer_outputs(adopted, _in_order(adopted, inputs))
    for name, (kind, values) in theirs.items():
        own = ours.get(name)
        if own is not None and _difference(values, own[1]) is not None:
            return f"layer {name} ({kind})"
    return "the last layer"


def _layer_outputs(model: Model, inputs: list[Any]) -> dict[str, tuple[str, Array]]:
    """Return name -> kind and output of each layer's last call that gives one tensor."""
    outputs: dict[str, tuple[str, Array]] = {}

    def make(layer: Layer) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = layer(*args, **kwargs)
            if not isinstance(result, list | tuple):
                values = np.asarray(result, np.float64)
                outputs[layer.name] = type(layer).__name__, values
            return result

        return call

    replay(functional(model), inputs, make, training=False)
    return outputs


def _shown_values(values: Array) -> str:
    """Return the first outputs of a sample."""
    listed = ", ".join(f"{value:.4g}" for value in values.reshape(-1)[:4])
    return f"[{listed}{', …' if values.size > 4 else ''}]"
