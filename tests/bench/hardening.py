"""What hardening costs: a step of each mode over a plain one, and the whole against ART's.

Time is that of the processor, over all cores, so that other work on the machine counts little;
against ART, which leaves cores idle, it is that of the clock. ART is the
adversarial-robustness-toolbox, used as its guides do; without it that row is left out.
"""

import importlib.util
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from pydantic import TypeAdapter

from pipeline.config.model_schema import Cnn
from pipeline.config.schema import AdamW, Harden, Train
from pipeline.config.space_schema import AuditReach
from pipeline.data.dataset import Dataset
from pipeline.documents.spec import Spec
from pipeline.harden.fit_threat_model import fit_threat_model
from pipeline.harden.robustness import clean_inputs, compile_pgd
from pipeline.harden.run_attack import samples_of
from pipeline.harden.step import step_of
from pipeline.models import MODELS
from pipeline.models.blocks import logits_model
from pipeline.train import schedule
from pipeline.train.batches import Feed
from pipeline.train.loop import Trainer, fit
from pipeline.train.losses import loss_of
from pipeline.train.make import preparer
from pipeline.train.step import Step, plain_step

BATCH, IMAGES, ATTACKED, BY_ART = 128, 8192, 1000, 1024
# What a step costs at least, in passes: a plain one is 3 (forward, backward to weights and to
# inputs), a step of an attack 2; measured in Keras' own train_step on this net: 6.7, 1.9, 2.9, 8.5.
MODES: dict[str, tuple[dict[str, Any], float]] = {
    "PGD-7": ({"mode": "pgd"}, 6.7),
    "fast": ({"mode": "fast"}, 1.9),
    "fgsm_mix": ({"mode": "fgsm_mix"}, 2.9),
    "TRADES-7": ({"mode": "trades"}, 8.5),
}
PGD = {"kind": "pgd", "norm": "linf", "epsilon": 0.1, "steps": 7}
# The net of Wong et al. 2020 for MNIST.
SMALL = Cnn(
    kind="cnn", filters=(16, 32), kernel_size=4, strides=2, pool="none", dense=(100,),
    batch_norm=False,
)  # fmt: skip
STEPS, RESTARTS, A_MINUTE = 50, 5, 60.0


def rows(dataset: Dataset, spec: Spec) -> list[dict[str, Any]]:
    """Return a row for each comparison: name, ratio, rates and their unit.

    Args:
        dataset: images in [0, 1] of ten classes.
        spec: of a net for them.
    """
    small = spec.model_copy(update={"model": SMALL})
    found = [*costs(dataset, spec), attacking(dataset, small)]
    if importlib.util.find_spec("art") is not None:
        found.append(against_art(dataset, small))
    return found


def costs(dataset: Dataset, spec: Spec) -> list[dict[str, Any]]:
    """Compare a step of each mode with a plain one; the ratio is what it costs."""
    loss = loss_of(Train(), "classification")
    made = []
    for name, (settings, known) in MODES.items():
        section = TypeAdapter(Harden).validate_python(settings).model_dump()
        plain = step_seconds(dataset, spec, lambda model: plain_step(model, loss))
        found = step_seconds(dataset, spec, hardening(dataset, section))
        made.append(
            {
                "name": f"cost of a {name} step (known: {known})",
                "ratio": found / plain,
                "rates": {"hardening": 1e3 * found, "plain": 1e3 * plain},
                "unit": "ms",
            }
        )
    return made


def hardening(dataset: Dataset, section: dict[str, Any]) -> Callable[[Any], Step]:
    """Return model -> the step of a `harden` section."""
    loss = loss_of(Train(), "classification")

    def step_for(model: Any) -> Step:
        asked = AuditReach().model_dump() | section["attack"]
        threat = fit_threat_model(dataset, asked, model, where="harden.attack")
        return step_of(section, model, loss, threat=threat)

    return step_for


def step_seconds(
    dataset: Dataset,
    spec: Spec,
    step_for: Callable[[Any], Step],
    *,
    epochs: int = 2,
    clock: Callable[[], float] = time.process_time,
) -> float:
    """Return the seconds for one training step: the median over calls but the first."""
    times: list[float] = []

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            times.append(clock())

    keras.utils.clear_session()
    model = MODELS[spec.model.kind](keras, spec)
    positions = dataset.split("train")[:IMAGES]
    feed = Feed(dataset, positions, dataset.targets(positions), batch_size=BATCH, seed=0)
    trainer = Trainer(
        model,
        schedule.optimizer(keras, AdamW(), 1e-3),
        step_for(model),
        preparer(dataset.preprocess, []),
        tf.distribute.get_strategy(),
    )
    with tempfile.TemporaryDirectory() as work:
        fit(trainer, feed, epochs=epochs, evaluate=dict, callbacks=[Clock()], work=Path(work))
    calls = np.diff(times)[1:]
    return statistics.median(calls.tolist()) / feed.steps_a_call


