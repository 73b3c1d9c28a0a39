"""The adversarial training steps, one a mode: what is learnt from inputs that an attack finds.

Clean and adversarial batch, where both are learnt, go through the network in one pass: batch
normalisation sees the mixture that it will be used on.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from pipeline.harden.attacks import attack_of, ball_of
from pipeline.harden.trades import apart, disagreeing
from pipeline.models.blocks import logits_model
from pipeline.train.losses import Loss
from pipeline.train.step import PerSample, Step, correct

Finder = Callable[[Any, Any, Any, Any], Any]

CAREFUL = {"kind": "pgd", "steps": 7}  # what goes on where training on one step has collapsed


def adversarial_step(model: Any, loss: Loss, attack: Finder, *, clean_share: float) -> Step:
    """Return the step whose loss is clean_share * clean + (1 - clean_share) * adversarial.

    Goodfellow et al. 2015, section 6 (arXiv:1412.6572), with the inner maximisation of Madry et al.
    2018; at a share of 0 it is theirs, and the clean batch costs nothing.

    Args:
        model: with one input in [0, 1].
        loss: of each sample, from labels and logits.
        attack: (model, x, labels, seed) -> adversarial x.
        clean_share: weight of the clean half, in [0, 1].
    """
    head = logits_model(keras, model)

    def step(inputs: Mapping[str, Any], labels: Any, seed: Any) -> tuple[Any, PerSample]:
        ((name, x),) = inputs.items()
        attacked = attack(lambda x, training: head({name: x}, training=training), x, labels, seed)
        if clean_share == 0:
            found = tf.cast(head({name: attacked}, training=True), tf.float32)
            return loss(labels, found), _robust(labels, found)
        clean, adversarial = _both(head, name, x, attacked)
        losses = clean_share * loss(labels, clean) + (1 - clean_share) * loss(labels, adversarial)
        return losses, {**correct(labels, clean), **_robust(labels, adversarial)}

    return step


def trades_step(model: Any, loss: Loss, find: Finder, *, beta: float) -> Step:
    """Return the step whose loss is clean + beta * KL(clean answers || adversarial answers).

    Args:
        model: with one input in [0, 1].
        loss: of each sample, from labels and logits; weights of classes count in it alone.
        find: (model, x, labels, seed) -> inputs near x whose answers are far from those for x.
        beta: weight of being of one mind.
    """
    head = logits_model(keras, model)

    def step(inputs: Mapping[str, Any], labels: Any, seed: Any) -> tuple[Any, PerSample]:
        ((name, x),) = inputs.items()
        attacked = find(lambda x, training: head({name: x}, training=training), x, labels, seed)
        clean, adversarial = _both(head, name, x, attacked)
        losses = loss(labels, clean) + beta * apart(clean, adversarial)
        return losses, {**correct(labels, clean), **_robust(labels, adversarial)}

    return step


def step_of(
    settings: Mapping[str, Any],
    model: Any,
    loss: Loss,
    *,
    warmup_steps: int = 0,
    has_collapsed: Callable[[], bool] = lambda: False,
) -> Step:
    """Return the step of a `harden` section.

    Args:
        settings: the section, dumped.
        model: with one input in [0, 1].
        loss: of each sample, from labels and logits.
        warmup_steps: training steps in which epsilon grows.
        has_collapsed: tells, when the step is traced, whether `fast` goes on with PGD.
    """
    if settings["mode"] == "trades":
        find = _trades_finder(settings["attack"], warmup_steps)
        return trades_step(model, loss, find, beta=settings["beta"])
    near = _warmed(attack_of(settings["attack"]), warmup_steps)
    share = 0.0 if settings["mode"] == "fast" else settings["clean_share"]
    usual = adversarial_step(model, loss, near, clean_share=share)
    if settings["mode"] != "fast":
        return usual
    strong = _warmed(attack_of(settings["attack"] | CAREFUL), warmup_steps)
    careful = adversarial_step(model, loss, strong, clean_share=0.0)

    def step(inputs: Mapping[str, Any], labels: Any, seed: Any) -> tuple[Any, PerSample]:
        return (careful if has_collapsed() else usual)(inputs, labels, seed)

    return step


def share_of_epsilon(number: Any, warmup_steps: int) -> Any:
    """Return what part of epsilon the attack has at a step, counted from 0; in (0, 1]."""
    if not warmup_steps:
        return 1.0
    return tf.minimum(1.0, tf.cast(number + 1, tf.float32) / warmup_steps)


def _warmed(attack: Callable[..., Any], warmup_steps: int) -> Finder:
    """Return the attack with its part of epsilon; seeds hold the number of the step."""
    return lambda model, x, labels, seed: attack(
        model, x, labels, seed, share_of_epsilon(seed[1], warmup_steps)
    )


def _trades_finder(settings: Mapping[str, Any], warmup_steps: int) -> Finder:
    ball, steps = ball_of(settings), settings["steps"]

    def find(model: Any, x: Any, labels: Any, seed: Any) -> Any:
        near = replace(ball, radius=ball.radius * share_of_epsilon(seed[1], warmup_steps))
        return disagreeing(model, x, ball=near, steps=steps, seed=seed)

    return find


def _both(head: Any, name: str, x: Any, attacked: Any) -> Any:
    """Return the logits of the clean and of the adversarial batch, from one pass."""
    outputs = head({name: tf.concat([x, attacked], axis=0)}, training=True)
    return tf.split(tf.cast(outputs, tf.float32), 2)


def _robust(labels: Any, outputs: Any) -> PerSample:
    return {f"robust_{name}": value for name, value in correct(labels, outputs).items()}
