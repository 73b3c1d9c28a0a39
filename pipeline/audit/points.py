"""Attack what is no picture: tables, series, sound, texts, in the space that an attacker has there.

PGD, of texts substitution, finds on the float reference, and on the float model that a file is made
from where that is another, what every file is then shown. This is a transfer attack: it bounds the
robustness of a file from above.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, only
from pipeline.audit import soundness
from pipeline.audit.attack import CURVE, FEWER
from pipeline.audit.evasion import accuracy_of, paired_drop, survivors, under_transfer
from pipeline.audit.images import row_of
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
from pipeline.harden.space_figures import measure_classes
from pipeline.samples import KINDS
from pipeline.seeds import fold_seed

WHOLE = 1.0  # epsilon at which every image can be reached
FAR = 1000.0  # epsilons at which the range alone bounds everything else
NO_TWIN = "gradients through a file's rounding are followed for one picture alone"


@dataclass(frozen=True)
class Reach:
    """What an attacker may do."""

    settings: Mapping[str, Any]
    """Of `reach.reach_of`: norm, epsilon, and what of a sample is moved."""
    steps: int
    restarts: int
    seed: int


@dataclass(frozen=True)
class Known:
    """What came of the attack on the reference."""

    labels: Array
    """Class ids (n,)."""
    inputs: Sequence[Mapping[str, Array]]
    """Name -> model input (n, *shape) of the clean samples, then of each restart."""
    clean: Array
    """Which samples are right (n,)."""
    robust: Array
    """Which withstand all restarts (n,)."""
    metrics: ReferenceRobustness
    curve: list[CurvePoint]
    checks: list[Check]
    perturbation: str
    """Largest perturbation, in words."""
    threat_model: ThreatModel
    parts: Sequence[Mapping[str, Array]]
    """Name -> what the attacker holds of an attacked input (n, ...): clean, then each restart."""


def attack_reference(model: Path, dataset: Dataset, positions: Array, *, by: Reach) -> Known:
    """Attack a `.keras` file on some samples (n,)."""
    from pipeline.harden.space_search import model_inputs, noise
    from pipeline.harden.space_words import reach_words, space_document

    space, samples, right, find = _opened(model, dataset, positions, by)
    clean = right(samples.x)
    found = [find(by.steps)(samples, seed=fold_seed(by.seed, "restart", i)) for i in _counted(by)]
    held = [right(points) for points in found]
    robust = survivors(clean, held)

    def at(part: float, purpose: str, steps: int = by.steps) -> float:
        points = find(max(1, steps))(samples, seed=fold_seed(by.seed, purpose), share=part)
        return float((clean & right(points)).mean())

    calm = float((clean & right(noise(space, samples, by.seed))).mean())
    first = float((clean & held[0]).mean())
    curve, more = _more(first, by, at, _huge(dataset, space, by))
    checks = soundness.of_gradients({"noise": calm, **more}, len(positions), "reference")
    start = _curve_point(0.0, float(clean.mean()))
    shown = [model_inputs(space, samples, x) for x in (samples.x, *found)]
    parts = [space.in_parts(x, samples.given) for x in (samples.x, *found)]
    return Known(
        samples.labels,
        shown,
        clean,
        robust,
        _reference_robustness(clean, robust, calm),
        [start, *curve] if curve else [],
        checks,
        reach_words(space),
        space_document(space),
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


def found_on(
    model: Path, dataset: Dataset, positions: Array, *, by: Reach
) -> list[Mapping[str, Array]]:
    """Return name -> model input (n, *shape) of each restart, found on a `.keras` file."""
    from pipeline.harden.space_search import model_inputs

    space, samples, _, find = _opened(model, dataset, positions, by)
    seeds = [fold_seed(by.seed, "parent", i) for i in _counted(by)]
    finder = find(by.steps)
    return [model_inputs(space, samples, finder(samples, seed=seed)) for seed in seeds]


def measure_transfer(
    file: Path,
    form: str,
    dataset: Dataset,
    *,
    known: Known,
    own: list[Mapping[str, Array]],
    by: Reach,
) -> tuple[FileRobustness, Array, Array]:
    """Return the metrics of a file, which are robust (n,), and predicted classes (A, n).

    Args:
        file: the .tflite file.
        form: its format.
        dataset: of classes.
        known: of the reference.
        own: what fools the float model that the file is made from, where that is another.
        by: what the attacker may do.
    """
    asked = [*known.inputs, *own]
    inputs = {name: np.concatenate([x[name] for x in asked]) for name in asked[0]}
    outputs = only(run_file(file, dataset.preprocess, inputs, prepared=True).outputs)
    count = len(known.labels)
    answers = outputs.argmax(axis=1).reshape(len(asked), count)
    held = list(answers == known.labels)
    masks, robust = under_transfer(held, len(known.inputs)), survivors(held[0], held)
    row = row_of(form, masks, known.robust).model_copy(
        update={
            "robust_drop": float(known.robust.mean() - robust.mean()),
            "robust_drop_ci95": paired_drop(known.robust, robust, fold_seed(by.seed, "bootstrap")),
            "straight_through": StraightThrough(skipped=NO_TWIN, is_white_box=False),
            "square": SquareAttack(samples=0, mean_queries=None),
            "classes": measure_classes(
                held[0], robust, known.labels, names=dataset.class_names or ()
            ),
        }
    )
    return row, robust, answers


def _counted(by: Reach) -> range:
    return range(by.restarts)


def _opened(model: Path, dataset: Dataset, positions: Array, by: Reach) -> tuple[Any, ...]:
    """Return what can be moved, the samples, who is right with points in place, and the search."""
    from pipeline.harden.robustness import finder_in
    from pipeline.harden.space_fit import space_of
    from pipeline.harden.space_search import outputs_of, samples_of
    from pipeline.models.save import load_keras

    net = load_keras(model)
    norm = by.settings["norm"]
    space = space_of(dataset, by.settings, net, where="audit", norm=norm)
    samples = samples_of(dataset, space, positions)
    finders: dict[int, Any] = {}

    def right(points: Array) -> Array:
        found = outputs_of(net, space, samples, x=points).argmax(axis=1)
        return np.asarray(found == samples.labels)

    def find(steps: int) -> Any:
        finders[steps] = finders.get(steps) or finder_in(net, space, steps=steps)
        return finders[steps]

    return space, samples, right, find


def _huge(dataset: Dataset, space: Any, by: Reach) -> float | None:
    """Return the share of epsilon at which everybody is fooled; None where something stays."""
    if by.settings["tokens"] or space.is_masked:
        return None
    is_unit = all(KINDS[entry.kind].has_fixed_range for entry in dataset.preprocess.inputs)
    return WHOLE / float(by.settings["epsilon"]) if is_unit else FAR


def _more(
    first: float, by: Reach, at: Callable[..., float], huge: float | None
) -> tuple[list[CurvePoint], dict[str, float]]:
    """Return the curve of accuracy by epsilon, and what the checks look at beside it.

    Nothing of texts, whose words cannot move by a share.

    Args:
        first: accuracy under one restart.
        by: what the attacker may do.
        at: (share of epsilon, purpose, steps) -> accuracy under one restart.
        huge: share at which everybody is fooled; None: something stays as it is.
    """
    if by.settings["tokens"]:
        return [], {"at": first}
    shares = {part: first if part == 1 else at(part, "curve") for part in CURVE}
    fewer = at(1.0, "fewer", by.steps // FEWER)
    found = {"at": first, "fewer": fewer, "twice": shares[2.0]}
    if huge is not None:
        found["unbounded"] = at(huge, "huge")
    epsilon = by.settings["epsilon"]
    return [_curve_point(part * epsilon, accuracy) for part, accuracy in shares.items()], found


def _curve_point(epsilon: float, accuracy: float) -> CurvePoint:
    return CurvePoint(epsilon=epsilon, reference_accuracy=accuracy, shipped_accuracy=None)
