"""The model that all files are made from: the trained one, pruned and clustered as asked.

It is made once: another gate, rung or format only quantizes it again.
"""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from pipeline.artifacts import WORK
from pipeline.compress.ladder import MODEL
from pipeline.compress.measurement_cache import WEIGHTS, load_cached
from pipeline.config.export_schema import Compress
from pipeline.data.dataset import Dataset
from pipeline.documents.ladder import SmallModel, Weights
from pipeline.tasks.task import Task

if TYPE_CHECKING:
    from pipeline.compress.distillation import DistillationJob

log = logging.getLogger(__name__)


def write_model(
    settings: Compress,
    reference: Path,
    dataset: Dataset,
    *,
    learning: Mapping[str, Any],
    task: Task,
    out: Path,
    previous: Path | None,
    key: str,
    choice: JsonValue,
) -> None:
    """Write the model, and weights.json: the settings, and the result for each kernel.

    Args:
        settings: `prune` and `cluster`.
        reference: the trained model.
        dataset: what it learns from.
        learning: seed, strategy, batch size and augmentation.
        task: its metric and decisions judge the outputs.
        out: the stage's folder.
        previous: the stage's last complete folder, if any.
        key: a hash of everything that the model depends on.
        choice: what else this run depends on; the same again means that it is forced.

    Raises:
        ConfigError: the weights are too few, or the loss is no longer a number.
    """
    cached = load_cached(previous, Weights, (WEIGHTS, MODEL), key=key, choice=choice)
    if settings.prune is None and settings.cluster is None:
        shutil.copyfile(reference, out / MODEL)
        made = SmallModel()
    elif cached is not None and previous is not None:
        shutil.copyfile(previous / MODEL, out / MODEL)
        made = cached
    else:
        made = _prune_and_cluster(settings, reference, dataset, learning, task, out)
    Weights(
        key=key,
        choice=choice,
        prune=settings.prune,
        cluster=settings.cluster,
        zeros=made.zeros,
        validation=made.validation,
        kernels=made.kernels,
    ).write(out / WEIGHTS)


def _prune_and_cluster(
    settings: Compress,
    reference: Path,
    dataset: Dataset,
    learning: Mapping[str, Any],
    task: Task,
    out: Path,
) -> SmallModel:
    """Prune and cluster the reference, and return what came of it."""
    from pipeline.compress.distillation import DistillationJob
    from pipeline.compress.measure import measure_model
    from pipeline.models.kernels import check_sizes, describe_kernels
    from pipeline.models.save import load_keras, save_keras

    prune, cluster = settings.prune, settings.cluster
    check_sizes(load_keras(reference), settings)
    job = DistillationJob(
        reference,
        reference,
        dataset,
        prune,
        "compress.prune",
        work=out / WORK / "prune",
        **learning,
    )
    if prune is not None:
        job = replace(job, student=_pruned(job, out / WORK / "pruned.keras"))
    if cluster is not None:
        work = out / WORK / "cluster"
        job = replace(job, settings=cluster, key="compress.cluster", work=work)
        job = replace(job, student=_clustered(job, out / WORK / "clustered.keras"))
    model = load_keras(job.student)
    save_keras(model, out / MODEL)
    kernels = describe_kernels(model)
    zeros = sum(row.zeros for row in kernels) / sum(row.weights for row in kernels)
    validation = measure_model(model, load_keras(reference), dataset, task=task)
    shown = zeros, validation.metric_drop, validation.agreement
    log.info("          %.3f of the weights are zero, drop %.4f, agreement %.4f", *shown)
    return SmallModel(zeros=zeros, validation=validation, kernels=kernels)


def _pruned(job: "DistillationJob", out: Path) -> Path:
    """Prune the student, and return its file."""
    from pipeline.compress.prune import prune_network
    from pipeline.models.save import save_keras

    log.info("          pruning to %g", job.settings.sparsity)
    save_keras(prune_network(job), out)
    return out


def _clustered(job: "DistillationJob", out: Path) -> Path:
    """Cluster the student, and return its file."""
    from pipeline.compress.cluster import cluster_weights, write_clustered
    from pipeline.models.save import save_keras

    settings = job.settings
    log.info("          clustering to %d values a kernel", settings.clusters)
    begun = out.with_name("centroids.keras")
    write_clustered(
        job.student,
        begun,
        clusters=settings.clusters,
        initialization=settings.initialization,
    )
    save_keras(cluster_weights(replace(job, student=begun)), out)
    return out
