"""How a file holds out behind its squeezing, attacked through it; figures for audit.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.audit.attack import Attack
from pipeline.audit.evasion import survivors, wilson
from pipeline.data.dataset import Dataset
from pipeline.device.measure import run_file
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
) -> dict[str, Any] | None:
    """Return `sanitize` of audit.json; None where nothing is squeezed.

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
    return {"file": file.name, **figures(labels, answers, limit)}


def _answers(
    file: Path, preprocess: Preprocess, shown: Mapping[str, Array]
) -> dict[str, tuple[Array, Array]]:
    """Return name -> the file's answers (n, K) to raw samples, with and without squeezing."""
    (name,) = (entry.name for entry in preprocess.inputs)
    raw = {name: np.concatenate(list(shown.values()))}
    both = [run_file(file, way, raw).outputs for way in (preprocess, remove_squeezing(preprocess))]
    parts = [np.split(outputs, len(shown)) for outputs in both]
    return dict(zip(shown, zip(*parts, strict=True), strict=True))


def figures(
    labels: Array, answers: Mapping[str, tuple[Array, Array]], limit: float | None
) -> dict[str, Any]:
    """Return how many samples withstand which attacks, with squeezing and without.

    Args:
        labels: class ids (n,).
        answers: `clean` and attacks by name -> answers (n, K) with and without squeezing.
        limit: distance of the two above which a sample is suspect; None: no detector.

    Returns:
        Shares of all samples: clean, robust_naive (the attacker does not know of the squeezing),
        robust (the union of all attacks), robust_ci95, robust_without (squeezing left out),
        attacks (accuracy under each), detector (see `_detected`) and checks.
    """
    squeezed = {name: both[0].argmax(axis=1) == labels for name, both in answers.items()}
    plain = {name: both[1].argmax(axis=1) == labels for name, both in answers.items()}
    names, clean = [name for name in answers if name != "clean"], squeezed["clean"]
    held = {name: survivors(clean, [squeezed[name]]) for name in names}
    robust = survivors(clean, [held[name] for name in names])
    without = survivors(plain["clean"], [plain[name] for name in names])
    known = survivors(clean, [held[name] for name in names if name != "naive"])
    gain = float(known.mean() - held["naive"].mean())
    return {
        "clean": float(clean.mean()),
        "robust_naive": float(held["naive"].mean()),
        "robust": float(robust.mean()),
        "robust_ci95": wilson(int(robust.sum()), len(labels)),
        "robust_without": float(without.mean()),
        "attacks": {name: float(held[name].mean()) for name in names},
        "detector": None if limit is None else _detected(clean, squeezed, answers, limit),
        "checks": [
            {
                "name": "to know of the squeezing never helps the defender",
                "value": gain,
                "limit": SLACK,
                "passed": gain <= SLACK,
            }
        ],
    }


def _detected(
    clean: Array,
    squeezed: Mapping[str, Array],
    answers: Mapping[str, tuple[Array, Array]],
    limit: float,
) -> dict[str, float]:
    """Return what a detector adds.

    detected_naive, detected: share that is suspected of the inputs that fool the squeezed model, by
    the attack that does not know of the squeezing, and by those that do but do not mind the
    detector; detected_minding: by those that do; 0 where nothing fools it. held: share of all
    samples that are right clean, and under every attack right or suspected. evading: share that
    some attack gets past both.
    """
    suspect = {name: l1_distance(*both) > limit for name, both in answers.items()}
    names = [name for name in answers if name != "clean"]
    past = {name: clean & ~squeezed[name] & ~suspect[name] for name in names}

    def seen(chosen: list[str]) -> float:
        fooled = np.concatenate([clean & ~squeezed[name] for name in chosen])
        alarms = np.concatenate([suspect[name] for name in chosen])
        return float(alarms[fooled].mean()) if fooled.any() else 0.0

    evading = np.logical_or.reduce(list(past.values()))
    return {
        "limit": limit,
        "clean_suspected": float(suspect["clean"].mean()),
        "detected_naive": seen(["naive"]),
        "detected": seen([name for name in names if name in UNMINDED and name != "naive"]),
        "detected_minding": seen([name for name in names if name not in UNMINDED]),
        "held": float((clean & ~evading).mean()),
        "evading": float(evading.mean()),
    }
