"""A drill: poison the training set, train, quantize, and see who notices.

It tells what this data, this network and this quantization would make of a backdoor, and whether
the scan would find it; the network that ships has no part in it, but for one question: whether it
answers to the trigger too, and whether its file does so more than the trained network. Backdoors
that sleep until a network is made small exist (Tian et al. 2022, "Stealthy backdoors as compression
artifacts", arXiv:2104.15129; Ma et al. 2021, arXiv:2108.09187); one is found by its own trigger.
"""

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.arrays import Array, Model, only
from pipeline.audit.attacked import Attacked
from pipeline.audit.evasion import evenly, wilson
from pipeline.audit.penultimate import activations, appearance
from pipeline.audit.poisoning import Scan, scan
from pipeline.audit.shadows import trained_again
from pipeline.audit.trigger import Trigger, plant_trigger, trigger_of
from pipeline.compress.calibration import write_calibration
from pipeline.compress.ladder import MODEL
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
from pipeline.train.ablation import folder_of

log = logging.getLogger(__name__)

Ask = Callable[[Mapping[str, Array]], Array]

NAME = "drill"  # of the folder of its checkpoint and its files
EXCESS = (
    1.5  # samples that a spectral defence removes for each that is poisoned (Tran, section 4.1)
)


@dataclass(frozen=True)
class Plan:
    """What is drilled."""

    share: float
    """Of the training samples, that get the trigger and the target as label."""
    target: int
    """Class id."""
    epochs: int | None
    """Of the training; None: as many as of the network that ships."""
    scanned: int
    """Training samples that the scan looks at, at most."""
    io: str
    """Border type of the file."""


def drill(attacked: Attacked, held: Array, plan: Plan) -> PoisoningDrill:
    """Return how often the trigger works, before and after quantization, and what the scan found.

    Args:
        attacked: what ships; its training set is poisoned in memory alone.
        held: samples that the trigger is tried on (n,).
        plan: what is drilled.

    Raises:
        ConfigError: there are fewer samples of other classes than are to be poisoned.
    """
    dataset, target = attacked.dataset, plan.target
    trigger, seed = trigger_of(dataset), fold_seed(attacked.learning["seed"], "drill")
    bad = _victims(dataset, plan.share, target, seed)
    labels = np.array(dataset.labels)
    labels[bad] = target
    poisoned = replace(plant_trigger(dataset, trigger, bad), labels=labels)
    log.info("          drill: %d samples with %s", len(bad), trigger.words)
    model = trained_again(attacked, poisoned, NAME, seed=seed, epochs=plan.epochs)
    file, form = _quantized(model, poisoned, attacked, plan.io)

    def ask(raw: Mapping[str, Array]) -> Array:
        return only(run_file(file, dataset.preprocess, raw).outputs)

    own = attacked.model, attacked.ask
    tried = evenly(poisoned.split("train"), plan.scanned)
    return PoisoningDrill(
        trigger=trigger.words,
        target=attacked.names[target],
        poisoning_rate=plan.share,
        poisoned=len(bad),
        format=form,
        poisoned_model=_test_trigger(dataset, held, trigger, target, (model, ask)),
        shipped_model=_test_trigger(dataset, held, trigger, target, own),
        detection=_detect(model, poisoned, tried, np.isin(tried, bad), target, seed),
    )


def _victims(dataset: Dataset, share: float, target: int, seed: int) -> Array:
    """Return the training samples of other classes that get the trigger."""
    train = dataset.split("train")
    others, count = train[dataset.labels[train] != target], max(1, round(share * len(train)))
    if count > len(others) // 2:
        raise ConfigError(
            f"audit.poisoning_drill.share: {count} samples are to be poisoned and {len(others)} "
            "are of another class than the target; wanted at most half of those"
        )
    generator = np.random.Generator(np.random.Philox(fold_seed(seed, "victims")))
    return np.sort(generator.permutation(others)[:count])


def _quantized(model: Model, poisoned: Dataset, attacked: Attacked, io: str) -> tuple[Path, str]:
    """Return the file that is made of the poisoned network as the shipped one was, and its format.

    Where a float file ships it is int8; what was fine-tuned for its file is not here.
    """
    form = attacked.form if attacked.form in INTEGER_FORMATS else "int8"
    folder = folder_of(attacked.out, NAME)
    save_keras(model, folder / MODEL)
    write_calibration(poisoned, folder / "calibration.npz")
    file, work = folder / f"{form}.tflite", folder / "files"
    shutil.rmtree(work, ignore_errors=True)  # of another training
    make_file(
        file,
        form,
        recipe=attacked.recipe.model_copy(update={"model": MODEL}),
        models=folder,
        spec=attacked.spec_file,
        calibration=folder / "calibration.npz",
        io=io,
        work=work,
    )
    return file, form


def _test_trigger(
    dataset: Dataset, held: Array, trigger: Trigger, target: int, net: tuple[Model, Ask]
) -> BackdoorTest:
    """Return clean accuracy, and how often the trigger turns another class into the target."""
    model, ask = net
    labels = np.asarray(dataset.labels[held])
    shown = plant_trigger(dataset, trigger, held)
    others = labels != target
    float_clean, float_hit = (
        only(predict(model, d, held)).argmax(axis=1) for d in (dataset, shown)
    )
    file_clean, file_hit = (ask(d.read(held)).argmax(axis=1) for d in (dataset, shown))
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
    model: Model, poisoned: Dataset, tried: Array, is_bad: Array, target: int, seed: int
) -> PoisonDetection:
    """Return what the scan of the poisoned set detects."""
    labels = np.asarray(poisoned.labels[tried])
    names = poisoned.class_names or ()
    found = scan(
        activations(model, poisoned, tried),
        appearance(poisoned, tried),
        labels,
        names=names,
        seed=seed,
    )
    alarms = [row.name for row in found.classes if row.is_alarm]
    return PoisonDetection(
        samples=len(tried),
        poisoned=int(is_bad.sum()),
        is_detected=names[target] in alarms,
        false_positives=tuple(name for name in alarms if name != names[target]),
        activation_clustering=_score(found.suspects, is_bad),
        spectral_signatures=_score(_removed(found, labels == target, is_bad), is_bad),
    )


def _removed(found: Scan, of_target: Array, is_bad: Array) -> Array:
    """Return what a spectral defence takes out that knows class and number of the poisoned."""
    count = min(round(EXCESS * int(is_bad.sum())), int(of_target.sum()))
    order = np.argsort(np.where(of_target, -found.outlying, np.inf), kind="stable")
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
