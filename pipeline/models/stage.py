"""Describe the model and count its budget.

Reads dataset; writes spec.json, budget.json, and start.keras of a model that came from outside.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from pipeline.arrays import Model
from pipeline.artifacts import WORK, Inputs, Metrics
from pipeline.config.model_schema import Application, File
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.device.runtimes import why_missing
from pipeline.documents.budget import Budget
from pipeline.documents.spec import Spec
from pipeline.errors import ConfigError
from pipeline.gate.judge import check_class_names
from pipeline.models import budget
from pipeline.models.adopt import adopt_model, in_model_order, reconstructs_input, with_graph
from pipeline.models.application import application
from pipeline.models.describe import build_network, count, describe
from pipeline.models.equality import check_equality, check_saved_state
from pipeline.models.given import read_model
from pipeline.models.given_accuracy import check_accuracy
from pipeline.models.graph import FROM_OUTSIDE
from pipeline.models.input_range import adoption_of
from pipeline.models.kernels import check_sizes
from pipeline.models.save import START, save_keras
from pipeline.targets.compiler import PlacedOperation
from pipeline.targets.registry import TARGETS, compiler_of
from pipeline.tasks import TASKS

log = logging.getLogger(__name__)


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Write the model's full description, and what it will cost, before any training."""
    dataset = open_dataset(inputs["dataset"])
    check_metric(config.task_metric, dataset)
    check_class_names(config.gate.missing_classes or (), dataset.class_names or ())
    keras.utils.clear_session()
    if config.model.kind in FROM_OUTSIDE:
        spec, model = from_outside(config, dataset, inputs.base, work=out / WORK)
        save_keras(model, out / START)
        if isinstance(config.model, File):
            check_saved_state(model, spec, dataset, folder=out)
    else:
        spec = describe(config.model, dataset, task=config.task, seed=config.seed)
        model = build_network(spec)
    check_sizes(model, config.compress)
    counted = count(model, config.export.targets)
    for target, rows in counted.targets.items():
        _tell(target, rows)
    _tell_limits(config, counted)
    spec.write(out / "spec.json")
    counted.write(out / "budget.json")
    return Metrics(
        {
            "parameters": (counted.parameters, ""),
            "macs": (counted.macs, ""),
            "peak_activation": (counted.peak_activation_bytes, "bytes"),
        }
    )


def from_outside(config: Config, dataset: Dataset, base: Path, *, work: Path) -> tuple[Spec, Model]:
    """Return spec and model of a network that no builder of ours made, layers in the spec.

    Args:
        config: `model` is a file or an application.
        dataset: its inputs and its target are the network's.
        base: folder at which relative paths start.
        work: folder for what lies between.
    """
    settings = config.model
    if isinstance(settings, File):
        given = read_model(base / Path(settings.path).expanduser(), work)
        graph = with_graph(given)
        entries = in_model_order(graph, dataset.preprocess.inputs)
        adoption = adoption_of(settings, graph, entries)
        is_reconstruction = TASKS[config.task].predicts_input and reconstructs_input(given)
    else:
        shape = dataset.preprocess.inputs[0].shape
        assert isinstance(settings, Application)  # no other kind comes from outside
        given, adoption = application(settings, shape, base)
        is_reconstruction = False
    spec = describe(
        settings,
        dataset,
        task=config.task,
        seed=config.seed,
        is_reconstruction=is_reconstruction,
    ).model_copy(update={"adoption": adoption})
    model = adopt_model(keras, given, spec, target=dataset.preprocess.target)
    named = tuple(
        output.model_copy(update={"name": name})
        for output, name in zip(spec.outputs, model.output_names, strict=True)
    )
    if isinstance(settings, File):
        check_equality(given, model, spec, dataset=dataset)
        if config.train.epochs == 0:
            check_accuracy(given, spec, dataset)
    architecture = keras.saving.serialize_keras_object(model)
    return spec.model_copy(update={"architecture": architecture, "outputs": named}), model


def check_metric(metric: str, dataset: Dataset) -> None:
    """Refuse a metric that these classes do not have, before anything is trained for it.

    Raises:
        ConfigError: auc, and there are not two classes, or not both in validation and test.
    """
    names = dataset.class_names or ()
    if metric != "auc":
        return
    cure = "wanted accuracy or macro_f1"
    if len(names) != 2:
        raise ConfigError(
            f"task_metric: auc is for two classes, and there are {len(names)}; {cure}"
        )
    for part in ("validation", "test"):
        found = set(np.asarray(dataset.labels[dataset.split(part)]).tolist())
        if len(found) == 1:
            only = names[found.pop()]
            raise ConfigError(
                f"task_metric: auc needs both classes; {part} has {only} alone; {cure}"
            )


def _tell(target: str, rows: Sequence[PlacedOperation]) -> None:
    """Warn of operations that an NPU will leave to the CPU, or that nothing runs on a target."""
    lacking = {row.op: row.name for row in rows if row.op in TARGETS[target].lacks}
    for name, layer in lacking.items():
        log.warning(
            "          %s: nothing runs %s (%s) there; take another model.activation",
            target,
            name,
            layer,
        )
    if compiler_of(target) is None:
        return
    left = [row for row in rows if row.where == "cpu"]
    why = "; ".join(f"{row.op} ({row.name}): {row.why}" for row in left if row.why)
    if left:
        log.warning(
            "          %s: this config will put %d of %d operations on the CPU: %s",
            target,
            len(left),
            len(rows),
            why,
        )


def _tell_limits(config: Config, counted: Budget) -> None:
    """Warn of gates that cannot hold; nothing that is written depends on them."""
    for words in budget.beyond(counted, config.gate.model_dump()):
        log.warning("          %s", words)
    if config.gate.arena_bytes is not None and (reason := why_missing("tflite-micro")):
        log.warning("          gate.arena_bytes cannot be measured here: %s", reason)
