"""The adversarial training step: clean and adversarial batch in one forward pass.

Goodfellow et al. 2015, section 6 (arXiv:1412.6572), with the inner maximisation of Madry et al.
2018. One pass over both halves lets batch normalisation see the mixture that it will be used on.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from pipeline.models.blocks import logits_model
from pipeline.train.losses import Loss
from pipeline.train.step import PerSample, Step, correct


def adversarial_step(
    model: Any, loss: Loss, attack: Callable[[Any, Any, Any, Any], Any], *, clean_share: float
) -> Step:
    """Return the step whose loss is clean_share * clean + (1 - clean_share) * adversarial.

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
        both = head({name: tf.concat([x, attacked], axis=0)}, training=True)
        clean, adversarial = tf.split(both, 2)
        losses = clean_share * loss(labels, clean) + (1 - clean_share) * loss(labels, adversarial)
        robust = correct(labels, adversarial)
        return losses, {**correct(labels, clean), "robust_accuracy": robust["accuracy"]}

    return step
