"""Evasion of a classifier of pictures: the float reference, and what fools it, shown to every file.

That bounds the robustness of a file from above; the one that ships is attacked for itself too, in
shipped.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.arrays import Array, only
from pipeline.audit import soundness
from pipeline.audit.attack import Attack, Attacked, carry_out, restarts, unbounded_radius
from pipeline.audit.corruptions import CORRUPTIONS, SEVERITIES, corrupt_images
from pipeline.audit.evasion import accuracy_of, survivors, under_transfer
from pipeline.audit.queries import Budget
from pipeline.audit.square import Searched, search
from pipeline.audit.whitebox import WhiteBox, box_of
from pipeline.device.measure import run_file
from pipeline.documents.evasion import (
    Check,
    CorruptionAccuracy,
    FileRobustness,
    ReferenceRobustness,
)
from pipeline.documents.preprocess import Preprocess
from pipeline.models.save import load_keras
from pipeline.seeds import fold_seed


@dataclass(frozen=True)
class Pictures:
    """What is attacked."""

    x: Array
    """Model inputs (n, H, W, C), float32 in [0, 1]."""
    labels: Array
    """Class ids (n,)."""
    preprocess: Preprocess
    """Contents of preprocess.json, of one input."""

    @property
    def name(self) -> str:
        """Name of the input."""
        return str(self.preprocess.inputs[0].name)

    def right(self, outputs: Array) -> Array:
        """Return which of some answers (n, K) are right (n,)."""
        return np.asarray(outputs.argmax(axis=1) == self.labels)


@dataclass(frozen=True)
class Known:
    """What came of the attack on the float reference, and what the files need of it."""

    box: WhiteBox
    attacked: Attacked
    robust: Array
    """Who withstands gradients and search (n,)."""
    queries: float | None
    """Mean number of answers that the search asked a sample for; None: there was none."""
    checks: list[Check]

    @property
    def metrics(self) -> ReferenceRobustness:
        """Of the reference, for audit.json."""
        clean, robust = accuracy_of(self.attacked.clean), accuracy_of(self.robust)
        return ReferenceRobustness(
            clean_accuracy=clean.accuracy,
            clean_ci95=clean.ci95,
            noise_accuracy=float(self.attacked.masks["noise"].mean()),
            white_box_accuracy=float(self.attacked.robust.mean()),
            mean_queries=self.queries,
            robust_accuracy=robust.accuracy,
            robust_ci95=robust.ci95,
        )


def attack_reference(model: Path, pictures: Pictures, by: Attack) -> Known:
    """Attack a `.keras` file by its gradients, and by search what withstands them."""
    box = box_of(load_keras(model))

    def judge(inputs: Array) -> Array:
        return pictures.right(box.answers(inputs))

    attacked = carry_out(box, judge, pictures.x, labels=pictures.labels, by=by, purpose="reference")

    def look(x: Array, labels: Array, budget: Budget) -> Searched:
        return search(box.answers, x, labels, **vars(budget))

    robust, queries = search_images(look, pictures, attacked.robust, by=by, purpose="reference")
    checks = gradient_checks(attacked, pictures, by, on="reference")
    checks += search_checks(attacked.robust, robust, queries, on="reference")
    checks.append(soundness.of_answers(changed_rate(box.answers, pictures.x), "reference"))
    return Known(box, attacked, robust, queries, checks)


def search_images(
    look: Callable[[Array, Array, Budget], Searched],
    pictures: Pictures,
    before: Array,
    *,
    by: Attack,
    purpose: str,
) -> tuple[Array, float | None]:
    """Return who withstands a search too (n,), and its mean queries; None: nobody was asked.

    Args:
        look: searches from inputs and labels.
        pictures: what is attacked.
        before: who withstood all else (n,): these alone are searched for.
        by: what the attacker may do.
        purpose: tells one search's draws from another's.
    """
    (left,) = np.nonzero(before)
    if by.queries == 0 or not len(left):
        return before, None
    budget = Budget(by.norm, by.epsilon, by.queries, by.of("search", purpose))
    found = look(pictures.x[left], pictures.labels[left], budget)
    robust = before.copy()
    robust[left] = found.held
    return robust, float(found.queries.mean())


def gradient_checks(
    attacked: Attacked, pictures: Pictures, by: Attack, *, on: soundness.On
) -> list[Check]:
    """Return the checks of an attack by gradients that was carried out; see soundness.py."""
    whole = unbounded_radius(pictures.x, by) / by.epsilon
    masks = {
        "noise": attacked.masks["noise"],
        "fewer": attacked.masks["fewer"],
        "at": attacked.at(1.0),
        "twice": attacked.at(2.0),
        "unbounded": attacked.at(whole),
    }
    found = {name: float(mask.mean()) for name, mask in masks.items()}
    return soundness.of_gradients(found, len(pictures.x), on)


def search_checks(
    before: Array, after: Array, queries: float | None, *, on: soundness.On
) -> list[Check]:
    """Return the check of a search, where there was one."""
    if queries is None:
        return []
    return [soundness.of_search(float(before.mean()), float(after.mean()), len(before), on=on)]


def changed_rate(answers: Callable[[Array], Array], x: Array) -> float:
    """Return the share of decisions that are others when the same inputs are shown again."""
    one, other = (answers(x).argmax(axis=1) for _ in range(2))
    return float((one != other).mean())


def found_on(model: Path, pictures: Pictures, by: Attack) -> dict[str, Array]:
    """Return `loss/restart` -> inputs (n, H, W, C) that fool a `.keras` file."""
    box = box_of(load_keras(model))
    return dict(restarts(box, pictures.x, pictures.labels, by=by, purpose="parent"))


def measure_transfer(
    file: Path, form: str, pictures: Pictures, *, known: Known, own: Mapping[str, Array]
) -> tuple[FileRobustness, dict[str, Array]]:
    """Return the metrics of a file under transferred inputs, and name -> which are correct (n,).

    Args:
        file: the .tflite file.
        form: its format.
        pictures: what is attacked.
        known: of the reference.
        own: adversarial examples of the float model that the file is made from, if another.
    """
    asked = [pictures.x, *known.attacked.found.values(), *own.values()]
    outputs = _run(file, pictures, asked)
    held = [pictures.right(part) for part in outputs]
    masks = under_transfer(held, 1 + len(known.attacked.found))
    return row_of(form, masks, known.attacked.robust), masks


def row_of(form: str, masks: Mapping[str, Array], reference: Array) -> FileRobustness:
    """Return the metrics of a file from name -> which samples are correct (n,), `clean` first.

    `reference`: which are correct on the float reference under the most similar attacks (n,).
    """
    attacks = {name: accuracy_of(mask) for name, mask in masks.items()}
    clean, robust = attacks.pop("clean"), accuracy_of(survivors(masks["clean"], [*masks.values()]))
    return FileRobustness(
        format=form,
        clean_accuracy=clean.accuracy,
        clean_ci95=clean.ci95,
        float_robust_accuracy=float(reference.mean()),
        robust_accuracy=robust.accuracy,
        robust_ci95=robust.ci95,
        attacks=attacks,
        is_full=False,
    )


def under_corruption(
    file: Path, pictures: Pictures, known: Known, *, seed: int
) -> list[CorruptionAccuracy]:
    """Return the accuracy under each common corruption.

    Args:
        file: the one that ships.
        pictures: what is corrupted.
        known: of the reference.
        seed: of the noise.
    """
    plan = [(name, severity) for name in CORRUPTIONS for severity in SEVERITIES]
    corrupted = [
        corrupt_images(pictures.x, name, severity, seed=fold_seed(seed, name, severity))
        for name, severity in plan
    ]
    references = [pictures.right(known.box.answers(x)).mean() for x in corrupted]
    shipped = [pictures.right(outputs).mean() for outputs in _run(file, pictures, corrupted)]
    return [
        CorruptionAccuracy(
            name=name,
            severity=severity,
            reference_accuracy=float(reference),
            shipped_accuracy=float(own),
        )
        for (name, severity), reference, own in zip(plan, references, shipped, strict=True)
    ]


def _run(file: Path, pictures: Pictures, asked: list[Array]) -> list[Array]:
    """Return what a file answers to each of several sets of inputs, by the runner that ships."""
    inputs = {pictures.name: np.concatenate(asked)}
    outputs = only(run_file(file, pictures.preprocess, inputs, prepared=True).outputs)
    return np.split(outputs, len(asked))
