"""Fine-tune against an attack. Reads dataset, reference; writes model.keras (the reference from here
on), history.csv, robustness.json: clean and robust accuracy before and after, on validation data.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipeline.artifacts import SCHEMA, WORK, Inputs, Metrics, write_json
from pipeline.config.schema import Config
from pipeline.data.dataset import open_dataset
from pipeline.data.preprocess import target_of
from pipeline.harden.attacks import attack_of
from pipeline.harden.robustness import attacker, robustness
from pipeline.harden.step import adversarial_step
from pipeline.models.save import load_keras, save_keras
from pipeline.seeds import fold_seed
from pipeline.train import schedule
from pipeline.train.feed import Feed
from pipeline.train.history import watchers, write_history
from pipeline.train.loop import Trainer, fit
from pipeline.train.prepare import preparer
from pipeline.train.step import class_weights, loss_of, weighted
from pipeline.train.strategy import choose
from pipeline.train.validate import evaluator

STEPS = 20  # of the attack that judges: more than training's, or it would grade its own work
SAMPLES = 1000  # validation samples that are attacked, at most


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Fine-tune the trained model on clean and adversarial batches."""
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session()
    settings = config.harden
    assert settings is not None  # else the stage is off
    dataset = open_dataset(inputs["dataset"])
    positions = dataset.split("train")
    labels = np.asarray(dataset.labels[positions])
    feed = Feed(
        dataset,
        positions,
        target_of(labels, dataset.preprocess),
        batch_size=config.data.batch_size,
        seed=fold_seed(config.seed, "harden"),
    )
    strategy = choose(config.train.strategy)
    with strategy.scope():
        model = load_keras(inputs["reference"] / "model.keras")
        rate = schedule.cosine(
            keras,
            peak=settings.learning_rate,
            warmup_steps=0,
            total_steps=settings.epochs * feed.steps,
        )
        optimizer = schedule.adamw(keras, rate, weight_decay=config.train.optimizer.weight_decay)
    judged = dataset.split("validation")[:SAMPLES]
    judge = {
        "epsilon": settings.attack.epsilon,
        "steps": STEPS,
        "seed": fold_seed(config.seed, "judge"),
    }
    find = attacker(model)
    before = robustness(model, find, dataset, judged, judge)
    loss = loss_of(config.train.loss, config.task)
    weights = class_weights(config.train.class_weights, labels, dataset.class_names or ())
    attack = attack_of(settings.attack.model_dump())
    trainer = Trainer(
        model,
        optimizer,
        adversarial_step(model, weighted(loss, weights), attack, clean_share=settings.clean_share),
        preparer(dataset.preprocess, [change.model_dump() for change in config.data.augment]),
        strategy,
        clip_norm=config.train.optimizer.clip_norm,
    )
    rows = fit(
        trainer,
        feed,
        epochs=settings.epochs,
        evaluate=evaluator(model, dataset, split="validation", task=config.task, loss=loss),
        callbacks=watchers(out),
        work=out / WORK,
    )
    save_keras(model, out / "model.keras")
    write_history(out / "history.csv", rows)
    after = robustness(model, find, dataset, judged, judge)
    document = {
        "schema": SCHEMA,
        "norm": "linf",
        "epsilon": settings.attack.epsilon,
        "attack": settings.attack.model_dump(mode="json"),
        "steps": STEPS,
        "samples": len(judged),
        "before": before,
        "after": after,
    }
    write_json(out / "robustness.json", document)
    return Metrics(
        {
            "val_clean": (after["clean"], f"(was {before['clean']:.4g})"),
            "val_robust": (after["robust"], f"(was {before['robust']:.4g})"),
        }
    )
