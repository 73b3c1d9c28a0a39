"""Model extraction: how often a surrogate trained on a file's outputs decides as the file.

Tramer et al. 2016 (arXiv:1609.02943) and Orekondy et al. 2019 ("Knockoff nets", arXiv:1812.02766):
the attacker queries the file and trains a surrogate on its outputs.
"""

import itertools
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, Model, Tensor, only
from pipeline.artifacts import WORK
from pipeline.config.schema import Train
from pipeline.data.dataset import Dataset
from pipeline.documents.privacy import Extraction, Surrogate
from pipeline.documents.spec import Spec
from pipeline.models import MODELS
from pipeline.models.blocks import logits_model
from pipeline.models.predict import predict
from pipeline.samples import KINDS
from pipeline.seeds import fold_seed
from pipeline.tasks.intervals import wilson
from pipeline.train import schedule
from pipeline.train.ablation import folder_of
from pipeline.train.batches import Feed
from pipeline.train.loop import Trainer, fit
from pipeline.train.make import cosine_rate, preparer, reset_keras
from pipeline.train.step import LabelStep, on_labels
from pipeline.train.strategy import alone, choose

log = logging.getLogger(__name__)

Query = Callable[[Mapping[str, Array]], Array]

FIRST, FACTORS = 100, (1, 3)  # budgets: 100, 300, 1,000, 3,000, ...
STEPS = 1000  # of each surrogate: small budgets are memorized, large ones nearly so


@dataclass(frozen=True)
class Attacker:
    """What an attacker has who trains a surrogate."""

    spec: Spec
    """Of the network: the family is known, the weights that it started from are not."""
    settings: Train
    """Of `train`, for optimizer and devices."""
    queries: int
    """Queries, at most."""
    batch_size: int
    seed: int
    out: Path
    """Folder of the stage: checkpoints lie below it."""


class InMemory:
    """Raw values in memory, read by position, in place of an input's `Shards`."""

    def __init__(self, values: Array) -> None:
        """Hold values (N, ...)."""
        self._values = values

    def take(self, positions: Array) -> Array:
        """Return the values at some positions (n,), (n, ...)."""
        return self._values[positions]


def budgets(most: int) -> list[int]:
    """Return the numbers of queries that are tried, up to and with `most`."""
    steps = [FIRST * f * 10**e for e in range(len(str(most))) for f in FACTORS]
    return [*(step for step in steps if step < most), most]


def extraction(dataset: Dataset, test: Array, query: Query, *, attacker: Attacker) -> Extraction:
    """Return how often surrogates decide as the attacked file on samples that were not queried.

    Args:
        dataset: its training samples are the queries, as data of the same kind.
        test: positions of samples that the decisions are compared on (n,).
        query: raw inputs -> the file's probabilities (N, K).
        attacker: what he has.
    """
    queried = dataset.split("train")[: attacker.queries]
    sources = {"data": (dataset, queried, budgets(len(queried)))}
    entry, *others = dataset.preprocess.inputs
    if KINDS[entry.kind].has_fixed_range and not others:
        noise = _noise(dataset, len(queried), fold_seed(attacker.seed, "noise"))
        sources["noise"] = (*noise, [len(queried)])
    decided = query(dataset.read(test)).argmax(axis=1)
    labels, rows = np.asarray(dataset.labels[test]), []
    for source, (shown, positions, counts) in sources.items():
        outputs = query(shown.read(positions))
        for count, form in itertools.product(counts, ("labels", "probabilities")):
            log.info("          surrogate of %d queries (%s, %s)", count, source, form)
            targets = _targets(outputs[:count], form)
            name = f"surrogate_{source}_{count}_{form}"
            model = surrogate(shown, positions[:count], targets, attacker=attacker, name=name)
            predicted = only(predict(model, dataset, test)).argmax(axis=1)
            row = {
                "source": source,
                "queries": count,
                "outputs": form,
                "agreement": float((predicted == decided).mean()),
                "agreement_ci95": wilson(int((predicted == decided).sum()), len(test)),
                "accuracy": float((predicted == labels).mean()),
            }
            rows.append(Surrogate.model_validate(row))
    return Extraction(samples=len(test), steps=STEPS, surrogates=tuple(rows))


def _targets(outputs: Array, form: str) -> Array:
    """Return labels or probabilities that the attacker trains on, (N, K) that sum to one."""
    if form == "labels":
        return np.eye(outputs.shape[1], dtype=np.float32)[outputs.argmax(axis=1)]
    positive = np.maximum(outputs, 0) + 1e-9  # all zeros cannot be divided
    return np.asarray(positive / positive.sum(axis=1, keepdims=True), np.float32)


def _noise(dataset: Dataset, count: int, seed: int) -> tuple[Dataset, Array]:
    """Return images of uniform noise: queries of an attacker without data of the kind."""
    (entry,) = dataset.inputs
    generator = np.random.Generator(np.random.Philox(seed))
    most = np.iinfo(entry.dtype).max
    shape = (count, *entry.shape)
    values = generator.integers(0, most, shape, entry.dtype, endpoint=True)
    shards: Any = InMemory(values)
    return replace(dataset, shards={entry.name: shards}), np.arange(count)


def surrogate(
    dataset: Dataset, positions: Array, targets: Array, *, attacker: Attacker, name: str
) -> Any:
    """Return a network trained on targets; after an interruption training continues.

    Args:
        dataset: of the queries.
        positions: of the queried samples (n,).
        targets: probabilities (n, K).
        attacker: what he has.
        name: of its checkpoint's folder.
    """
    import keras

    reset_keras()
    indices = np.arange(len(positions), dtype=np.int32)  # a target is looked up by its index
    feed = Feed(
        dataset,
        positions,
        {"query": indices},
        batch_size=attacker.batch_size,
        seed=fold_seed(attacker.seed, name),
    )
    epochs = max(1, -(-STEPS // feed.steps))
    settings, strategy = attacker.settings, choose(alone(attacker.settings).strategy)
    with strategy.scope():
        model = MODELS[attacker.spec.model.kind](keras, attacker.spec)
        rate = cosine_rate(feed, peak=settings.optimizer.learning_rate, epochs=epochs)
        optimizer = schedule.optimizer(keras, settings.optimizer, rate)
    trainer = Trainer(
        model,
        optimizer,
        on_labels(distillation_step(model, targets)),
        preparer(dataset.preprocess, []),
        strategy,
        clip_norm=settings.optimizer.clip_norm,
        clip_value=settings.optimizer.clip_value,
    )
    fit(
        trainer,
        feed,
        epochs=epochs,
        evaluate=dict,
        callbacks=[],
        work=folder_of(attacker.out, name) / WORK,
    )
    return model


def distillation_step(model: Model, targets: Array) -> LabelStep:
    """Return the step whose loss is the cross-entropy with a target (Hinton et al. 2015).

    Args:
        model: the surrogate.
        targets: probabilities (n, K); a sample's label is its index among them.
    """
    import keras
    import tensorflow as tf

    head, table = logits_model(keras, model), tf.constant(targets)

    def step(inputs: Mapping[str, Any], labels: Tensor, seed: Tensor) -> tuple[Any, dict[str, Any]]:
        logits = tf.cast(head(inputs, training=True), tf.float32)
        own = tf.gather(table, labels)
        return tf.nn.softmax_cross_entropy_with_logits(own, logits), {}

    return step
