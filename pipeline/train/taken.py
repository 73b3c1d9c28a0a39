"""A network that was trained elsewhere, taken as it is: `train.epochs: 0`."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from pipeline.config.schema import Train
from pipeline.data.dataset import Dataset, with_decision
from pipeline.documents.decision import Decision
from pipeline.documents.spec import Spec
from pipeline.models import MODELS
from pipeline.train.losses import loss_of
from pipeline.train.supervised import Trained
from pipeline.train.validate import evaluator


def evaluate_given(
    spec: Spec, settings: Train, dataset: Dataset, begin: Callable[[Any], None]
) -> Trained:
    """Return the network with the weights that it came with, and what it reaches on validation.

    Args:
        spec: of a network from outside.
        settings: the `train` section; its loss is told.
        dataset: its validation split is answered.
        begin: gives the weights.
    """
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session()
    task = spec.output.task
    if (score := spec.output.score) is not None:
        dataset = with_decision(dataset, Decision(score=score))
    model = MODELS[spec.model.kind](keras, spec)
    begin(model)
    loss = loss_of(settings, task)
    found = evaluator(model, dataset, split="validation", task=task, loss=loss)()
    return Trained(model, [], found, [])
