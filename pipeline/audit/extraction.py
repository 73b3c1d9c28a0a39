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
from pipeline.audit.evasion import wilson
from pipeline.config.schema import Train
from pipeline.data.dataset import Dataset
from pipeline.documents.privacy import Extraction, Surrogate
from pipeline.documents.spec import Spec
from pipeline.models import MODELS
from pipeline.models.blocks import logits_model
from pipeline.models.predict import predict
from pipeline.samples import KINDS
from pipeline.seeds import fold_seed
from pipeline.train import schedule
from pipeline.train.ablation import folder_of
from pipeline.train.batches import Feed
from pipeline.train.loop import Trainer, fit
from pipeline.train.make import cosine_rate, preparer, reset_keras
from pipeline.train.step import LabelStep, on_labels
from pipeline.train.strategy import alone, choose

log = logging.getLogger(__name__)

Ask = Callable[[Mapping[str, Array]], Array]

FIRST, FACTORS = 100, (1, 3)  # budgets: 100, 300, 1,000, 3,000, ...
STEPS = 1000  # of each surrogate: small budgets are learnt by heart, large ones nearly so


@dataclass(frozen=True)
class Thief:
    """What an attacker has who wants a copy."""

    spec: Spec
    """Of the network: the family is known, the weights that it started from are not."""
    settings: Train
    """Of `train`, for optimizer and devices."""
    queries: int
    """Questions, at most."""
    batch_size: int
    seed: int
    out: Path
    """Folder of the stage: checkpoints lie below it."""


class Given:
    """Raw values in memory, read by position: takes the place of an input's `Shards`."""

    def __init__(self, values: Array) -> None:
        """Hold values (N, ...)."""
        self._values = values

    def take(self, positions: Array) -> Array:
        """Return the values at some positions."""
        return self._values[positions]


def budgets(most: int) -> list[int]:
    """Return the numbers of queries that are tried, up to and with `most`."""
    steps = [FIRST * f * 10**e for e in range(len(str(most))) for f in FACTORS]
    return [*(step for step in steps if step < most), most]


def extraction(dataset: Dataset, held: Array, ask: Ask, *, thief: Thief) -> Extraction:
    """Return how often surrogates decide as the attacked file on samples that were not queried.

    Args:
        dataset: its training samples are asked for, as data of the same kind.
        held: samples that are compared on (n,).
        ask: raw inputs -> the file's probabilities (N, K).
        thief: what the attacker has.
    """
    asked = dataset.split("train")[: thief.queries]
    sources = {"data": (dataset, asked, budgets(len(asked)))}
    entry, *others = dataset.preprocess.inputs
    if KINDS[entry.kind].has_fixed_range and not others:
        noise = _noise(dataset, len(asked), fold_seed(thief.seed, "noise"))
        sources["noise"] = (*noise, [len(asked)])
    decided = ask(dataset.read(held)).argmax(axis=1)
    labels, rows = np.asarray(dataset.labels[held]), []
    for source, (shown, positions, counts) in sources.items():
        answers = ask(shown.read(positions))
        for count, form in itertools.product(counts, ("labels", "probabilities")):
            log.info("          surrogate of %d queries (%s, %s)", count, source, form)
            told = _told(answers[:count], form)
            name = f"surrogate_{source}_{count}_{form}"
            model = surrogate(shown, positions[:count], told, thief=thief, name=name)
            said = only(predict(model, dataset, held)).argmax(axis=1)
            row = {
                "source": source,
                "queries": count,
                "outputs": form,
                "agreement": float((said == decided).mean()),
                "agreement_ci95": wilson(int((said == decided).sum()), len(held)),
                "accuracy": float((said == labels).mean()),
            }
            rows.append(Surrogate.model_validate(row))
    return Extraction(samples=len(held), steps=STEPS, surrogates=tuple(rows))


def _told(answers: Array, form: str) -> Array:
    """Return what the attacker reads off an answer, as probabilities (N, K) that sum to one."""
    if form == "labels":
        return np.eye(answers.shape[1], dtype=np.float32)[answers.argmax(axis=1)]
    shares = np.maximum(answers, 0) + 1e-9  # all zeros cannot be divided
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def _noise(dataset: Dataset, count: int, seed: int) -> tuple[Dataset, Array]:
    """Return pictures of even noise, as who has no data of the kind would ask for."""
    (entry,) = dataset.inputs
    generator = np.random.Generator(np.random.Philox(seed))
    most = np.iinfo(entry.dtype).max
    shape = (count, *entry.shape)
    values = generator.integers(0, most, shape, entry.dtype, endpoint=True)
    given: Any = Given(values)
    return replace(dataset, shards={entry.name: given}), np.arange(count)


def surrogate(
    dataset: Dataset, positions: Array, answers: Array, *, thief: Thief, name: str
) -> Any:
    """Return a network that learnt to answer as told; after an interruption it goes on.

    Args:
        dataset: of the queries.
        positions: which samples were asked for (n,).
        answers: probabilities that were told (n, K).
        thief: what the attacker has.
        name: of its checkpoint's folder.
    """
    import keras

    reset_keras()
    places = np.arange(len(positions), dtype=np.int32)  # an answer is looked up by its place
    feed = Feed(
        dataset,
        positions,
        {"query": places},
        batch_size=thief.batch_size,
        seed=fold_seed(thief.seed, name),
    )
    epochs = max(1, -(-STEPS // feed.steps))
    settings, strategy = thief.settings, choose(alone(thief.settings).strategy)
    with strategy.scope():
        model = MODELS[thief.spec.model.kind](keras, thief.spec)
        rate = cosine_rate(feed, peak=settings.optimizer.learning_rate, epochs=epochs)
        optimizer = schedule.optimizer(keras, settings.optimizer, rate)
    trainer = Trainer(
        model,
        optimizer,
        on_labels(distillation_step(model, answers)),
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
        work=folder_of(thief.out, name) / WORK,
    )
    return model


def distillation_step(model: Model, answers: Array) -> LabelStep:
    """Return the step whose loss is the cross-entropy with an answer (Hinton et al. 2015).

    Args:
        model: the surrogate.
        answers: probabilities (n, K); a sample's label is its place among them.
    """
    import keras
    import tensorflow as tf

    head, table = logits_model(keras, model), tf.constant(answers)

    def step(inputs: Mapping[str, Any], labels: Tensor, seed: Tensor) -> tuple[Any, dict[str, Any]]:
        logits = tf.cast(head(inputs, training=True), tf.float32)
        told = tf.gather(table, labels)
        return tf.nn.softmax_cross_entropy_with_logits(told, logits), {}

    return step
