"""The file that ships, attacked for itself: straight through its rounding, then by search.

An integer file has no gradient. Its twin, made of its own scales, has one; that the two decide
alike is measured and required. What withstands is searched for on the answers of the file itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Array
from pipeline.audit import soundness
from pipeline.audit.attack import ALONG, CURVE, Attack, Attacked, carry_out
from pipeline.audit.evasion import paired_drop, survivors
from pipeline.audit.images import (
    Known,
    Pictures,
    changed_rate,
    gradient_checks,
    row_of,
    search_checks,
    search_images,
)
from pipeline.audit.queries import Asked
from pipeline.audit.saliency import integrated_gradients
from pipeline.audit.whitebox import WhiteBox, box_of_copy
from pipeline.documents.evasion import Check, FileRobustness, SquareAttack, StraightThrough
from pipeline.models.tflite.differentiable import DifferentiableCopy, differentiable_copy
from pipeline.models.tflite.node import Refused

SHOWN = 12  # adversarial examples in the report


@dataclass(frozen=True)
class Straight:
    """What came of the attack through the rounding."""

    metrics: StraightThrough
    attacked: Attacked | None
    box: WhiteBox | None
    checks: list[Check]


@dataclass(frozen=True)
class Shipped:
    """What came of the attack on the file that ships."""

    row: FileRobustness
    curve: list[float | None]
    """Accuracy at each of attack.CURVE through the rounding; None: there was no such attack."""
    checks: list[Check]
    figures: dict[str, Array]
    """Adversarial examples for the report."""
    held: Array
    """Who withstands all of it (n,)."""


def attack_shipped(
    asked: Asked,
    pictures: Pictures,
    known: Known,
    *,
    masks: Mapping[str, Array],
    by: Attack,
    form: str,
) -> Shipped:
    """Attack the file that ships.

    Args:
        asked: how it is asked.
        pictures: what is attacked.
        known: of the reference.
        masks: of `images.transferred`.
        by: what the attacker may do.
        form: its format.
    """
    straight, held = _straight(asked, pictures, known, masks, by), dict(masks)
    fooling = known.attacked.found[f"{ALONG}/0"]
    curve: list[float | None] = [None] * len(CURVE)
    if straight.attacked is not None:
        held["straight_through"] = straight.attacked.robust
        fooling = straight.attacked.found[f"{ALONG}/0"]
        curve = [float(straight.attacked.at(part).mean()) for part in CURVE]
    before = survivors(held["clean"], list(held.values()))
    robust, queries = search_images(asked.search, pictures, before, by=by, purpose="file")
    if queries is not None:
        held["square"] = robust
    reference = _shown_to(known, pictures, straight)
    row = row_of(form, held, reference).model_copy(
        update={
            "robust_drop": float(reference.mean() - robust.mean()),
            "robust_drop_ci95": paired_drop(reference, robust, by.of("bootstrap")),
            "straight_through": straight.metrics,
            "square": SquareAttack(samples=int(before.sum()), mean_queries=queries),
            "is_full": True,
        }
    )
    checks = [
        soundness.of_answers(changed_rate(asked.answers, pictures.x), "file"),
        *straight.checks,
    ]
    checks += search_checks(before, robust, queries, on="file")
    shown = _examples(asked, pictures, fooling, straight.box or known.box)
    return Shipped(row, curve, checks, shown, robust)


def _straight(
    asked: Asked, pictures: Pictures, known: Known, masks: Mapping[str, Array], by: Attack
) -> Straight:
    """Attack the file's twin, and let the file judge."""
    try:
        twin = differentiable_copy(asked.file)
    except Refused as error:
        skipped = StraightThrough(skipped=str(error), is_white_box=False)
        return Straight(skipped, None, None, [])
    box = box_of_copy(twin)

    def judge(inputs: Array) -> Array:
        return pictures.right(asked.answers(inputs))

    attacked = carry_out(box, judge, pictures.x, labels=pictures.labels, by=by, purpose="twin")
    shown = [pictures.x, *known.attacked.found.values(), *attacked.found.values()]
    inputs = np.concatenate(shown)
    agreement, mean_lsb = _agreement(asked, box, twin, inputs)
    noise = float(attacked.masks["noise"].mean())
    checks = soundness.of_twin(
        agreement,
        own=float(attacked.robust.mean()),
        transferred=float(masks["pgd_transfer"].mean()),
        noise=noise,
        samples=len(pictures.x),
    )
    metrics = StraightThrough(
        skipped=None,
        agreement=agreement,
        inputs=len(inputs),
        mean_lsb=mean_lsb,
        noise_accuracy=noise,
        is_white_box=checks[0].passed,
    )
    checks += gradient_checks(attacked, pictures, by, on="file")
    return Straight(metrics, attacked, box, checks)


def _shown_to(known: Known, pictures: Pictures, straight: Straight) -> Array:
    """Return who withstands on the reference what fools the file too (n,).

    The file is shown what fools the reference; without the reverse it would be attacked twice as
    often, and lose more by that alone.
    """
    found = {} if straight.attacked is None else straight.attacked.found
    held = [pictures.right(known.box.answers(inputs)) for inputs in found.values()]
    return survivors(known.robust, held)


def _agreement(
    asked: Asked, box: WhiteBox, twin: DifferentiableCopy, inputs: Array
) -> tuple[float, float | None]:
    """Return the rate of equal decisions of copy and file, and their distance in integer steps."""
    wanted, found = asked.answers(inputs), box.answers(inputs)
    same = wanted.argmax(axis=1) == found.argmax(axis=1)
    apart = float(np.abs(wanted - found).mean())
    return float(same.mean()), apart / twin.step if twin.step else None


def _examples(asked: Asked, pictures: Pictures, fooling: Array, box: WhiteBox) -> dict[str, Array]:
    """Return adversarial examples, those that fool the file first, and what its answers rest on."""
    before, after = (asked.answers(x).argmax(axis=1) for x in (pictures.x, fooling))
    fooled = (before == pictures.labels) & (after != before)
    shown = np.concatenate([np.flatnonzero(fooled), np.flatnonzero(~fooled)])[:SHOWN]
    clean, attacked = pictures.x[shown], fooling[shown]
    return {
        "clean": clean,
        "adversarial": attacked,
        "labels": pictures.labels[shown],
        "prediction_clean": before[shown],
        "prediction_adversarial": after[shown],
        "saliency_clean": integrated_gradients(box.gradient, clean, before[shown]),
        "saliency_adversarial": integrated_gradients(box.gradient, attacked, after[shown]),
    }
