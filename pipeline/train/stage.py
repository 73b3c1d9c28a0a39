"""Train the network.

Reads dataset, spec; writes model.keras (the reference), decision.json of a detector, threshold.json
of two classes, history.csv, learning.json and warnings.json (how well it learned, what went wrong),
and pretraining.json or distillation.json where there was one.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from pipeline.arrays import Model
from pipeline.artifacts import WORK, Inputs, Metrics
from pipeline.config.schema import Config
from pipeline.data.dataset import DECISION, THRESHOLD, Dataset, open_dataset
from pipeline.documents.spec import Spec
from pipeline.documents.training import FineTuning, ValidationRecall, Warnings
from pipeline.models import MODELS
from pipeline.models.save import give_start, save_keras
from pipeline.tasks import TASKS
from pipeline.train.checkpoint import take_over
from pipeline.train.decision import calibrate_decision
from pipeline.train.distill import train_distilled
from pipeline.train.forgetting import validation_recall
from pipeline.train.history import write_history
from pipeline.train.learning_curve import learning_curve
from pipeline.train.pretrain import train_pretrained
from pipeline.train.supervised import evaluate_pretrained, train_network
from pipeline.train.threshold import check_decision, place_threshold

log = logging.getLogger(__name__)


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Train the spec's network, with the settings that `tune` chose, if it searched them."""
    spec = Spec.read(inputs["spec"] / "spec.json")
    settings = spec.train or config.train
    dataset = open_dataset(inputs["dataset"])
    if config.decision is not None:
        check_decision(config.decision, dataset)
    learning = _learning(config, spec)
    if "trials" in inputs:
        take_over(inputs["trials"], out / WORK)

    def begin(model: Model) -> None:
        give_start(model, inputs["spec"])

    given = _as_given(config, spec, dataset, begin)
    if settings.epochs == 0:
        trained = evaluate_pretrained(spec, settings, dataset, begin=begin)
    elif settings.distill is not None:
        trained, distillation = train_distilled(
            spec, settings, dataset, out=out, begin=begin, **learning
        )
        distillation.write(out / "distillation.json")
    elif settings.pretrain is None:
        trained = train_network(spec, settings, dataset, out=out, begin=begin, **learning)
    else:
        trained, pretraining = train_pretrained(spec, settings, dataset, out=out, **learning)
        pretraining.write(out / "pretraining.json")
    learned = learning_curve(
        spec, settings, dataset, trained=trained, out=out, begin=begin, **learning
    )
    if given is not None:
        after = validation_recall(trained.model, dataset, config.task)
        tuned = FineTuning(before=given, after=after)
        learned = learned.model_copy(update={"fine_tuning": tuned})
    learned.write(out / "learning.json")
    Warnings(warnings=tuple(trained.warnings)).write(out / "warnings.json")
    _decide(config, spec, trained.model, dataset, out)
    save_keras(trained.model, out / "model.keras")
    write_history(out / "history.csv", trained.history)
    metric = f"val_{TASKS[config.task].metric}"
    return Metrics({"epochs": (len(trained.history), ""), metric: (trained.validation[metric], "")})


def _decide(config: Config, spec: Spec, model: Model, dataset: Dataset, out: Path) -> None:
    """Write how the trained network decides; a threshold of two classes is built into it."""
    if spec.score is not None:
        calibrate_decision(model, dataset, spec.score).write(out / DECISION)
    if config.decision is not None:
        placed = place_threshold(model, dataset, config.decision)
        placed.write(out / THRESHOLD)
        told = placed.positive, placed.threshold
        log.info("          %s is predicted from probability %.4g on", *told)


def _learning(config: Config, spec: Spec) -> dict[str, Any]:
    """Return seed, batches and augmentation, as `tune` chose them where it searched those."""
    batches = spec.batches or config.data
    augment = [change.model_dump() for change in batches.augment]
    return {"batch_size": batches.batch_size, "augment": augment, "seed": config.seed}


def _as_given(
    config: Config, spec: Spec, dataset: Dataset, begin: Callable[[Any], None]
) -> ValidationRecall | None:
    """Return the outputs of an adopted network before training; None where it has a new head."""
    settings = config.model
    if settings.kind != "file" or settings.reset_weights or settings.head != "keep":
        return None
    if TASKS[config.task].predicts_input or config.train.epochs == 0:
        return None
    model = MODELS["file"](keras, spec)
    begin(model)
    return validation_recall(model, dataset, config.task)
