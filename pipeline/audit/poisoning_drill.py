"""A drill: poison the training set, train, quantize, and test whether the scan detects it.

It measures the success of a backdoor with this data, network and quantization. The shipped network
takes part in one test only: whether it reacts to the trigger too, and whether its file does so more
than the trained network. Backdoors that become active by compression exist (Tian et al. 2022,
"Stealthy backdoors as compression artifacts", arXiv:2104.15129; Ma et al. 2021, arXiv:2108.09187).
"""

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, Model, only
from pipeline.audit.audited_model import AuditedModel
from pipeline.audit.evasion import evenly
from pipeline.audit.poisoning import Scan, scan
from pipeline.audit.poisoning_scan import SCANNED, activations, features_of
from pipeline.audit.shadow_models import retrain
from pipeline.audit.trigger import Trigger, plant_trigger, trigger_of
from pipeline.compress.calibration import write_calibration
from pipeline.compress.ladder import MODEL
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset
from pipeline.device.measure import run_file
from pipeline.documents.poisoning import (
    BackdoorTest,
    ModelIntervals,
    ModelRates,
    PoisonDetection,
    PoisoningDrill,
    PrecisionRecall,
)
from pipeline.errors import ConfigError
from pipeline.export.inspect import INTEGER_FORMATS
from pipeline.export.make import make_file
from pipeline.models.predict import predict
from pipeline.models.save import save_keras
from pipeline.seeds import fold_seed
from pipeline.tasks.intervals import wilson
from pipeline.train.ablation import folder_of

log = logging.getLogger(__name__)

Query = Callable[[Mapping[str, Array]], Array]

NAME = "drill"  # of the folder of its checkpoint and its files
EXCESS = 1.5  # samples that a spectral defense removes for each poisoned one (Tran, section 4.1)


@dataclass(frozen=True)
class Plan:
    """How the training set is poisoned, in memory alone."""

    rate: float
    """Fraction of the training samples that get the trigger and the target as label."""
    target: int
    """Class id."""
    epochs: int | None
    """Of the training; None: those of the shipped network."""
    io: str
    """Input and output type of the file."""


def run_drill(audited: AuditedModel, config: Config) -> dict[str, Any]:
    """Return `drill`: how often the trigger works, before and after quantization, and the scan.

    Raises:
        ConfigError: no such target class, or fewer samples of other classes than to be poisoned.
    """
    assert config.audit is not None  # else the stage is off
    settings = config.audit.poisoning_drill
    assert settings is not None  # else the attack is off
    target = target_class(settings.target, audited.names)
    plan = Plan(settings.share, target, settings.epochs, config.export.io)
    return {"drill": drill(audited, evenly(audited.test, config.audit.samples), plan)}


def target_class(name: str | None, names: tuple[str, ...]) -> int:
    """Return the id of the class that the trigger is to cause; None: the first.

    Raises:
        ConfigError: there is no such class.
    """
    if name is None:
        return 0
    if name not in names:
        raise ConfigError(
            f"audit.poisoning_drill.target: {name} is no class; there are {', '.join(names)}"
        )
    return names.index(name)


def drill(audited: AuditedModel, test: Array, plan: Plan) -> PoisoningDrill:
    """Poison the training set, train, quantize, and test trigger and scan on samples (n,).

    Raises:
        ConfigError: there are fewer samples of other classes than are to be poisoned.
    """
    dataset, target = audited.dataset, plan.target
    trigger, seed = trigger_of(dataset), fold_seed(audited.learning["seed"], "drill")
    bad = _victims(dataset, plan.rate, target, seed)
    labels = np.array(dataset.labels)
    labels[bad] = target
    poisoned = replace(plant_trigger(dataset, trigger, bad), labels=labels)
    log.info("          drill: %d samples with %s", len(bad), trigger.words)
    model = retrain(audited, poisoned, NAME, seed=seed, epochs=plan.epochs)
    file, form = _quantize(model, poisoned, audited, plan.io)

    def query(raw: Mapping[str, Array]) -> Array:
        return only(run_file(file, dataset.preprocess, raw).outputs)

    own = audited.model, audited.query
    scanned = evenly(poisoned.split("train"), SCANNED)
    return PoisoningDrill(
        trigger=trigger.words,
        target=audited.names[target],
        poisoning_rate=plan.rate,
        poisoned=len(bad),
        format=form,
        poisoned_model=_test_trigger(dataset, test, trigger, target, (model, query)),
        shipped_model=_test_trigger(dataset, test, trigger, target, own),
        detection=_detect(model, poisoned, scanned, np.isin(scanned, bad), target, seed),
    )


