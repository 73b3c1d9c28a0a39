"""Fine-tune against an attack.

Reads dataset, reference; writes model.keras (the reference from here on), history.csv,
robustness.json: clean and robust accuracy before and after, on validation data, and the recall of
each class.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.artifacts import SCHEMA, WORK, Inputs, Metrics, write_json
from pipeline.config.schema import Config, Harden
from pipeline.config.space_schema import settings_of
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.data.preprocess import target_of
from pipeline.harden.robustness import judge_of, robustness
from pipeline.harden.space import Space
from pipeline.harden.space_attack import attack_in
from pipeline.harden.space_fit import space_of
from pipeline.harden.space_search import judged, samples_of
from pipeline.harden.space_tokens import Texts
from pipeline.harden.space_words import reach_words, space_document
from pipeline.harden.step import adversarial_step
from pipeline.models.save import load_keras, save_keras
from pipeline.seeds import fold_seed
from pipeline.train import schedule
from pipeline.train.feed import Feed
from pipeline.train.forgot import remembered
from pipeline.train.history import watchers, write_history
from pipeline.train.loop import Trainer, fit
from pipeline.train.losses import loss_of
from pipeline.train.step import class_weights, weighted
from pipeline.train.strategy import choose
from pipeline.train.validate import evaluator

STEPS = 20  # of the attack that judges: more than training's, or it would grade its own work
SAMPLES = 1000  # validation samples of attacked classes that are attacked, at most


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Fine-tune the trained model on clean and adversarial batches."""
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session()
    settings = config.harden
    assert settings is not None  # else the stage is off
    dataset = open_dataset(inputs["dataset"])
    loss = loss_of(config.train, config.task)
    trainer, feed, space = _trainer(
        config, settings, dataset, loss, inputs["reference"] / "model.keras"
    )
    model, find = trainer.model, judge_of(trainer.model, space, steps=STEPS)
    taken = judged(dataset.labels, space, dataset.split("validation"), SAMPLES)
    samples = samples_of(dataset, space, taken)
    names, seed = dataset.class_names or (), fold_seed(config.seed, "judge")
    before = robustness(model, space, samples, names, find=find, seed=seed)
    knew = remembered(model, dataset, config.task)
    rows = fit(
        trainer,
        feed,
        epochs=settings.epochs,
        evaluate=evaluator(model, dataset, split="validation", task=config.task, loss=loss),
        callbacks=watchers(out),
        work=out / WORK,
    )
    after = robustness(model, space, samples, names, find=find, seed=seed)
    save_keras(model, out / "model.keras")
    write_history(out / "history.csv", rows)
    document = _asked(settings, space) | {
        "samples": len(samples.labels),
        "before": before,
        "after": after,
        "fine_tuning": {"before": knew, "after": remembered(model, dataset, config.task)},
    }
    write_json(out / "robustness.json", document)
    shown = ("clean", "robust")
    return Metrics({f"val_{k}": (after[k], f"(was {before[k]:.4g})") for k in shown})


def _asked(settings: Harden, space: Space | Texts) -> dict[str, Any]:
    """Return what robustness.json says of the attack."""
    return {
        "schema": SCHEMA,
        "norm": "linf",
        "epsilon": settings_of(settings.attack)["epsilon"],
        "reach": reach_words(space),
        "space": space_document(space),
        "attack": settings.attack.model_dump(mode="json"),
        "steps": STEPS,
    }


def _space(config: Config, settings: Harden, dataset: Dataset, model: Any) -> Space | Texts:
    """Return what the attack moves of a training sample."""
    changes = [change.model_dump() for change in config.data.augment]
    asked = settings_of(settings.attack)
    return space_of(dataset, asked, model, where="harden.attack", changes=changes)


def _trainer(
    config: Config, settings: Harden, dataset: Dataset, loss: Any, start: Path
) -> tuple[Trainer, Feed, Space | Texts]:
    """Return the trained model with its adversarial step, the batches, and what is attacked."""
    positions = dataset.split("train")
    labels = np.asarray(dataset.labels[positions])
    feed = Feed(
        dataset,
        positions,
        target_of(labels, dataset.preprocess),
        batch_size=config.data.batch_size,
        seed=fold_seed(config.seed, "harden"),
    )
    strategy, optimizing = choose(config.train.strategy), config.train.optimizer
    with strategy.scope():
        model = load_keras(start)
        steps = settings.epochs * feed.steps
        rate = schedule.cosine(
            keras, peak=settings.learning_rate, warmup_steps=0, total_steps=steps
        )
        optimizer = schedule.optimizer(keras, optimizing, rate)
    weights = class_weights(config.train.class_weights, labels, dataset.class_names or ())
    space = _space(config, settings, dataset, model)
    attack = attack_in(space, settings.attack.model_dump())
    step = adversarial_step(
        model, weighted(loss, weights), attack, space, clean_share=settings.clean_share
    )
    trainer = Trainer(
        model,
        optimizer,
        step,
        space.ready,
        strategy,
        clip_norm=optimizing.clip_norm,
        rate_key="harden.learning_rate",
    )
    return trainer, feed, space
