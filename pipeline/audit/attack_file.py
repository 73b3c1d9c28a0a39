"""Every attack of ATTACKS that evades a file of images, and the robustness that is left.

A sample counts as robust where its prediction is correct without an attack and, under every attack
of the deployed pipeline (input sanitization, file, detector), correct or flagged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.audit import soundness
from pipeline.audit.attacks import ATTACKS
from pipeline.audit.evasion import accuracy_of, paired_drop, survivors
from pipeline.audit.gradient_attack import CURVE, CURVE_LOSS
from pipeline.audit.images import FileAttack, FileCase, changed_rate
from pipeline.audit.whitebox import integrated_gradients
from pipeline.documents.evasion import Check, FileRobustness

SHOWN = 12  # adversarial examples in the report


@dataclass(frozen=True)
class FileOutcome:
    """What all attacks on a file amount to."""

    row: FileRobustness
    robust: Array
    """Which samples are robust (n,)."""
    curve: list[float | None] = field(default_factory=list)
    """Accuracy at each of CURVE under its gradients; None: there was no such attack."""
    checks: list[Check] = field(default_factory=list)
    figures: dict[str, Array] = field(default_factory=dict)
    """Adversarial examples for the report."""
    document: dict[str, Any] = field(default_factory=dict)
    """Further fields of audit.json."""


def attack_file(case: FileCase, form: str, *, is_shipped: bool) -> FileOutcome:
    """Attack a file: any by transfer, the shipped one by everything.

    Args:
        case: the file.
        form: its format.
        is_shipped: whether it ships.
    """
    masks = {"clean": case.images.is_correct(case.queries.outputs(case.images.x))}
    results: list[FileAttack] = []
    for name, attack in ATTACKS.items():
        if attack.goal == "evasion" and (is_shipped or attack.is_on_every_file):
            result: FileAttack = attack.run(case, masks)
            results.append(result)
            if result.correct is not None:
                masks[name] = masks["clean"] & result.correct
    robust = survivors(masks["clean"], list(masks.values()))
    if not is_shipped:
        return FileOutcome(
            file_row(form, masks, robust, reference=case.reference.gradients.robust), robust
        )
    reference = _reference_under(case, results)
    row = file_row(form, masks, robust, reference=reference).model_copy(
        update={
            "robust_drop": float(reference.mean() - robust.mean()),
            "robust_drop_ci95": paired_drop(reference, robust, case.by.derive_seed("bootstrap")),
            "is_full": True,
            **{key: value for result in results for key, value in result.row.items()},
        }
    )
    repeated = soundness.of_repetition(changed_rate(case.queries.outputs, case.images.x), "file")
    return FileOutcome(
        row,
        robust,
        _curve(results),
        [repeated, *(check for result in results for check in result.checks)],
        _figures(case, results),
        {key: value for result in results for key, value in result.document.items()},
    )


def file_row(
    form: str, masks: Mapping[str, Array], robust: Array, *, reference: Array
) -> FileRobustness:
    """Return a file's row of audit.json.

    Args:
        form: its format.
        masks: `clean` and attacks -> which samples are correct (n,).
        robust: which are correct under all of them (n,).
        reference: which are correct on the trained model under the most similar attacks (n,).
    """
    attacks = {name: accuracy_of(mask) for name, mask in masks.items()}
    clean, union = attacks.pop("clean"), accuracy_of(robust)
    return FileRobustness(
        format=form,
        clean_accuracy=clean.accuracy,
        clean_ci95=clean.ci95,
        float_robust_accuracy=float(reference.mean()),
        robust_accuracy=union.accuracy,
        robust_ci95=union.ci95,
        attacks=attacks,
        is_full=False,
    )


def _reference_under(case: FileCase, results: list[FileAttack]) -> Array:
    """Return which samples the trained model predicts correctly under the file's examples too (n,).

    The file is shown the trained model's examples; without the reverse it would be attacked twice
    as often, and lose more by that alone.
    """
    outputs, is_correct = case.reference.box.outputs, case.images.is_correct
    examples = [x for result in results for x in result.examples.values()]
    return survivors(case.reference.robust, [is_correct(outputs(x)) for x in examples])


def _curve(results: list[FileAttack]) -> list[float | None]:
    by_gradients = [result.gradients for result in results if result.gradients is not None]
    if not by_gradients:
        return [None] * len(CURVE)
    return [float(by_gradients[0].at(part).mean()) for part in CURVE]


def _figures(case: FileCase, results: list[FileAttack]) -> dict[str, Array]:
    """Return adversarial examples, misclassified ones first, and saliency before and after."""
    own = [result for result in results if result.gradients is not None]
    box = own[0].box if own and own[0].box else case.reference.box
    source = own[0].gradients if own and own[0].gradients else case.reference.gradients
    images, moved = case.images, source.examples[f"{CURVE_LOSS}/0"]
    before, after = (case.queries.outputs(x).argmax(axis=1) for x in (images.x, moved))
    is_hit = (before == images.labels) & (after != before)
    shown = np.concatenate([np.flatnonzero(is_hit), np.flatnonzero(~is_hit)])[:SHOWN]
    clean, attacked = images.x[shown], moved[shown]
    return {
        "clean": clean,
        "adversarial": attacked,
        "labels": images.labels[shown],
        "prediction_clean": before[shown],
        "prediction_adversarial": after[shown],
        "saliency_clean": integrated_gradients(box, clean, before[shown]),
        "saliency_adversarial": integrated_gradients(box, attacked, after[shown]),
    }
