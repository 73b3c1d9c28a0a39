"""The adversarial training steps, one a mode: training on the results of an attack.

Clean and adversarial batch, where both are trained on, go through the network in one pass: batch
normalization sees the mixture that it will be used on.

Legend: B batch; K classes.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from pipeline.arrays import Model, Tensor
from pipeline.harden.attacks import TrainingAttack, attack_in, pgd
from pipeline.harden.threat_model import PerturbationSet
from pipeline.harden.word_substitution import ThreatModel
from pipeline.models.blocks import logits_model
from pipeline.train.losses import Loss, OfOne, without_names
from pipeline.train.step import LabelStep, PerSample, Step, on_labels, sample_metric

Perturb = Callable[[Any, Any, Any, Any], Any]

CAREFUL = {"kind": "pgd", "steps": 7}  # what goes on where training on one step has collapsed


def adversarial_step(
    model: Model, loss: OfOne, attack: Perturb, *, threat: ThreatModel, clean_share: float
) -> LabelStep:
    """Return the step whose loss is clean_share * clean + (1 - clean_share) * adversarial.

    Goodfellow et al. 2015, section 6 (arXiv:1412.6572), with the inner maximization of Madry et al.
    2018; at a weight of 0 it is theirs, and the clean batch costs nothing.

    Args:
        model: a classifier.
        loss: of each sample, from labels and logits.
        attack: (model, x, labels, seed) -> adversarial x, a point of the threat.
        threat: makes points of what the trainer's `prepare` gives, and model inputs of points.
        clean_share: weight of the clean half, in [0, 1].
    """
    head = logits_model(keras, model)
    through = threat.through(head)

    def step(inputs: Mapping[str, Any], labels: Tensor, seed: Tensor) -> tuple[Any, PerSample]:
        x = threat.point(inputs)
        attacked = attack(through(inputs, seed), x, labels, seed)
        shown = threat.inputs(attacked, inputs, seed)
        if clean_share == 0:
            logits = tf.cast(head(shown, training=True), tf.float32)
            return loss(labels, logits), _robust(labels, logits)
        clean, adversarial = _both(head, threat.inputs(x, inputs, seed), shown)
        losses = clean_share * loss(labels, clean) + (1 - clean_share) * loss(labels, adversarial)
        return losses, {**sample_metric(labels, clean), **_robust(labels, adversarial)}

    return step


def trades_step(
    model: Model, loss: OfOne, attack: Perturb, *, threat: ThreatModel, beta: float
) -> LabelStep:
    """Return the step whose loss is clean + beta * KL(clean outputs || adversarial outputs).

    TRADES, Zhang et al. 2019, equation 5 and algorithm 1 (arXiv:1901.08573).

    Args:
        model: a classifier.
        loss: of each sample, from labels and logits; weights of classes count in it alone.
        attack: (model, x, labels, seed) -> points near x whose outputs are far from those for x.
        threat: as for `adversarial_step`.
        beta: weight of the KL consistency term.
    """
    head = logits_model(keras, model)
    through = threat.through(head)

    def step(inputs: Mapping[str, Any], labels: Tensor, seed: Tensor) -> tuple[Any, PerSample]:
        x = threat.point(inputs)
        attacked = attack(through(inputs, seed), x, labels, seed)
        shown = [threat.inputs(point, inputs, seed) for point in (x, attacked)]
        clean, adversarial = _both(head, *shown)
        losses = loss(labels, clean) + beta * kl_divergence(clean, adversarial)
        return losses, {**sample_metric(labels, clean), **_robust(labels, adversarial)}

    return step


def kl_divergence(logits: Tensor, others: Any) -> Any:
    """Return KL(softmax(logits) || softmax(others)) of each sample (B,); both (B, K)."""
    own, other = tf.nn.log_softmax(logits), tf.nn.log_softmax(others)
    return tf.reduce_sum(tf.exp(own) * (own - other), axis=1)


def step_of(
    settings: Mapping[str, Any],
    model: Model,
    loss: Loss,
    *,
    threat: ThreatModel,
    warmup_steps: int = 0,
    has_collapsed: Callable[[], bool] = lambda: False,
) -> Step:
    """Return the step of a `harden` section.

    Args:
        settings: the section, dumped.
        model: a classifier.
        loss: of each sample, from named targets and logits.
        threat: what the attack may change.
        warmup_steps: training steps in which epsilon grows.
        has_collapsed: tells, when the step is traced, whether `fast` goes on with PGD.
    """
    of_logits = without_names(loss)
    if settings["mode"] == "trades":
        assert isinstance(threat, PerturbationSet)  # TRADES takes PGD alone, which texts have not
        core = _divergence_attack(settings["attack"], threat)
        attack = _warmed(threat.attack(core), warmup_steps)
        return on_labels(
            trades_step(model, of_logits, attack, threat=threat, beta=settings["beta"])
        )
    near = _warmed(attack_in(threat, settings["attack"]), warmup_steps)
    share = 0.0 if settings["mode"] == "fast" else settings["clean_share"]
    usual = adversarial_step(model, of_logits, near, threat=threat, clean_share=share)
    if settings["mode"] != "fast":
        return on_labels(usual)
    strong = _warmed(attack_in(threat, settings["attack"] | CAREFUL), warmup_steps)
    careful = adversarial_step(model, of_logits, strong, threat=threat, clean_share=0.0)

    def step(inputs: Mapping[str, Any], labels: Tensor, seed: Tensor) -> tuple[Any, PerSample]:
        return (careful if has_collapsed() else usual)(inputs, labels, seed)

    return on_labels(step)


def share_of_epsilon(number: Any, warmup_steps: int) -> Any:
    """Return the fraction of epsilon that the attack has at a step, counted from 0; in (0, 1]."""
    if not warmup_steps:
        return 1.0
    return tf.minimum(1.0, tf.cast(number + 1, tf.float32) / warmup_steps)


def _warmed(attack: Callable[..., Any], warmup_steps: int) -> Perturb:
    """Return the attack with its fraction of epsilon; seeds hold the number of the step."""
    return lambda model, x, labels, seed: attack(
        model, x, labels, seed, share_of_epsilon(seed[1], warmup_steps)
    )


def _divergence_attack(settings: Mapping[str, Any], threat: PerturbationSet) -> TrainingAttack:
    """Return the attack of TRADES, with the arguments of all others.

    Other than there, it starts anywhere in the ball, not within a thirtieth of it: so near x the
    divergence is the difference of two equal outputs, whose gradient has 300 times the rounding
    error of that of the cross-entropy, and signs that depend on the order of sums.
    """
    ball, steps = threat.ball(), settings["steps"]

    def attack(model: Model, x: Tensor, labels: Tensor, seed: Tensor, share: Any = 1.0) -> Any:
        clean = tf.stop_gradient(tf.cast(model(x, training=False), tf.float32))
        near = replace(ball, radius=ball.radius * share)

        def loss(_: Any, logits: Tensor) -> Any:
            return kl_divergence(clean, tf.cast(logits, tf.float32))

        return pgd(model, x, None, ball=near, steps=steps, seed=seed, loss=loss)

    return attack


def _both(head: Any, clean: Mapping[str, Any], attacked: Mapping[str, Any]) -> Any:
    """Return the logits of the clean and of the adversarial batch, from one pass."""
    both = {name: tf.concat([x, attacked[name]], axis=0) for name, x in clean.items()}
    outputs = head(both, training=True)
    return tf.split(tf.cast(outputs, tf.float32), 2)


def _robust(labels: Tensor, outputs: Tensor) -> PerSample:
    return {f"robust_{name}": value for name, value in sample_metric(labels, outputs).items()}
