"""Describe the model and count its budget.

Reads dataset; writes spec.json, budget.json, and start.keras of a model that came from outside.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from pipeline.artifacts import SCHEMA, WORK, Inputs, Metrics, write_json
from pipeline.compress.kernels import check_sizes
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.device.placement import Operation, place
from pipeline.device.runtimes import missing
from pipeline.device.targets import TARGETS
from pipeline.errors import ConfigError
from pipeline.models import MODELS, budget
from pipeline.models.adopt import adopted, answers_its_input
from pipeline.models.application import application
from pipeline.models.given import read_model
from pipeline.models.graph import FROM_OUTSIDE
from pipeline.models.save import START, save_keras
from pipeline.seeds import fold_seed

READS = {"GATHER": ("int32",), "UNIDIRECTIONAL_SEQUENCE_LSTM": ("int8", "int16")}  # not int8 alone

log = logging.getLogger(__name__)


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Write the model's full description, and what it will cost, before any training."""
    dataset = open_dataset(inputs["dataset"])
    keras.utils.clear_session()
    if config.model.kind in FROM_OUTSIDE:
        spec, model = from_outside(config, dataset, inputs.base, out / WORK)
        save_keras(model, out / START)
    else:
        spec = describe(config, dataset)
        model = _built(spec)
    check_sizes(model, config.compress)
    counted: dict[str, Any] = {
        "schema": SCHEMA,
        "parameters": budget.parameters(model),
        "macs": budget.macs(model),
        "peak_activation_bytes": budget.peak_activation_bytes(model),
        "layers": [_layer(layer) for layer in model.operations],
        "targets": {target: placed(model, target) for target in config.export.targets},
    }
    for target, rows in counted["targets"].items():
        _tell(target, rows)
    _tell_limits(config, counted)
    write_json(out / "spec.json", spec)
    write_json(out / "budget.json", counted)
    return Metrics(
        {
            "parameters": (counted["parameters"], ""),
            "macs": (counted["macs"], ""),
            "peak_activation": (counted["peak_activation_bytes"], "bytes"),
        }
    )


def _built(spec: dict[str, Any]) -> Any:
    """Return the network of a spec.

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


def from_outside(
    config: Config, dataset: Dataset, base: Path, work: Path
) -> tuple[dict[str, Any], Any]:
    """Return spec and model of a network that no builder of ours made, layers in the spec.

    Args:
        config: `model` is a file or an application.
        dataset: what the network is to take and answer.
        base: folder at which relative paths start.
        work: folder for what lies between.
    """
    settings = config.model.model_dump(mode="json")
    if config.model.kind == "file":
        given = read_model(base / Path(config.model.path).expanduser(), work)
        is_reconstruction = config.task == "anomaly" and answers_its_input(given)
    else:
        shape = dataset.preprocess["inputs"][0]["shape"]
        given, found = application(settings, shape, base)
        settings, is_reconstruction = settings | found, False
    spec = describe(config, dataset, is_reconstruction=is_reconstruction)
    spec["model"] = settings
    model = adopted(keras, given, spec, target=dataset.preprocess["target"])
    spec["model"] = settings | {"architecture": keras.saving.serialize_keras_object(model)}
    return spec, model


def describe(
    config: Config, dataset: Dataset, *, is_reconstruction: bool = False
) -> dict[str, Any]:
    """Return the spec: everything that a builder needs, and nothing else.

    Args:
        config: model, task and seed are described.
        dataset: its inputs and classes are.
        is_reconstruction: whether a detector from outside answers its own input.
    """
    inputs = [_input(entry) for entry in dataset.preprocess["inputs"]]
    output: dict[str, Any] = {"task": config.task}
    if config.task != "anomaly":
        output["units"] = len(dataset.class_names) if dataset.class_names else 1
    elif config.model.kind == "autoencoder" or is_reconstruction:
        output["score"] = "reconstruction"
    else:  # it forecasts the last step from those before
        inputs = [_without_last_step(entry) for entry in inputs]
        output |= {"score": "forecast", "units": inputs[0]["shape"][1]}
    return {
        "schema": SCHEMA,
        "seed": fold_seed(config.seed, "build"),
        "model": config.model.model_dump(mode="json"),
        "inputs": inputs,
        "output": output,
    }


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


def _layer(layer: Any) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": type(layer).__name__,
        "output_shape": list(layer.output.shape[1:]),
        "parameters": int(layer.count_params()) if hasattr(layer, "count_params") else 0,
    }


def placed(model: Any, target: str) -> list[dict[str, Any]]:
    """Return where each operation of the model will run on a target, and why not on its NPU."""
    return place((op for layer in model.operations if (op := _operation(layer))), target)


def _operation(layer: Any) -> Operation | None:
    """Return what a layer becomes in the int8 file; None where it leaves nothing."""
    name = budget.op_of(layer)
    if name is None:
        return None
    shape = (1, *(size or 1 for size in layer.output.shape[1:]))
    return Operation(name, READS.get(name, ("int8",)), ("int8",), (shape,), layer.name)


def _tell(target: str, rows: list[dict[str, Any]]) -> None:
    """Warn of operations that an NPU will leave to the CPU, or that nothing runs on a target."""
    lacking = {row["op"]: row["name"] for row in rows if row["op"] in TARGETS[target].lacks}
    for name, layer in lacking.items():
        log.warning(
            "          %s: nothing runs %s (%s) there; take another model.activation",
            target,
            name,
            layer,
        )
    if not TARGETS[target].npu_ops:
        return
    left = [row for row in rows if row["where"] == "cpu"]
    why = "; ".join(f"{row['op']} ({row['name']}): {row['why']}" for row in left if row["why"])
    if left:
        log.warning(
            "          %s: this config will put %d of %d operations on the CPU: %s",
            target,
            len(left),
            len(rows),
            why,
        )


def _tell_limits(config: Config, counted: dict[str, Any]) -> None:
    """Warn of gates that cannot hold; nothing that is written depends on them."""
    for words in budget.beyond(counted, config.gate.model_dump()):
        log.warning("          %s", words)
    if config.gate.arena_bytes is not None and (reason := missing("tflite-micro")):
        log.warning("          gate.arena_bytes cannot be measured here: %s", reason)
