"""The spec: everything that a builder needs; and what a network will cost, before any training."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from pipeline.arrays import Layer, Model
from pipeline.artifacts import SCHEMA
from pipeline.data.dataset import Dataset
from pipeline.device.placement import Operation, place
from pipeline.errors import ConfigError
from pipeline.models import MODELS, budget
from pipeline.seeds import fold_seed

READS = {"GATHER": ("int32",), "UNIDIRECTIONAL_SEQUENCE_LSTM": ("int8", "int16")}  # not int8 alone


def describe(
    model: Mapping[str, Any],
    dataset: Dataset,
    *,
    task: str,
    seed: int,
    is_reconstruction: bool = False,
) -> dict[str, Any]:
    """Return the spec: everything that a builder needs, and nothing else.

    Args:
        model: the `model` section, dumped.
        dataset: its inputs and classes are described.
        task: of the config.
        seed: of the config.
        is_reconstruction: whether a detector from outside answers its own input.
    """
    inputs = [_input(entry) for entry in dataset.preprocess["inputs"]]
    output: dict[str, Any] = {"task": task}
    if task != "anomaly":
        output["units"] = len(dataset.class_names) if dataset.class_names else 1
    elif model["kind"] == "autoencoder" or is_reconstruction:
        output["score"] = "reconstruction"
    else:  # it forecasts the last step from those before
        inputs = [_without_last_step(entry) for entry in inputs]
        output |= {"score": "forecast", "units": inputs[0]["shape"][1]}
    return {
        "schema": SCHEMA,
        "seed": fold_seed(seed, "build"),
        "model": dict(model),
        "inputs": inputs,
        "output": output,
    }


def build_network(spec: dict[str, Any]) -> Any:
    """Return the network of a spec.

    Args:
        spec: contents of spec.json.

    Raises:
        ConfigError: it does not fit the input.
    """
    try:
        return MODELS[spec["model"]["kind"]](keras, spec)
    except ValueError as error:  # a window larger than what is left of the image, and the like
        shapes = ", ".join(f"{entry['name']} {entry['shape']}" for entry in spec["inputs"])
        raise ConfigError(
            f"model: does not fit the input ({shapes}): {str(error).splitlines()[0]}"
        ) from error


def _without_last_step(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a series as a forecaster sees it.

    Raises:
        ConfigError: it is no series.
    """
    if len(entry["shape"]) != 2:
        raise ConfigError(
            f"model.kind: finds anomalies by a forecast, in series; input {entry['name']} has "
            f"shape {entry['shape']}; wanted autoencoder"
        )
    steps, channels = entry["shape"]
    return entry | {"shape": [steps - 1, channels]}


def _input(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a builder needs of an input; words and categories have a vector each."""
    found = {"name": entry["name"], "shape": entry["shape"], "dtype": "float32"}
    if entry["kind"] not in ("tokens", "codes"):
        return found
    pool = "mean" if entry["kind"] == "tokens" else "flatten"
    return found | {"dtype": "int32", "vocabulary": entry["vocabulary_size"], "pool": pool}


def count(model: Model, targets: Sequence[str]) -> dict[str, Any]:
    """Return the contents of budget.json.

    Args:
        model: the network, trained or not.
        targets: keys of TARGETS.
    """
    return {
        "schema": SCHEMA,
        "parameters": budget.parameters(model),
        "macs": budget.macs(model),
        "peak_activation_bytes": budget.peak_activation_bytes(model),
        "layers": [_layer(layer) for layer in model.operations],
        "targets": {target: place_operations(model, target) for target in targets},
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": type(layer).__name__,
        "output_shape": list(layer.output.shape[1:]),
        "parameters": int(layer.count_params()) if hasattr(layer, "count_params") else 0,
    }


def place_operations(model: Model, target: str) -> list[dict[str, Any]]:
    """Return where each operation of the model will run on a target, and why not on its NPU."""
    return place((op for layer in model.operations if (op := _operation(layer))), target)


def _operation(layer: Layer) -> Operation | None:
    """Return what a layer becomes in the int8 file; None where it leaves nothing."""
    name = budget.op_of(layer)
    if name is None:
        return None
    shape = (1, *(size or 1 for size in layer.output.shape[1:]))
    return Operation(name, READS.get(name, ("int8",)), ("int8",), (shape,), layer.name)
