"""The spec: everything that a builder needs; and what a network will cost, before any training."""

from collections.abc import Sequence

import keras

from pipeline.arrays import Layer
from pipeline.arrays import Model as Network
from pipeline.config.model_schema import Model
from pipeline.config.section import Task
from pipeline.data.dataset import Dataset
from pipeline.documents.budget import Budget, LayerCost
from pipeline.documents.preprocess import CodesEntry, Entry, TokensEntry
from pipeline.documents.spec import Spec, SpecInput, SpecOutput
from pipeline.errors import ConfigError
from pipeline.models import MODELS, budget
from pipeline.models.autoencoder import reconstruction_spec
from pipeline.samples import KINDS
from pipeline.seeds import fold_seed
from pipeline.targets.compiler import Operation, PlacedOperation
from pipeline.targets.placement import place
from pipeline.tasks import TASKS

READS = {"GATHER": ("int32",), "UNIDIRECTIONAL_SEQUENCE_LSTM": ("int8", "int16")}  # not only int8


def describe(
    model: Model,
    dataset: Dataset,
    *,
    task: Task,
    seed: int,
    is_reconstruction: bool = False,
) -> Spec:
    """Return the spec: everything that a builder needs, and nothing else.

    Args:
        model: the `model` section.
        dataset: its inputs and classes are described.
        task: of the config.
        seed: of the config.
        is_reconstruction: whether an adopted detector reconstructs its input.
    """
    inputs = tuple(_input(entry) for entry in dataset.preprocess.inputs)
    units = len(dataset.class_names) if dataset.class_names else 1
    spec = Spec(
        seed=fold_seed(seed, "build"),
        model=model,
        inputs=inputs,
        task=task,
        outputs=tuple(
            SpecOutput(name=output.name, shape=(units,), meaning=output.meaning)
            for output in TASKS[task].outputs
        ),
    )
    if not TASKS[task].predicts_input:
        return spec
    if model.kind == "autoencoder" or is_reconstruction:
        return reconstruction_spec(spec)
    inputs = tuple(_without_last_step(entry) for entry in inputs)
    (_, channels) = inputs[0].shape
    last = SpecOutput(name="value", shape=(channels,), meaning="the last step, forecast")
    return spec.model_copy(update={"inputs": inputs, "outputs": (last,), "score": "forecast"})


def build_network(spec: Spec) -> Network:
    """Return the network of a spec.

    Args:
        spec: of the network.

    Raises:
        ConfigError: it does not fit the input.
    """
    try:
        return MODELS[spec.model.kind](keras, spec)
    except ValueError as error:  # a window larger than what is left of the image, and the like
        shapes = ", ".join(f"{entry.name} {list(entry.shape)}" for entry in spec.inputs)
        raise ConfigError(
            f"model: does not fit the input ({shapes}): {str(error).splitlines()[0]}"
        ) from error


def _without_last_step(entry: SpecInput) -> SpecInput:
    """Return a series as a forecaster sees it.

    Raises:
        ConfigError: it is no series.
    """
    if len(entry.shape) != 2:
        raise ConfigError(
            f"model.kind: finds anomalies by a forecast, in series; input {entry.name} has "
            f"shape {list(entry.shape)}; wanted autoencoder"
        )
    steps, channels = entry.shape
    return entry.model_copy(update={"shape": (steps - 1, channels)})


def _input(entry: Entry) -> SpecInput:
    """Return what a builder needs of an input; words and categories have a vector each."""
    name, shape = entry.name, tuple(entry.shape)
    if not isinstance(entry, CodesEntry | TokensEntry):
        return SpecInput(name=name, shape=shape, dtype="float32")
    pool = KINDS[entry.kind].embedding_pool
    return SpecInput(
        name=name, shape=shape, dtype="int32", vocabulary=entry.vocabulary_size, pool=pool
    )


def count(model: Network, targets: Sequence[str]) -> Budget:
    """Return what a network costs.

    Args:
        model: the network, trained or not.
        targets: keys of TARGETS.
    """
    return Budget(
        parameters=budget.parameters(model),
        macs=budget.macs(model),
        peak_activation_bytes=budget.peak_activation_bytes(model),
        layers=tuple(_layer(layer) for layer in model.operations),
        targets={target: place_operations(model, target) for target in targets},
    )


def _layer(layer: Layer) -> LayerCost:
    return LayerCost(
        name=layer.name,
        kind=type(layer).__name__,
        output_shape=tuple(layer.output.shape[1:]),
        parameters=int(layer.count_params()) if hasattr(layer, "count_params") else 0,
    )


def place_operations(model: Network, target: str) -> tuple[PlacedOperation, ...]:
    """Return where each operation of the model will run on a target, and why not on its NPU."""
    return place((op for layer in model.operations if (op := _operation(layer))), target)


def _operation(layer: Layer) -> Operation | None:
    """Return what a layer becomes in the int8 file; None where it leaves nothing."""
    name = budget.op_of(layer)
    if name is None:
        return None
    shape = (1, *(size or 1 for size in layer.output.shape[1:]))
    return Operation(name, READS.get(name, ("int8",)), ("int8",), (shape,), layer.name)
