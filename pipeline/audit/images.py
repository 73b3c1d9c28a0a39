"""Images under attack: the trained model, files by transfer, and common corruptions.

Everything is attacked as deployed: behind its input sanitization and, of the shipped file, with its
detector.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.audit import soundness
from pipeline.audit.adaptive import front_of
from pipeline.audit.corruptions import CORRUPTIONS, SEVERITIES, corrupt_images
from pipeline.audit.evasion import accuracy_of, survivors
from pipeline.audit.file_queries import FileQueries, SearchBudget
from pipeline.audit.gradient_attack import (
    AttackBudget,
    GradientResult,
    attack_by_gradients,
    run_restarts,
    unbounded_radius,
)
from pipeline.audit.square import SearchResult, search
from pipeline.audit.whitebox import WhiteBox, box_of
from pipeline.documents.evasion import Check, CorruptionAccuracy, ReferenceRobustness, SquareAttack
from pipeline.documents.preprocess import Entry, Preprocess
from pipeline.models.save import load_keras
from pipeline.seeds import fold_seed


@dataclass(frozen=True)
class Images:
    """The images that are attacked."""

    x: Array
    """Before input sanitization (n, H, W, C), float32 in [0, 1]."""
    labels: Array
    """Class ids (n,)."""
    preprocess: Preprocess
    """Contents of preprocess.json, of one input."""

    @property
    def entry(self) -> Entry:
        """The input's entry of preprocess.json."""
        return self.preprocess.inputs[0]

    def is_correct(self, outputs: Array) -> Array:
        """Return which predictions are correct (n,), of outputs (n, K)."""
        return np.asarray(outputs.argmax(axis=1) == self.labels)


@dataclass(frozen=True)
class ReferenceResult:
    """The attack on the trained model."""

    box: WhiteBox
    gradients: GradientResult
    robust: Array
    """Which samples are correct under gradients and search (n,)."""
    queries: float | None
    """Mean queries of the search; None: there was none."""
    checks: list[Check]

    @property
    def metrics(self) -> ReferenceRobustness:
        """Of the reference, for audit.json."""
        clean, robust = accuracy_of(self.gradients.clean), accuracy_of(self.robust)
        return ReferenceRobustness(
            clean_accuracy=clean.accuracy,
            clean_ci95=clean.ci95,
            noise_accuracy=float(self.gradients.masks["noise"].mean()),
            white_box_accuracy=float(self.gradients.robust.mean()),
            mean_queries=self.queries,
            robust_accuracy=robust.accuracy,
            robust_ci95=robust.ci95,
        )


@dataclass(frozen=True)
class FileCase:
    """A file under attack."""

    queries: FileQueries
    images: Images
    reference: ReferenceResult
    by: AttackBudget
    parent: Path
    """The `.keras` file that it is made from."""
    parent_examples: Mapping[str, Array]
    """Adversarial examples of the parent (n, H, W, C); none where it is the reference."""

    def is_correct(self, x: Array) -> Array:
        """Return which images (n, H, W, C) are predicted correctly or flagged by the detector."""
        correct = self.images.is_correct(self.queries.outputs(x))
        return correct | self.queries.is_flagged(x)


