"""Train the network. Reads dataset, spec; writes model.keras (the reference), history.csv."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pipeline.artifacts import WORK, Inputs, Metrics, read_json
from pipeline.config.schema import Config
from pipeline.data.dataset import open_dataset
from pipeline.data.preprocess import target_of
from pipeline.models import MODELS
from pipeline.models.save import save_keras
from pipeline.seeds import fold_seed
from pipeline.tasks import TASKS
from pipeline.train import schedule
from pipeline.train.feed import Feed
from pipeline.train.history import watchers, write_history
from pipeline.train.loop import Trainer, fit
from pipeline.train.prepare import preparer
from pipeline.train.step import class_weights, loss_of, plain_step, weighted
from pipeline.train.strategy import choose
from pipeline.train.validate import evaluator


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Train the spec's network from its seeded start, or from the checkpoint of a killed run."""
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session()
    dataset = open_dataset(inputs["dataset"])
    spec = read_json(inputs["spec"] / "spec.json")
    settings = config.train.model_copy(update=spec.get("train", {}))
    positions = dataset.split("train")
    labels = np.asarray(dataset.labels[positions])
    feed = Feed(
        dataset,
        positions,
        target_of(labels, dataset.preprocess),
        batch_size=config.data.batch_size,
        seed=fold_seed(config.seed, "train"),
    )
    strategy = choose(settings.strategy)
    with strategy.scope():
        model = MODELS[spec["model"]["kind"]](keras, spec)
        rate = schedule.learning_rate(
            keras,
            settings.schedule,
            peak=settings.optimizer.learning_rate,
            steps_an_epoch=feed.steps,
            epochs=settings.epochs,
        )
        optimizer = schedule.adamw(keras, rate, weight_decay=settings.optimizer.weight_decay)
    loss = loss_of(settings.loss, config.task)
    weights = class_weights(settings.class_weights, labels, dataset.class_names)
    trainer = Trainer(
        model,
        optimizer,
        plain_step(model, weighted(loss, weights)),
        preparer(dataset.preprocess, [change.model_dump() for change in config.data.augment]),
        strategy,
        clip_norm=settings.optimizer.clip_norm,
    )
    patience = settings.early_stopping.patience if settings.early_stopping else None
    evaluate = evaluator(model, dataset, split="validation", task=config.task, loss=loss)
    rows = fit(
        trainer,
        feed,
        epochs=settings.epochs,
        evaluate=evaluate,
        callbacks=watchers(out, patience=patience),
        work=out / WORK,
    )
    save_keras(model, out / "model.keras")
    write_history(out / "history.csv", rows)
    metric = f"val_{TASKS[config.task].metric}"
    return Metrics({"epochs": (len(rows), ""), metric: (evaluate()[metric], "")})
