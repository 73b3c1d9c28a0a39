"""The adversarial training steps, one a mode: what is learnt from inputs that an attack finds.

Clean and adversarial batch, where both are learnt, go through the network in one pass: batch
normalisation sees the mixture that it will be used on.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from pipeline.arrays import Model, Tensor
from pipeline.harden.space import Space
from pipeline.harden.space_attack import attack_in
from pipeline.harden.space_tokens import Texts
from pipeline.harden.trades import apart, find_disagreement
from pipeline.models.blocks import logits_model
from pipeline.train.losses import Loss, OfOne, without_names
from pipeline.train.step import LabelStep, PerSample, Step, on_labels, sample_metric

Finder = Callable[[Any, Any, Any, Any], Any]

CAREFUL = {"kind": "pgd", "steps": 7}  # what goes on where training on one step has collapsed


def adversarial_step(
    model: Model, loss: OfOne, attack: Finder, *, space: Space | Texts, clean_share: float
) -> LabelStep:
    """Return the step whose loss is clean_share * clean + (1 - clean_share) * adversarial.

    Goodfellow et al. 2015, section 6 (arXiv:1412.6572), with the inner maximisation of Madry et al.
    2018; at a share of 0 it is theirs, and the clean batch costs nothing.

    Args:
        model: a classifier.
        loss: of each sample, from labels and logits.
        attack: (model, x, labels, seed) -> adversarial x, a point of the space.
        space: makes points of what the trainer's `prepare` gives, and model inputs of points.
        clean_share: weight of the clean half, in [0, 1].
    """
    head = logits_model(keras, model)
    through = space.through(head)

    def step(inputs: Mapping[str, Any], labels: Tensor, seed: Tensor) -> tuple[Any, PerSample]:
        x = space.point(inputs)
        attacked = attack(through(inputs, seed), x, labels, seed)
        shown = space.inputs(attacked, inputs, seed)
        if clean_share == 0:
            found = tf.cast(head(shown, training=True), tf.float32)
            return loss(labels, found), _robust(labels, found)
        clean, adversarial = _both(head, space.inputs(x, inputs, seed), shown)
        losses = clean_share * loss(labels, clean) + (1 - clean_share) * loss(labels, adversarial)
        return losses, {**sample_metric(labels, clean), **_robust(labels, adversarial)}

    return step


def trades_step(
    model: Model, loss: OfOne, find: Finder, *, space: Space | Texts, beta: float
) -> LabelStep:
    """Return the step whose loss is clean + beta * KL(clean answers || adversarial answers).

    Args:
        model: a classifier.
        loss: of each sample, from labels and logits; weights of classes count in it alone.
        find: (model, x, labels, seed) -> points near x whose answers are far from those for x.
        space: as for `adversarial_step`.
        beta: weight of being of one mind.
    """
    head = logits_model(keras, model)
    through = space.through(head)

    def step(inputs: Mapping[str, Any], labels: Tensor, seed: Tensor) -> tuple[Any, PerSample]:
        x = space.point(inputs)
        attacked = find(through(inputs, seed), x, labels, seed)
        shown = [space.inputs(point, inputs, seed) for point in (x, attacked)]
        clean, adversarial = _both(head, *shown)
        losses = loss(labels, clean) + beta * apart(clean, adversarial)
        return losses, {**sample_metric(labels, clean), **_robust(labels, adversarial)}

    return step


def step_of(
    settings: Mapping[str, Any],
    model: Model,
    loss: Loss,
    *,
    space: Space | Texts,
    warmup_steps: int = 0,
    has_collapsed: Callable[[], bool] = lambda: False,
) -> Step:
    """Return the step of a `harden` section.

    Args:
        settings: the section, dumped.
        model: a classifier.
        loss: of each sample, from named targets and logits.
        space: what the attack moves.
        warmup_steps: training steps in which epsilon grows.
        has_collapsed: tells, when the step is traced, whether `fast` goes on with PGD.
    """
    of_logits = without_names(loss)
    if settings["mode"] == "trades":
        assert isinstance(space, Space)  # a text has no PGD, which is all that TRADES takes
        find = _warmed(space.attack(_disagreeing(settings["attack"], space)), warmup_steps)
        return on_labels(trades_step(model, of_logits, find, space=space, beta=settings["beta"]))
    near = _warmed(attack_in(space, settings["attack"]), warmup_steps)
    share = 0.0 if settings["mode"] == "fast" else settings["clean_share"]
    usual = adversarial_step(model, of_logits, near, space=space, clean_share=share)
    if settings["mode"] != "fast":
        return on_labels(usual)
    strong = _warmed(attack_in(space, settings["attack"] | CAREFUL), warmup_steps)
    careful = adversarial_step(model, of_logits, strong, space=space, clean_share=0.0)

    def step(inputs: Mapping[str, Any], labels: Tensor, seed: Tensor) -> tuple[Any, PerSample]:
        return (careful if has_collapsed() else usual)(inputs, labels, seed)

    return on_labels(step)


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


def _disagreeing(settings: Mapping[str, Any], space: Space) -> Callable[..., Any]:
    """Return the attack of TRADES with the arguments that all others have."""
    ball, steps = space.ball(), settings["steps"]

    def find(model: Model, x: Tensor, labels: Tensor, seed: Tensor, share: Any = 1.0) -> Any:
        near = replace(ball, radius=ball.radius * share)
        return find_disagreement(model, x, ball=near, steps=steps, seed=seed)

    return find


def _both(head: Any, clean: Mapping[str, Any], attacked: Mapping[str, Any]) -> Any:
    """Return the logits of the clean and of the adversarial batch, from one pass."""
    both = {name: tf.concat([x, attacked[name]], axis=0) for name, x in clean.items()}
    outputs = head(both, training=True)
    return tf.split(tf.cast(outputs, tf.float32), 2)


def _robust(labels: Tensor, outputs: Tensor) -> PerSample:
    return {f"robust_{name}": value for name, value in sample_metric(labels, outputs).items()}