@dataclass(frozen=True)
class FileAttack:
    """The result of one attack on a file."""

    correct: Array | None
    """Which samples stay correct, or are flagged (n,); None: there was no attack."""
    examples: Mapping[str, Array] = field(default_factory=dict)
    """Adversarial examples that were made for this file (n, H, W, C)."""
    row: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of the file's row in audit.json."""
    document: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of audit.json."""
    checks: tuple[Check, ...] = ()
    gradients: GradientResult | None = None
    box: WhiteBox | None = None
    """Where the gradients came from."""


def attack_reference(model: Path, images: Images, by: AttackBudget) -> ReferenceResult:
    """Attack a `.keras` file by its gradients, and by search what stays correct."""
    box = box_of(load_keras(model), front_of(images.entry))

    def is_correct(x: Array) -> Array:
        return images.is_correct(box.outputs(x))

    result = attack_by_gradients(
        box, is_correct, images.x, labels=images.labels, by=by, purpose="reference"
    )

    def look(x: Array, labels: Array, budget: SearchBudget) -> SearchResult:
        return search(box.outputs, x, labels, **vars(budget))

    found = search_images(look, images, result.robust, by=by, purpose="reference")
    robust, queries, _ = found
    checks = gradient_checks(result, images, by, on="reference")
    checks += search_checks(result.robust, robust, queries, on="reference")
    checks.append(soundness.of_repetition(changed_rate(box.outputs, images.x), "reference"))
    return ReferenceResult(box, result, robust, queries, checks)


def search_images(
    look: Callable[[Array, Array, SearchBudget], SearchResult],
    images: Images,
    before: Array,
    *,
    by: AttackBudget,
    purpose: str,
) -> tuple[Array, float | None, Array]:
    """Return which samples stay correct under a search too (n,), its mean queries, its images.

    Args:
        look: searches from inputs and labels.
        images: what is attacked.
        before: which are correct under all other attacks (n,): these alone are searched for.
        by: what the attacker may do.
        purpose: tells one search's draws from another's.

    Returns:
        Mean queries are None where nothing was searched.
    """
    (left,) = np.nonzero(before)
    if by.queries == 0 or not len(left):
        return before, None, images.x
    budget = SearchBudget(by.norm, by.epsilon, by.queries, by.derive_seed("search", purpose))
    result = look(images.x[left], images.labels[left], budget)
    robust, x = before.copy(), images.x.copy()
    robust[left], x[left] = result.is_robust, result.x
    return robust, float(result.queries.mean()), x


def gradient_checks(
    result: GradientResult, images: Images, by: AttackBudget, *, on: soundness.On
) -> list[Check]:
    """Return the checks of an attack by gradients; see soundness.py."""
    whole = unbounded_radius(images.x, by) / by.epsilon
    masks = {
        "noise": result.masks["noise"],
        "fewer": result.masks["fewer"],
        "at": result.at(1.0),
        "twice": result.at(2.0),
        "unbounded": result.at(whole),
    }
    accuracies = {name: float(mask.mean()) for name, mask in masks.items()}
    return soundness.of_gradients(accuracies, len(images.x), on)


def search_checks(
    before: Array, after: Array, queries: float | None, *, on: soundness.On
) -> list[Check]:
    """Return the check of a search, if any, from who is correct before and after it (n,)."""
    if queries is None:
        return []
    return [soundness.of_search(float(before.mean()), float(after.mean()), len(before), on=on)]


def changed_rate(outputs: Callable[[Array], Array], x: Array) -> float:
    """Return the fraction of decisions that change when inputs (n, *shape) are repeated."""
    one, other = (outputs(x).argmax(axis=1) for _ in range(2))
    return float((one != other).mean())


def examples_of(model: Path, images: Images, by: AttackBudget) -> dict[str, Array]:
    """Return `loss/restart` -> adversarial examples (n, H, W, C) of a `.keras` file."""
    box = box_of(load_keras(model), front_of(images.entry))
    return dict(run_restarts(box, images.x, images.labels, by=by, purpose="parent"))


def transfer(case: FileCase, masks: Mapping[str, Array]) -> FileAttack:
    """Show a file the adversarial examples of the trained model; masks are (n,)."""
    return FileAttack(_under(case, case.reference.gradients.examples))


def transfer_parent(case: FileCase, masks: Mapping[str, Array]) -> FileAttack:
    """Show a file the adversarial examples of its parent, if any; masks are (n,)."""
    return FileAttack(_under(case, case.parent_examples) if case.parent_examples else None)


def _under(case: FileCase, examples: Mapping[str, Array]) -> Array:
    return np.logical_and.reduce([case.is_correct(x) for x in examples.values()])


def search_file(case: FileCase, masks: Mapping[str, Array]) -> FileAttack:
    """Run Square attack on what stays correct under all attacks before it; masks are (n,)."""
    before = survivors(masks["clean"], list(masks.values()))
    robust, queries, x = search_images(
        case.queries.search, case.images, before, by=case.by, purpose="file"
    )
    row = {"square": SquareAttack(samples=int(before.sum()), mean_queries=queries)}
    if queries is None:
        return FileAttack(None, row=row)
    robust = robust | (before & case.queries.is_flagged(x))
    checks = search_checks(before, robust, queries, on="file")
    return FileAttack(robust, row=row, checks=tuple(checks))


def measure_corruptions(
    queries: FileQueries, images: Images, reference: ReferenceResult, *, seed: int
) -> list[CorruptionAccuracy]:
    """Return the accuracy under each common corruption.

    Args:
        queries: the shipped file.
        images: what is corrupted.
        reference: the trained model.
        seed: of the noise.
    """
    rows = []
    for name in CORRUPTIONS:
        for severity in SEVERITIES:
            noise = fold_seed(seed, name, severity)
            x = corrupt_images(images.x, name, severity, seed=noise)
            own, other = (images.is_correct(f(x)) for f in (queries.outputs, reference.box.outputs))
            row = CorruptionAccuracy(
                name=name,
                severity=severity,
                reference_accuracy=float(other.mean()),
                shipped_accuracy=float(own.mean()),
            )
            rows.append(row)
    return rows
