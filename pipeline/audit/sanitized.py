"""Adaptive attacks on a file behind input sanitization, and what its detector adds."""

from collections.abc import Mapping

import numpy as np

from pipeline.arrays import Array
from pipeline.audit.adaptive import adaptive_attacks, raw_within
from pipeline.audit.evasion import survivors
from pipeline.audit.file_queries import is_squeezed
from pipeline.audit.images import FileAttack, FileCase
from pipeline.documents.evasion import DetectorRates, SanitizationCheck, SanitizationRobustness
from pipeline.documents.preprocess import ImageEntry
from pipeline.models.blocks import logits_model
from pipeline.models.save import load_keras
from pipeline.ondevice.decide import l1_distance
from pipeline.tasks.intervals import wilson

SLACK = 0.02  # of the samples may move by chance
UNAWARE_OF_DETECTOR = ("bpda", "bpda_median", "levels")  # attacks that know the sanitization alone


def attack_adaptively(case: FileCase, masks: Mapping[str, Array]) -> FileAttack:
    """Attack a sanitized file by the gradients of its parent; masks are (n,)."""
    import keras

    entry, images = case.images.entry, case.images
    if not (isinstance(entry, ImageEntry) and is_squeezed(entry)):
        return FileAttack(None)
    top = np.iinfo(entry.raw_dtype).max
    raw = np.round(images.x * np.float32(top)).astype(entry.raw_dtype)
    head = logits_model(keras, load_keras(case.parent))
    found = adaptive_attacks(head, images.x, images.labels, entry=entry, by=case.by)
    examples = {
        name: raw_within(x, raw, case.by.epsilon) / np.float32(top) for name, x in found.items()
    }
    outputs = {
        name: (case.queries.outputs(x), case.queries.outputs_unsanitized(x))
        for name, x in {"clean": images.x, **examples}.items()
    }
    threshold = case.queries.detector
    document = measure_sanitization(
        images.labels, outputs, file=case.queries.file.name, threshold=threshold
    )
    correct = np.logical_and.reduce(
        [
            images.is_correct(both[0]) | _is_flagged(both, threshold)
            for name, both in outputs.items()
            if name != "clean"
        ]
    )
    return FileAttack(correct, examples, document={"sanitization": document})


def measure_sanitization(
    labels: Array,
    outputs: Mapping[str, tuple[Array, Array]],
    *,
    file: str,
    threshold: float | None,
) -> SanitizationRobustness:
    """Return the accuracy under each adaptive attack, with sanitization and without.

    Args:
        labels: class ids (n,).
        outputs: `clean` and attacks by name -> outputs (n, K) with and without sanitization.
        file: name of the file.
        threshold: of the detector; None: there is none.
    """
    correct = {name: both[0].argmax(axis=1) == labels for name, both in outputs.items()}
    bare = {name: both[1].argmax(axis=1) == labels for name, both in outputs.items()}
    names, clean = [name for name in outputs if name != "clean"], correct["clean"]
    robust = {name: survivors(clean, [correct[name]]) for name in names}
    union = survivors(clean, [robust[name] for name in names])
    unsanitized = survivors(bare["clean"], [bare[name] for name in names])
    aware = survivors(clean, [robust[name] for name in names if name != "unaware"])
    gain = float(aware.mean() - robust["unaware"].mean())
    check = SanitizationCheck(
        name="an attack that knows the sanitization is no weaker",
        value=gain,
        limit=SLACK,
        passed=gain <= SLACK,
    )
    return SanitizationRobustness(
        file=file,
        clean_accuracy=float(clean.mean()),
        unaware_robust_accuracy=float(robust["unaware"].mean()),
        adaptive_robust_accuracy=float(union.mean()),
        adaptive_robust_ci95=wilson(int(union.sum()), len(labels)),
        unsanitized_robust_accuracy=float(unsanitized.mean()),
        attacks={name: float(robust[name].mean()) for name in names},
        detector=None if threshold is None else _measure_detector(correct, outputs, threshold),
        checks=(check,),
    )


def _is_flagged(both: tuple[Array, Array], threshold: float | None) -> Array:
    """Return which samples a detector flags (n,), by outputs with and without sanitization."""
    if threshold is None:
        return np.zeros(len(both[0]), bool)
    return l1_distance(*both) > threshold


def _measure_detector(
    correct: Mapping[str, Array], outputs: Mapping[str, tuple[Array, Array]], threshold: float
) -> DetectorRates:
    """Return what a detector adds; detection rates are 0 without adversarial examples."""
    flagged = {name: _is_flagged(both, threshold) for name, both in outputs.items()}
    clean, names = correct["clean"], [name for name in outputs if name != "clean"]
    evading = [clean & ~correct[name] & ~flagged[name] for name in names]

    def detection_rate(chosen: list[str]) -> float:
        is_hit = np.concatenate([clean & ~correct[name] for name in chosen])
        alarms = np.concatenate([flagged[name] for name in chosen])
        return float(alarms[is_hit].mean()) if is_hit.any() else 0.0

    aware = [n for n in names if n not in (*UNAWARE_OF_DETECTOR, "unaware")]
    evaded = np.logical_or.reduce(evading)
    return DetectorRates(
        threshold=threshold,
        false_positive_rate=float(flagged["clean"].mean()),
        unaware_detection_rate=detection_rate(["unaware"]),
        detection_rate=detection_rate([n for n in names if n in UNAWARE_OF_DETECTOR]),
        aware_detection_rate=detection_rate(aware),
        robust_accuracy=float((clean & ~evaded).mean()),
        evasion_rate=float(evaded.mean()),
    )
