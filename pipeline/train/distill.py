"""Distillation: a large network is trained first, and a small one learns from what it thinks.

Hinton et al. 2015, "Distilling the knowledge in a neural network" (arXiv:1503.02531). What the
teacher gained is measured: the same small network, on the same samples, without.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Unpack

from pipeline.config.schema import Train
from pipeline.data.dataset import Dataset
from pipeline.documents.spec import Spec
from pipeline.documents.training import Distillation
from pipeline.models.budget import parameters
from pipeline.train.ablation import describe_gain, folder_of, validation_metric
from pipeline.train.make import TrainingOptions
from pipeline.train.supervised import Trained, train_network

log = logging.getLogger(__name__)


def train_distilled(
    spec: Spec,
    settings: Train,
    dataset: Dataset,
    *,
    out: Path,
    begin: Callable[[Any], None] | None = None,
    **learning: Unpack[TrainingOptions],
) -> tuple[Trained, Distillation]:
    """Train the teacher, then the spec's network from the teacher's outputs and the labels.

    Args:
        spec: of the student.
        settings: the `train` section; `distill` is there.
        dataset: what both learn from.
        out: folder of checkpoints and TensorBoard logs.
        begin: gives the student the weights to start from; None: the seed says.
        learning: further arguments of `train_network`.

    Returns:
        The student, and the gain by the teacher on the validation split.
    """
    taught = settings.distill
    assert taught is not None  # else there is nothing to do here
    plain = settings.model_copy(update={"distill": None, "freeze": None})
    longer = plain.model_copy(update={"epochs": taught.epochs or settings.epochs})
    log.info("          training the teacher: %s", taught.teacher.kind)
    teacher = train_network(
        spec.model_copy(update={"model": taught.teacher}),
        longer,
        dataset,
        out=folder_of(out, "teacher"),
        **learning,
    )
    log.info("          training the student")
    student = train_network(
        spec, settings, dataset, out=out, begin=begin, teacher=teacher.model, **learning
    )
    alone = None
    if taught.compare:
        log.info("          the same without a teacher")
        alone = train_network(
            spec, plain, dataset, out=folder_of(out, "without"), begin=begin, **learning
        )
    return student, Distillation(
        **describe_gain(spec, student, alone),
        teacher=validation_metric(teacher, spec),
        teacher_kind=taught.teacher.kind,
        teacher_parameters=parameters(teacher.model),
        parameters=parameters(student.model),
    )
