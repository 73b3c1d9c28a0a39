"""Fine-tune a trained network against an attack, and keep the epoch that the config asks for."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipeline.arrays import Array, Model
from pipeline.artifacts import WORK
from pipeline.config.space_schema import settings_of
from pipeline.config.train_schema import RateScaling
from pipeline.data.dataset import Dataset
from pipeline.documents.robustness import (
    AttackMetrics,
    Collapse,
    Course,
    EpochRobustness,
)
from pipeline.harden.epoch_selection import Guard, Keep
from pipeline.harden.fit_threat_model import fit_threat_model
from pipeline.harden.robustness import judge
from pipeline.harden.run_attack import attacked_positions, samples_of
from pipeline.harden.step import step_of
from pipeline.harden.word_substitution import ThreatModel
from pipeline.models.save import load_keras
from pipeline.seeds import fold_seed
from pipeline.train import schedule
from pipeline.train.batches import Feed
from pipeline.train.history import watchers
from pipeline.train.loop import Trainer, agree_on, fit
from pipeline.train.losses import Loss
from pipeline.train.make import cosine_rate, reset_keras, train_batches
from pipeline.train.step import class_weights, weight_loss
from pipeline.train.strategy import choose
from pipeline.train.validate import evaluator
from pipeline.train.workers import is_chief, together

log = logging.getLogger(__name__)

STEPS = 10  # of the attack that judges, at least: more than training's, by default 7
SAMPLES = 1000  # validation samples that are attacked, at most
# Column of history.csv, after `val_` -> field of the metrics.
LOGGED = {
    "clean": "clean_accuracy", "robust": "robust_accuracy", "one_step": "one_step_accuracy"
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """How a network is hardened."""

    settings: Any
    """The `harden` section."""
    optimizing: Any
    """The `train.optimizer` section; the rate is that of `settings`."""
    loss: Loss
    """Of each sample, from labels and logits."""
    task: str
    class_weights: Any
    """As `train.class_weights`."""
    batch_size: int
    augment: Sequence[Mapping[str, Any]]
    """Sections of `data.augment`, dumped."""
    seed: int
    strategy: str
    scaling: RateScaling | None = None
    """The `train.rate_scaling` section."""


@dataclass(frozen=True)
class Hardened:
    """The result."""

    model: Any
    history: list[dict[str, float]]
    before: AttackMetrics
    after: AttackMetrics
    course: Course
    threat: ThreatModel
    """What the attack may change."""
    attacked_positions: Array
    """Positions of the samples that measured the robustness."""


def harden_network(start: Path, dataset: Dataset, plan: Plan, *, out: Path) -> Any:
    """Return the network after its fine-tuning, which continues after a kill.

    Args:
        start: the .keras file to begin with.
        dataset: trained on its train split, measured on its validation split.
        plan: how.
        out: folder of checkpoints (`work/`) and TensorBoard logs.

    Raises:
        ConfigError: the loss is no longer a number, or devices cannot share a batch.
    """
    return together(plan.strategy, _hardened, start, dataset, plan, out)


def _hardened(start: Path, dataset: Dataset, plan: Plan, out: Path) -> Hardened | None:
    """Fine-tune, as one of the workers that do; those that are not the chief return nothing."""
    reset_keras()
    settings = plan.settings
    feed = train_batches(dataset, batch_size=plan.batch_size, seed=fold_seed(plan.seed, "harden"))
    rate = cosine_rate(
        feed, peak=settings.learning_rate, epochs=settings.epochs, scaling=plan.scaling
    )
    strategy = choose(plan.strategy)
    with strategy.scope():
        model = load_keras(start)
        optimizer = schedule.optimizer(keras, plan.optimizing, rate, ema=settings.ema)
    threat = _fit_threat(model, dataset, plan)
    watch = _judge(model, threat, dataset, plan)
    first: AttackMetrics = agree_on(strategy, watch)
    guard, keep = _guard(settings, first), _keep(settings, first)
    trainer = _trainer(plan, threat, dataset, feed, (model, optimizer, strategy), guard)
    rows = fit(
        trainer,
        feed,
        epochs=settings.epochs,
        evaluate=_evaluator(model, dataset, plan, watch),
        callbacks=[*watchers(out), *(each for each in (guard, keep) if each is not None)],
        work=out / WORK,
    )
    if not is_chief():
        return None
    epochs = course(rows, first, guard, keep=keep)
    if keep is not None and keep.best_epoch == 0:
        log.warning(
            "          no epoch is kept: none has a clean accuracy of at least %.4f "
            "(harden.max_clean_drop: %g); the model is unchanged",
            keep.floor,
            settings.max_clean_drop,
        )
    return Hardened(model, rows, first, watch(), epochs, threat, judged_positions(dataset, threat))


def _fit_threat(model: Model, dataset: Dataset, plan: Plan) -> ThreatModel:
    """Return what the attack of the plan may change."""
    attack = plan.settings.attack
    return fit_threat_model(
        dataset,
        settings_of(attack),
        model,
        where="harden.attack",
        norm=getattr(attack, "norm", "linf"),
        changes=plan.augment,
    )


def course(
    rows: Sequence[Mapping[str, float]],
    first: AttackMetrics,
    guard: Guard | None,
    *,
    keep: Keep | None,
) -> Course:
    """Return the robustness of each epoch, for robustness.json.

    Args:
        rows: the history.
        first: metrics before the first epoch.
        guard: of `fast`.
        keep: where the clean accuracy has a floor.
    """
    start = {name: getattr(first, name) for name in LOGGED.values()}
    table = [EpochRobustness(epoch=0, **start)]
    for row in rows:
        logs = {field: row.get(f"val_{name}") for name, field in LOGGED.items()}
        table.append(EpochRobustness.model_validate({"epoch": int(row["epoch"]), **logs}))
    kept, collapse = len(rows), None
    if guard is not None and guard.collapsed_epoch:
        collapse = Collapse(epoch=guard.collapsed_epoch, restored_epoch=guard.best_epoch)
        kept = guard.best_epoch if guard.collapsed_epoch == len(rows) else kept
    if keep is not None:
        kept = keep.best_epoch
    return Course(epochs=tuple(table), kept_epoch=kept, collapse=collapse)


def steps_of(settings: Any) -> int:
    """Return the steps of the attack that measures the result of a `harden` section."""
    return max(STEPS, getattr(settings.attack, "steps", 0))


def judged_positions(dataset: Dataset, threat: ThreatModel) -> Array:
    """Return positions (n,) of the validation samples that measure the robustness."""
    return attacked_positions(dataset.labels, threat, dataset.split("validation"), most=SAMPLES)


def _judge(
    model: Model, threat: ThreatModel, dataset: Dataset, plan: Plan
) -> Callable[[], AttackMetrics]:
    """Return what measures the model before, after each epoch, and at the end."""
    return judge(
        model,
        threat,
        samples_of(dataset, threat, judged_positions(dataset, threat)),
        names=dataset.class_names or (),
        steps=steps_of(plan.settings),
        seed=fold_seed(plan.seed, "judge"),
        has_one_step=plan.settings.mode == "fast",
    )


def _evaluator(
    model: Model, dataset: Dataset, plan: Plan, watch: Callable[[], AttackMetrics]
) -> Callable[[], dict[str, float]]:
    """Return what measures each epoch: the usual validation logs, and those under attack."""
    usual = evaluator(model, dataset, split="validation", task=plan.task, loss=plan.loss)
    return lambda: {**usual(), **_logs(watch())}


def _logs(metrics: AttackMetrics) -> dict[str, float]:
    """Return the accuracies that were measured, as validation logs."""
    logs = {f"val_{name}": getattr(metrics, field) for name, field in LOGGED.items()}
    return {name: value for name, value in logs.items() if value is not None}


def _guard(settings: Any, first: AttackMetrics) -> Guard | None:
    """Return what goes back when training on one step collapses; other modes do not."""
    if settings.mode != "fast":
        return None
    return Guard(
        robust=first.robust_accuracy,
        warmup_epochs=settings.warmup_epochs,
        stops=settings.on_collapse == "stop",
    )


def _keep(settings: Any, first: AttackMetrics) -> Keep | None:
    """Return what keeps the most robust epoch; None: the last one is kept."""
    if settings.max_clean_drop is None:
        return None
    return Keep(floor=first.clean_accuracy - settings.max_clean_drop)


def _trainer(
    plan: Plan,
    threat: ThreatModel,
    dataset: Dataset,
    feed: Feed,
    made: tuple[Any, Any, Any],
    guard: Guard | None,
) -> Trainer:
    """Return the model with its adversarial step; `made` is model, optimizer, strategy."""
    model, optimizer, strategy = made
    weights = class_weights(
        plan.class_weights,
        np.asarray(dataset.labels[feed.positions]),
        dataset.class_names or (),
    )
    step = step_of(
        plan.settings.model_dump(),
        model,
        weight_loss(plan.loss, weights),
        threat=threat,
        warmup_steps=round(plan.settings.warmup_epochs * feed.steps),
        has_collapsed=lambda: guard is not None and guard.collapsed_epoch > 0,
    )
    return Trainer(
        model,
        optimizer,
        step,
        threat.ready,
        strategy,
        clip_norm=plan.optimizing.clip_norm,
        clip_value=plan.optimizing.clip_value,
        averages=plan.settings.ema is not None,
        rate_key="harden.learning_rate",
        phase=(lambda epoch: None) if guard is None else guard.phase,
    )