def _victims(dataset: Dataset, rate: float, target: int, seed: int) -> Array:
    """Return the training samples of other classes that get the trigger."""
    train = dataset.split("train")
    others, count = train[dataset.labels[train] != target], max(1, round(rate * len(train)))
    if count > len(others) // 2:
        raise ConfigError(
            f"audit.poisoning_drill.share: {count} samples are to be poisoned and {len(others)} "
            "are of another class than the target; wanted at most half of those"
        )
    generator = np.random.Generator(np.random.Philox(fold_seed(seed, "victims")))
    return np.sort(generator.permutation(others)[:count])


def _quantize(model: Model, poisoned: Dataset, audited: AuditedModel, io: str) -> tuple[Path, str]:
    """Return the file that is made of the poisoned network as the shipped one was, and its format.

    Where a float file ships it is int8; what was fine-tuned for its file is not here.
    """
    form = audited.form if audited.form in INTEGER_FORMATS else "int8"
    folder = folder_of(audited.out, NAME)
    save_keras(model, folder / MODEL)
    write_calibration(poisoned, folder / "calibration.npz")
    file, work = folder / f"{form}.tflite", folder / "files"
    shutil.rmtree(work, ignore_errors=True)  # of another training
    make_file(
        file,
        form,
        recipe=audited.recipe.model_copy(update={"model": MODEL}),
        models=folder,
        spec=audited.spec_file,
        calibration=folder / "calibration.npz",
        io=io,
        work=work,
    )
    return file, form


def _test_trigger(
    dataset: Dataset, test: Array, trigger: Trigger, target: int, net: tuple[Model, Query]
) -> BackdoorTest:
    """Return clean accuracy, and how often the trigger turns another class into the target."""
    model, query = net
    labels = np.asarray(dataset.labels[test])
    shown = plant_trigger(dataset, trigger, test)
    others = labels != target
    float_clean, float_hit = (
        only(predict(model, d, test)).argmax(axis=1) for d in (dataset, shown)
    )
    file_clean, file_hit = (query(d.read(test)).argmax(axis=1) for d in (dataset, shown))
    in_float, in_file = float_hit[others] == target, file_hit[others] == target
    count = int(others.sum())
    return BackdoorTest(
        samples=count,
        clean_accuracy=_rates(float_clean == labels, file_clean == labels),
        base_rate=_rates(float_clean[others] == target, file_clean[others] == target),
        success_rate=_rates(in_float, in_file),
        success_ci95=ModelIntervals(
            float_model=wilson(int(in_float.sum()), count), file=wilson(int(in_file.sum()), count)
        ),
        file_only_rate=float((in_file & ~in_float).mean()),
        float_only_rate=float((in_float & ~in_file).mean()),
        agreement=float((float_hit == file_hit).mean()),
    )


def _rates(float_model: Array, file: Array) -> ModelRates:
    return ModelRates(float_model=float(float_model.mean()), file=float(file.mean()))


def _detect(
    model: Model, poisoned: Dataset, scanned: Array, is_bad: Array, target: int, seed: int
) -> PoisonDetection:
    """Return what the scan of the poisoned set detects."""
    labels = np.asarray(poisoned.labels[scanned])
    names = poisoned.class_names or ()
    result = scan(
        activations(model, poisoned, scanned),
        features_of(poisoned, scanned),
        labels,
        names=names,
        seed=seed,
    )
    alarms = [row.name for row in result.classes if row.is_alarm]
    return PoisonDetection(
        samples=len(scanned),
        poisoned=int(is_bad.sum()),
        is_detected=names[target] in alarms,
        false_positives=tuple(name for name in alarms if name != names[target]),
        activation_clustering=_score(result.suspects, is_bad),
        spectral_signatures=_score(_removed(result, labels == target, is_bad), is_bad),
    )


def _removed(result: Scan, of_target: Array, is_bad: Array) -> Array:
    """Return what a spectral defense removes that knows class and number of the poisoned (N,)."""
    count = min(round(EXCESS * int(is_bad.sum())), int(of_target.sum()))
    order = np.argsort(np.where(of_target, -result.outlying, np.inf), kind="stable")
    removed = np.zeros(len(is_bad), bool)
    removed[order[:count]] = True
    return removed


def _score(chosen: Array, is_bad: Array) -> PrecisionRecall:
    """Return precision and recall of chosen samples against the poisoned ones."""
    both = float((chosen & is_bad).sum())
    return PrecisionRecall(
        recall=both / float(is_bad.sum()) if is_bad.any() else None,
        precision=both / float(chosen.sum()) if chosen.any() else None,
    )
