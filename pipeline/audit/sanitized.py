"""Robust accuracy behind input sanitization, under adaptive attacks on it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.arrays import Array, only
from pipeline.audit.attack import Attack
from pipeline.audit.evasion import survivors, wilson
from pipeline.data.dataset import Dataset
from pipeline.device.measure import run_file
from pipeline.documents.evasion import (
    DetectorRates,
    SanitizationCheck,
    SanitizationRobustness,
)
from pipeline.documents.preprocess import ImageEntry, Preprocess
from pipeline.ondevice.decide import l1_distance
from pipeline.ondevice.prepare import prepare_input
from pipeline.ondevice.sanitize import remove_squeezing
from pipeline.verify.sanitize import calibrate_detector

SLACK = 0.02  # of the samples may move by chance
UNMINDED = ("naive", "through", "median", "levels")  # attacks that do not mind a detector


def measure_sanitized(
    dataset: Dataset,
    positions: Array,
    by: Attack,
    *,
    file: Path,
    parent: Path,
    false_alarms: float | None,
) -> SanitizationRobustness | None:
    """Return the robustness behind sanitization; None where nothing is squeezed.

    Args:
        dataset: has one image input.
        positions: samples (n,).
        by: how it is attacked.
        file: the .tflite file that ships; it is shown whole raw samples, as on a device.
        parent: the `.keras` file that it is made from, whose gradients lead the attacks.
        false_alarms: of the detector, on validation samples; None: there is none.
    """
    import keras

    from pipeline.harden.through import attacks_through, raw_within
    from pipeline.models.blocks import logits_model
    from pipeline.models.save import load_keras

    (entry,) = dataset.preprocess.inputs
    rule = entry.sanitize
    if (
        not isinstance(entry, ImageEntry)
        or rule is None
        or (rule.median is None and rule.bit_depth is None)
    ):
        return None
    raw, labels = dataset.read(positions)[entry.name], np.asarray(dataset.labels[positions])
    (bare,) = remove_squeezing(dataset.preprocess).inputs
    found = attacks_through(
        logits_model(keras, load_keras(parent)),
        prepare_input(raw, bare),
        labels,
        entry=entry,
        by={"epsilon": by.epsilon, "steps": by.steps, "seed": by.seed},
    )
    shown = {name: raw_within(x, raw, by.epsilon) for name, x in found.items()}
    answers = _answers(file, dataset.preprocess, {"clean": raw, **shown})
    limit = None if false_alarms is None else calibrate_detector(false_alarms, dataset, file)[0]
    return measure_squeezing(labels, answers, file=file.name, limit=limit)


def _answers(
    file: Path, preprocess: Preprocess, shown: Mapping[str, Array]
) -> dict[str, tuple[Array, Array]]:
    """Return name -> the file's answers (n, K) to raw samples, with and without squeezing."""
    (name,) = (entry.name for entry in preprocess.inputs)
    raw = {name: np.concatenate(list(shown.values()))}
    ways = (preprocess, remove_squeezing(preprocess))
    both = [only(run_file(file, way, raw).outputs) for way in ways]
    parts = [np.split(outputs, len(shown)) for outputs in both]
    return dict(zip(shown, zip(*parts, strict=True), strict=True))


def measure_squeezing(
    labels: Array, answers: Mapping[str, tuple[Array, Array]], *, file: str, limit: float | None
) -> SanitizationRobustness:
    """Return the accuracy under each attack, with squeezing and without.

    Args:
        labels: class ids (n,).
        answers: `clean` and attacks by name -> answers (n, K) with and without squeezing.
        file: name of the file.
        limit: distance of the two above which a sample is flagged; None: no detector.
    """
    squeezed = {name: both[0].argmax(axis=1) == labels for name, both in answers.items()}
    plain = {name: both[1].argmax(axis=1) == labels for name, both in answers.items()}
    names, clean = [name for name in answers if name != "clean"], squeezed["clean"]
    held = {name: survivors(clean, [squeezed[name]]) for name in names}
    robust = survivors(clean, [held[name] for name in names])
    without = survivors(plain["clean"], [plain[name] for name in names])
    known = survivors(clean, [held[name] for name in names if name != "naive"])
    gain = float(known.mean() - held["naive"].mean())
    check = SanitizationCheck(
        name="an attack that knows the sanitization is no weaker",
        value=gain,
        limit=SLACK,
        passed=gain <= SLACK,
    )
    return SanitizationRobustness(
        file=file,
        clean_accuracy=float(clean.mean()),
        unaware_robust_accuracy=float(held["naive"].mean()),
        robust_accuracy=float(robust.mean()),
        robust_ci95=wilson(int(robust.sum()), len(labels)),
        unsanitized_robust_accuracy=float(without.mean()),
        attacks={name: float(held[name].mean()) for name in names},
        detector=None if limit is None else _measure_detector(clean, squeezed, answers, limit),
        checks=(check,),
    )


def _measure_detector(
    clean: Array,
    squeezed: Mapping[str, Array],
    answers: Mapping[str, tuple[Array, Array]],
    limit: float,
) -> DetectorRates:
    """Return what a detector adds; detection rates are 0 without adversarial examples."""
    suspect = {name: l1_distance(*both) > limit for name, both in answers.items()}
    names = [name for name in answers if name != "clean"]
    past = {name: clean & ~squeezed[name] & ~suspect[name] for name in names}

    def detection_rate(chosen: list[str]) -> float:
        fooled = np.concatenate([clean & ~squeezed[name] for name in chosen])
        alarms = np.concatenate([suspect[name] for name in chosen])
        return float(alarms[fooled].mean()) if fooled.any() else 0.0

    evading = np.logical_or.reduce(list(past.values()))
    unminding = [name for name in names if name in UNMINDED and name != "naive"]
    return DetectorRates(
        threshold=limit,
        false_positive_rate=float(suspect["clean"].mean()),
        unaware_detection_rate=detection_rate(["naive"]),
        detection_rate=detection_rate(unminding),
        aware_detection_rate=detection_rate([n for n in names if n not in UNMINDED]),
        robust_accuracy=float((clean & ~evading).mean()),
        evasion_rate=float(evading.mean()),
    )
