"""The bench: makes the file of a rung and measures it, on validation data."""

import functools
import logging
from pathlib import Path
from typing import Any

from pipeline.artifacts import WORK, Inputs
from pipeline.compress import ladder
from pipeline.compress.calibration import known_ranges
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset
from pipeline.documents.ladder import Measurement, Refusal
from pipeline.documents.recipe import Quantizer
from pipeline.errors import ArtifactError, ConversionError
from pipeline.tasks import task_of
from pipeline.worker.client import request

log = logging.getLogger(__name__)

PGD_STEPS = 7  # of the attack, where `harden` made but one: the default there


def bench(config: Config, inputs: Inputs, dataset: Dataset, *, out: Path) -> ladder.Bench:
    """Return a function that makes and measures a rung; the reference is run once.

    TensorFlow is imported at the first rung that must be measured.
    """
    common, task = common_recipe(config, dataset), task_of(config.task, config.task_metric)

    @functools.cache
    def reference() -> Any:
        from pipeline.compress.measure import reference_outputs

        return reference_outputs(inputs["reference"] / "model.keras", dataset)

    @functools.cache
    def tuned() -> None:
        _tune(config, inputs, dataset, out)

    def attempt(rung: str, quantizer: Quantizer) -> Measurement | Refusal:
        from pipeline.compress.measure import measure_rung
        from pipeline.export.make import make_file

        form, made, _ = ladder.RUNGS[rung]
        file = out / WORK / f"{rung}_{quantizer}.tflite"
        try:
            if made.model == ladder.TUNED:
                tuned()
            make_file(
                file,
                form,
                recipe=made.model_copy(update=common | {"quantizer": quantizer}),
                models=out,
                spec=inputs["spec"] / "spec.json",
                calibration=out / "calibration.npz",
                io=config.export.io,
                work=out / WORK,
            )
            return measure_rung(
                file, form, dataset=dataset, reference=reference(), task=task, quantizer=quantizer
            )
        except (ConversionError, ArtifactError) as error:
            return Refusal(quantizer=quantizer, refused=str(error))

    return lambda rung: ladder.least_float(rung, attempt)


def common_recipe(config: Config, dataset: Dataset) -> dict[str, Any]:
    """Return the settings that the recipes of all rungs and formats have in common."""
    granularity = config.compress.quantize.weight_scales
    return {"input_ranges": known_ranges(dataset.preprocess), "granularity": granularity}


def learning_of(config: Config) -> dict[str, Any]:
    """Return what all that is learned here has in common: seed, devices, batches, rates, attack."""
    scaling = config.train.rate_scaling
    return {
        "seed": config.seed,
        "strategy": config.train.strategy,
        "scaling": None if scaling is None else scaling.model_dump(),
        "batch_size": config.data.batch_size,
        "augment": [change.model_dump(mode="json") for change in config.data.augment],
        "attack": _attack(config),
    }


def _attack(config: Config) -> dict[str, Any] | None:
    """Return the attack that a hardened model is fine-tuned with; None: it was not hardened.

    It is PGD in the ball of `harden`, with 7 steps where training made one.
    """
    if config.harden is None:
        return None
    chosen = config.harden.attack
    return {"steps": PGD_STEPS} | chosen.model_dump(mode="json") | {"kind": "pgd"}


def _tune(config: Config, inputs: Inputs, dataset: Dataset, out: Path) -> None:
    """Write the model that is fine-tuned for its int8 file, beside the one it is made of.

    Raises:
        ConversionError: the loss became NaN, so there is no model.
    """
    from pipeline.compress.distillation import DistillationJob
    from pipeline.compress.qat import fine_tune_for_int8
    from pipeline.export.make import float32_file
    from pipeline.models.save import save_keras
    from pipeline.train.diverged import Diverged

    student, spec = out / ladder.MODEL, inputs["spec"] / "spec.json"
    ranges = request(
        "tensor_ranges",
        float32=str(float32_file(student, spec, out / WORK)),
        calibration=str(out / "calibration.npz"),
    )
    settings, cluster = config.compress.quantize.qat, config.compress.cluster
    learning = learning_of(config)
    if not settings.adversarial:
        learning["attack"] = None
    how = "" if learning["attack"] is None else ", on what PGD finds through it too"
    log.info("          fine-tuning through the rounding of int8%s", how)
    job = DistillationJob(
        student,
        inputs["reference"] / "model.keras",
        dataset,
        settings,
        "compress.quantize.qat",
        work=out / WORK / "qat",
        **learning,
    )
    clusters = None if cluster is None else cluster.clusters
    try:
        model = fine_tune_for_int8(job, ranges, clusters=clusters)
    except Diverged as error:
        raise ConversionError(f"fine-tuning: {error}") from error
    save_keras(model, out / ladder.TUNED)
