"""PGD on the reference: the inputs that every file is shown, and whether the attack can be trusted.

The attack needs gradients, which an integer file has not; what fools the reference is carried over.
Texts are attacked by substitution of words instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audit.evasion import checks, survivors
from pipeline.data.dataset import Dataset
from pipeline.seeds import fold_seed

Array = np.ndarray[Any, np.dtype[Any]]

CURVE = (0.25, 0.5, 1.0, 2.0)  # shares of epsilon
WHOLE = 1.0  # epsilon at which every image can be reached
FAR = 1000.0  # epsilons at which the range alone bounds everything else
SLACK = 0.02  # a share of this many samples may move by chance


@dataclass(frozen=True)
class Attack:
    """What PGD is given."""

    settings: Mapping[str, Any]
    """Of `harden.space_fit.space_of`: epsilon, and what of a sample is moved."""
    steps: int
    restarts: int
    seed: int


@dataclass(frozen=True)
class Attacked:
    """What came of an attack on the reference."""

    clean: Array
    """Points of the samples (n, ...): of an image the model input, else what was measured."""
    found: list[Array]
    """The points of each restart (n, ...)."""
    inputs: list[Mapping[str, Array]]
    """Name -> model input (n, *shape) of the clean points, then of each restart's."""
    figures: Mapping[str, float]
    """Accuracy of the reference: clean, robust, noise."""
    curve: list[dict[str, float]]
    """Accuracy at each epsilon; nothing of texts."""
    checks: list[dict[str, Any]]
    """Of the attack itself; see `evasion.checks`."""
    told: Mapping[str, Any]
    """What was moved: `reach` in words and `space`."""


def attack_reference(model_file: Path, dataset: Dataset, positions: Array, by: Attack) -> Attacked:
    """Attack a `.keras` file on some samples.

    Args:
        model_file: the reference.
        dataset: of classes.
        positions: samples (n,).
        by: how it is attacked.
    """
    from pipeline.harden import space_search
    from pipeline.harden.robustness import judge_of, right
    from pipeline.harden.space_words import reach_words, space_document

    model, space, samples = _opened(model_file, dataset, positions, by)
    find, clean = judge_of(model, space, steps=by.steps), right(model, space, samples, samples.x)

    def share(points: Array) -> float:
        return float((clean & right(model, space, samples, points)).mean())

    def attacked(size: float, purpose: str, *, weaker: bool = False) -> float:
        finder = judge_of(model, space, steps=max(1, by.steps // 5)) if weaker else find
        return share(finder(samples, seed=fold_seed(by.seed, purpose), share=size))

    found = [find(samples, seed=fold_seed(by.seed, "restart", i)) for i in range(by.restarts)]
    held = [right(model, space, samples, points) for points in found]
    figures = {
        "clean": float(clean.mean()),
        "robust": float(survivors(clean, held).mean()),
        "noise": share(space_search.noise(space, samples, by.seed)),
    }
    curve, more = _more(figures, by, attacked, _huge(dataset, space, by))
    return Attacked(
        samples.x,
        found,
        [space_search.model_inputs(space, samples, x) for x in (samples.x, *found)],
        figures,
        curve,
        checks(figures | more, SLACK),
        {"reach": reach_words(space), "space": space_document(space)},
    )


def _opened(model_file: Path, dataset: Dataset, positions: Array, by: Attack) -> tuple[Any, ...]:
    """Return the model of a `.keras` file, what can be moved, and the samples ready for it."""
    from pipeline.harden.space_fit import space_of
    from pipeline.harden.space_search import samples_of
    from pipeline.models.save import load_keras

    model = load_keras(model_file)
    space = space_of(dataset, by.settings, model, where="audit")
    return model, space, samples_of(dataset, space, positions)


def _huge(dataset: Dataset, space: Any, by: Attack) -> float | None:
    """Return the share of epsilon at which everybody is fooled; None where something stays."""
    if space.is_masked:
        return None
    kinds = {entry["kind"] for entry in dataset.preprocess["inputs"]}
    return WHOLE / float(by.settings["epsilon"]) if kinds == {"image"} else FAR


def _more(
    figures: Mapping[str, float], by: Attack, attacked: Callable[..., float], huge: float | None
) -> tuple[list[dict[str, float]], dict[str, float]]:
    """Return the curve of accuracy by epsilon, and what the checks look at beside it.

    Args:
        figures: of the attack itself.
        by: how it was made.
        attacked: (share of epsilon, purpose, weaker=) -> accuracy.
        huge: share at which everybody is fooled; None: something stays as it is, and there is none.

    Returns:
        Nothing of texts, whose words cannot move by a share.
    """
    if by.settings["tokens"]:
        return [], {}
    shares = {part: figures["robust"] if part == 1 else attacked(part, "curve") for part in CURVE}
    found = {"robust_fewer": attacked(1.0, "fewer", weaker=True), "robust_twice": shares[2.0]}
    if huge is not None:
        found["robust_huge"] = attacked(huge, "huge")
    epsilon = by.settings["epsilon"]
    curve = [{"epsilon": part * epsilon, "robust": held} for part, held in shares.items()]
    return [{"epsilon": 0.0, "robust": figures["clean"]}, *curve], found


def found_on(
    model_file: Path, dataset: Dataset, positions: Array, by: Attack
) -> list[Mapping[str, Array]]:
    """Return name -> model input (n, *shape) of each restart that PGD finds on a `.keras` file.

    Args:
        model_file: what a .tflite file is made from.
        dataset: of classes.
        positions: samples (n,).
        by: how it is attacked.
    """
    from pipeline.harden.robustness import judge_of
    from pipeline.harden.space_search import model_inputs

    model, space, samples = _opened(model_file, dataset, positions, by)
    find = judge_of(model, space, steps=by.steps)
    seeds = [fold_seed(by.seed, "parent", i) for i in range(by.restarts)]
    return [model_inputs(space, samples, find(samples, seed=seed)) for seed in seeds]
