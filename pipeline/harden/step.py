"""The adversarial training step: clean and adversarial batch in one forward pass.

Goodfellow et al. 2015, section 6 (arXiv:1412.6572), with the inner maximisation of Madry et al.
2018. One pass over both halves lets batch normalisation see the mixture that it will be used on.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from pipeline.harden.space import Space
from pipeline.harden.space_tokens import Texts
from pipeline.models.blocks import logits_model
from pipeline.train.losses import Loss
from pipeline.train.step import PerSample, Step, correct


def adversarial_step(
    model: Any,
    loss: Loss,
    attack: Callable[[Any, Any, Any, Any], Any],
    space: Space | Texts,
    *,
    clean_share: float,
) -> Step:
    """Return the step whose loss is clean_share * clean + (1 - clean_share) * adversarial.

    Args:
        model: a classifier.
        loss: of each sample, from labels and logits.
        attack: (model, x, labels, seed) -> adversarial x, a point of the space.
        space: makes points of what the trainer's `prepare` gives, and model inputs of points.
        clean_share: weight of the clean half, in [0, 1].
    """
    head = logits_model(keras, model)
    through = space.through(head)

    def step(inputs: Mapping[str, Any], labels: Any, seed: Any) -> tuple[Any, PerSample]:
        x = space.point(inputs)
        attacked = attack(through(inputs, seed), x, labels, seed)
        shown = [space.inputs(point, inputs, seed) for point in (x, attacked)]
        both = head(
            {name: tf.concat([one[name] for one in shown], 0) for name in shown[0]}, training=True
        )
        clean, adversarial = tf.split(both, 2)
        losses = clean_share * loss(labels, clean) + (1 - clean_share) * loss(labels, adversarial)
        robust = correct(labels, adversarial)
        return losses, {**correct(labels, clean), "robust_accuracy": robust["accuracy"]}

    return step