def attacking(dataset: Dataset, spec: Spec) -> dict[str, Any]:
    """Attack 1,000 images by PGD of 50 steps and 5 restarts, against a minute."""
    keras.utils.clear_session()
    model = MODELS[spec.model.kind](keras, spec)
    threat = fit_threat_model(dataset, AuditReach().model_dump() | PGD, model, where="audit")
    find = compile_pgd(model, threat, steps=STEPS)
    samples = samples_of(dataset, threat, dataset.split("train")[:ATTACKED])
    started = time.process_time()
    for seed in range(RESTARTS):
        find(samples, seed=seed)
    seconds = time.process_time() - started
    rates = {"edgeline": seconds, "wanted": A_MINUTE}
    name = f"PGD-{STEPS}x{RESTARTS} of {len(samples.x)} images"
    return {"name": name, "ratio": A_MINUTE / seconds, "rates": rates, "unit": "s"}


def against_art(dataset: Dataset, spec: Spec) -> dict[str, Any]:
    """Make an epoch of PGD-7 training, against ART's AdversarialTrainer."""
    section = TypeAdapter(Harden).validate_python({"mode": "pgd"}).model_dump()
    clock, step = time.perf_counter, hardening(dataset, section)
    ours = step_seconds(dataset, spec, step, clock=clock) / BATCH
    theirs = art_seconds(dataset, spec) / BY_ART
    rates = {"edgeline": 1 / ours, "ART": 1 / theirs}
    return {
        "name": "PGD-7 fine-tuning",
        "ratio": theirs / ours,
        "rates": rates,
        "unit": "images/s",
    }


def art_seconds(dataset: Dataset, spec: Spec) -> float:
    """Return the seconds that ART takes for an epoch of BY_ART images."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from art.attacks.evasion import ProjectedGradientDescent
        from art.defences.trainer import AdversarialTrainer

        classifier = art_classifier(MODELS[spec.model.kind](keras, spec))
        attack = ProjectedGradientDescent(
            classifier,
            eps=0.1,
            eps_step=0.1 * 2.5 / 7,
            max_iter=7,
            num_random_init=1,
            verbose=False,
        )
        positions = dataset.split("train")[:BY_ART]
        x, labels = clean_inputs(dataset, positions), np.eye(10)[dataset.labels[positions]]
        trainer = AdversarialTrainer(classifier, attack, ratio=1.0)
        trainer.fit(x[:BATCH], labels[:BATCH], batch_size=BATCH, nb_epochs=1)
        started = time.perf_counter()
        trainer.fit(x, labels, batch_size=BATCH, nb_epochs=1)
        return time.perf_counter() - started


def art_classifier(model: Any) -> Any:
    """Return a Keras model as ART knows one: logits, and its cross-entropy."""
    from art.estimators.classification import TensorFlowV2Classifier

    head, (name,) = logits_model(keras, model), (tensor.name for tensor in model.inputs)
    optimizer = keras.optimizers.Adam(1e-3)

    class Logits(tf.Module):
        trainable_variables = head.trainable_variables

        def __call__(self, x: Any, training: bool = False) -> Any:
            return head({name: tf.cast(x, tf.float32)}, training=training)

    cross_entropy = tf.nn.softmax_cross_entropy_with_logits

    def loss(labels: Any, logits: Any) -> Any:
        return tf.reduce_mean(cross_entropy(tf.cast(labels, tf.float32), logits))

    @tf.function
    def train_step(logits: Any, x: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            value = loss(labels, logits(x, training=True))
        gradients = tape.gradient(value, head.trainable_variables)
        optimizer.apply_gradients(zip(gradients, head.trainable_variables, strict=True))
        return value

    return TensorFlowV2Classifier(
        Logits(), nb_classes=head.output.shape[-1], input_shape=tuple(head.inputs[0].shape[1:]),
        loss_object=loss, train_step=train_step, clip_values=(0.0, 1.0),
    )  # fmt: skip
