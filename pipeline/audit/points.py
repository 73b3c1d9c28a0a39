"""Attack samples that are no images under their threat models: tables, series, sound, texts.

PGD, of texts word substitution, makes adversarial examples of the trained model, and of the float
model that a file is made from where that is another; every file is shown both. This is a transfer
attack: it bounds the robustness of a file from above.

Legend: n samples, A sets of inputs (the clean one first).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, only
from pipeline.audit import soundness
from pipeline.audit.attack_file import file_row
from pipeline.audit.evasion import accuracy_of, paired_drop, survivors, under_transfer
from pipeline.audit.gradient_attack import CURVE, FEWER
from pipeline.data.dataset import Dataset
from pipeline.device.measure import run_file
from pipeline.documents.evasion import (
    Check,
    CurvePoint,
    FileRobustness,
    ReferenceRobustness,
    SquareAttack,
    StraightThrough,
)
from pipeline.documents.threat_model import ThreatModel
from pipeline.harden.robustness import measure_classes
from pipeline.samples import KINDS
from pipeline.seeds import fold_seed

WHOLE = 1.0  # epsilon at which every image is in reach
FAR = 1000.0  # epsilons at which the range alone bounds everything else
NO_COPY = "straight-through attacks are implemented for a single image input alone"


@dataclass(frozen=True)
class PointBudget:
    """What an attacker may do."""

    settings: Mapping[str, Any]
    """Of `reach.reach_of`: norm, epsilon, and what of a sample is moved."""
    steps: int
    restarts: int
    seed: int


@dataclass(frozen=True)
class PointResult:
    """The attack on the trained model."""

    labels: Array
    """Class ids (n,)."""
    inputs: Sequence[Mapping[str, Array]]
    """Name -> model input (n, *shape) of the clean samples, then of each restart."""
    clean: Array
    """Which samples are correct (n,)."""
    robust: Array
    """Which are correct under all restarts (n,)."""
    metrics: ReferenceRobustness
    curve: list[CurvePoint]
    checks: list[Check]
    perturbation: str
    """Largest perturbation, in words."""
    threat_model: ThreatModel
    parts: Sequence[Mapping[str, Array]]
    """Name -> what the attacker holds of an attacked input (n, ...): clean, then each restart."""


def attack_reference(
    model: Path, dataset: Dataset, positions: Array, *, by: PointBudget
) -> PointResult:
    """Attack a `.keras` file on some samples (n,)."""
    from pipeline.harden.describe_threat_model import describe_perturbation, threat_model_document
    from pipeline.harden.run_attack import model_inputs, noise

    threat, samples, is_correct, find = _open(model, dataset, positions, by)
    clean = is_correct(samples.x)
    seeds = [fold_seed(by.seed, "restart", i) for i in range(by.restarts)]
    found = [find(by.steps)(samples, seed=seed) for seed in seeds]
    correct = [is_correct(points) for points in found]
    robust = survivors(clean, correct)

    def at(part: float, purpose: str, steps: int = by.steps) -> float:
        points = find(max(1, steps))(samples, seed=fold_seed(by.seed, purpose), share=part)
        return float((clean & is_correct(points)).mean())

    noisy = float((clean & is_correct(noise(threat, samples, by.seed))).mean())
    first = float((clean & correct[0]).mean())
    curve, more = _curve_and_checks(first, by, at, _unbounded(dataset, threat, by))
    checks = soundness.of_gradients({"noise": noisy, **more}, len(positions), "reference")
    start = _curve_point(0.0, float(clean.mean()))
    shown = [model_inputs(threat, samples, x) for x in (samples.x, *found)]
    parts = [threat.in_parts(x, samples.given) for x in (samples.x, *found)]
    return PointResult(
        samples.labels,
        shown,
        clean,
        robust,
        _reference_robustness(clean, robust, noisy),
        [start, *curve] if curve else [],
        checks,
        describe_perturbation(threat),
        threat_model_document(threat),
        parts,
    )


def _reference_robustness(clean: Array, robust: Array, noise: float) -> ReferenceRobustness:
    """Return the metrics of what is right (n,), of what stays so (n,), and under noise."""
    own, all_ = accuracy_of(clean), accuracy_of(robust)
    return ReferenceRobustness(
        clean_accuracy=own.accuracy,
        clean_ci95=own.ci95,
        noise_accuracy=noise,
        white_box_accuracy=all_.accuracy,
        mean_queries=None,
        robust_accuracy=all_.accuracy,
        robust_ci95=all_.ci95,
    )


def examples_of(
    model: Path, dataset: Dataset, positions: Array, *, by: PointBudget
) -> list[Mapping[str, Array]]:
    """Return the adversarial examples of a `.keras` file: name -> (n, ...), of each restart."""
    from pipeline.harden.run_attack import model_inputs

    threat, samples, _, find = _open(model, dataset, positions, by)
    seeds = [fold_seed(by.seed, "parent", i) for i in range(by.restarts)]
    finder = find(by.steps)
    return [model_inputs(threat, samples, finder(samples, seed=seed)) for seed in seeds]


def measure_transfer(
    file: Path,
    form: str,
    dataset: Dataset,
    *,
    known: PointResult,
    own: list[Mapping[str, Array]],
    by: PointBudget,
) -> tuple[FileRobustness, Array, Array]:
    """Return the metrics of a file, which are robust (n,), and predicted classes (A, n).

    Args:
        file: the .tflite file.
        form: its format.
        dataset: of classes.
        known: of the reference.
        own: adversarial examples of the float model that the file is made from, if another.
        by: what the attacker may do.
    """
    shown = [*known.inputs, *own]
    inputs = {name: np.concatenate([x[name] for x in shown]) for name in shown[0]}
    outputs = only(run_file(file, dataset.preprocess, inputs, prepared=True).outputs)
    count = len(known.labels)
    predicted = outputs.argmax(axis=1).reshape(len(shown), count)
    correct = list(predicted == known.labels)
    masks, robust = under_transfer(correct, len(known.inputs)), survivors(correct[0], correct)
    row = file_row(form, masks, robust, reference=known.robust).model_copy(
        update={
            "robust_drop": float(known.robust.mean() - robust.mean()),
            "robust_drop_ci95": paired_drop(known.robust, robust, fold_seed(by.seed, "bootstrap")),
            "straight_through": StraightThrough(skipped=NO_COPY, is_white_box=False),
            "square": SquareAttack(samples=0, mean_queries=None),
            "classes": measure_classes(
                correct[0], robust, known.labels, names=dataset.class_names or ()
            ),
        }
    )
    return row, robust, predicted


def _open(model: Path, dataset: Dataset, positions: Array, by: PointBudget) -> tuple[Any, ...]:
    """Return threat model, samples, points -> which are correct, and steps -> attack."""
    from pipeline.harden.fit_threat_model import fit_threat_model
    from pipeline.harden.robustness import compile_pgd
    from pipeline.harden.run_attack import outputs_of, samples_of
    from pipeline.models.save import load_keras

    net = load_keras(model)
    norm = by.settings["norm"]
    threat = fit_threat_model(dataset, by.settings, net, where="audit", norm=norm)
    samples = samples_of(dataset, threat, positions)
    finders: dict[int, Any] = {}

    def is_correct(points: Array) -> Array:
        predicted = outputs_of(net, threat, samples, x=points).argmax(axis=1)
        return np.asarray(predicted == samples.labels)

    def find(steps: int) -> Any:
        finders[steps] = finders.get(steps) or compile_pgd(net, threat, steps=steps)
        return finders[steps]

    return threat, samples, is_correct, find


def _unbounded(dataset: Dataset, threat: Any, by: PointBudget) -> float | None:
    """Return the multiple of epsilon at which any attack succeeds; None: something is fixed."""
    if by.settings["tokens"] or threat.is_masked:
        return None
    is_unit = all(KINDS[entry.kind].has_fixed_range for entry in dataset.preprocess.inputs)
    return WHOLE / float(by.settings["epsilon"]) if is_unit else FAR


def _curve_and_checks(
    first: float, by: PointBudget, at: Callable[..., float], unbounded: float | None
) -> tuple[list[CurvePoint], dict[str, float]]:
    """Return the curve of accuracy by epsilon, and the accuracies for the checks.

    There is no curve of texts, whose words cannot move by a fraction.

    Args:
        first: accuracy under one restart.
        by: what the attacker may do.
        at: (fraction of epsilon, purpose, steps) -> accuracy under one restart.
        unbounded: see `_unbounded`.
    """
    if by.settings["tokens"]:
        return [], {"at": first}
    accuracies = {part: first if part == 1 else at(part, "curve") for part in CURVE}
    fewer = at(1.0, "fewer", by.steps // FEWER)
    checked = {"at": first, "fewer": fewer, "twice": accuracies[2.0]}
    if unbounded is not None:
        checked["unbounded"] = at(unbounded, "huge")
    epsilon = by.settings["epsilon"]
    return [
        _curve_point(part * epsilon, accuracy) for part, accuracy in accuracies.items()
    ], checked


def _curve_point(epsilon: float, accuracy: float) -> CurvePoint:
    return CurvePoint(epsilon=epsilon, reference_accuracy=accuracy, shipped_accuracy=None)
