"""PGD on the reference: the inputs that every file is shown, and whether the attack can be trusted.

The attack needs gradients, which an integer file has not; what fools the reference is carried over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.audit.evasion import checks, survivors
from pipeline.data.dataset import Dataset
from pipeline.seeds import fold_seed

Array = np.ndarray[Any, np.dtype[Any]]

CURVE = (0.25, 0.5, 1.0, 2.0)  # shares of epsilon
HUGE = 1.0  # epsilon at which every input can be reached
SLACK = 0.02  # a share of this many samples may move by chance


@dataclass(frozen=True)
class Attack:
    """What PGD is given."""

    epsilon: float
    """Largest change of a value, as a share of the input range [0, 1]."""
    steps: int
    restarts: int
    seed: int


@dataclass(frozen=True)
class Attacked:
    """What came of an attack on the reference."""

    clean: Array
    """Model inputs (n, *shape), float32 in [0, 1]."""
    found: list[Array]
    """The inputs of each restart (n, *shape)."""
    figures: Mapping[str, float]
    """Accuracy of the reference: clean, robust, noise."""
    curve: list[dict[str, float]]
    """Accuracy at each epsilon."""
    checks: list[dict[str, Any]]
    """Of the attack itself; see `evasion.checks`."""


def attack_reference(model_file: Path, dataset: Dataset, positions: Array, by: Attack) -> Attacked:
    """Attack a `.keras` file on some samples.

    Args:
        model_file: the reference.
        dataset: has one image input.
        positions: samples (n,).
        by: how it is attacked.
    """
    from pipeline.harden.robustness import attacker, clean_inputs, right
    from pipeline.models.save import load_keras

    model = load_keras(model_file)
    x, labels, find = clean_inputs(dataset, positions), dataset.labels[positions], attacker(model)
    clean = right(model, x, labels)

    def attacked(epsilon: float, *purpose: str | int, steps: int = by.steps) -> Array:
        return find(x, labels, epsilon=epsilon, steps=steps, seed=fold_seed(by.seed, *purpose))

    def share(inputs: Array) -> float:
        return float((clean & right(model, inputs, labels)).mean())

    found = [attacked(by.epsilon, "restart", i) for i in range(by.restarts)]
    robust = float(survivors(clean, [right(model, inputs, labels) for inputs in found]).mean())
    shares = {
        part: robust if part == 1 else share(attacked(part * by.epsilon, "curve")) for part in CURVE
    }
    figures = {
        "clean": float(clean.mean()),
        "robust": robust,
        "noise": share(noisy(x, by.epsilon, fold_seed(by.seed, "noise"))),
    }
    held = {
        "robust_fewer": share(attacked(by.epsilon, "restart", 0, steps=max(1, by.steps // 5))),
        "robust_twice": shares[2.0],
        "robust_huge": share(attacked(HUGE, "huge")),
    }
    curve = [{"epsilon": part * by.epsilon, "robust": held} for part, held in shares.items()]
    start = {"epsilon": 0.0, "robust": figures["clean"]}
    return Attacked(x, found, figures, [start, *curve], checks(figures | held, SLACK))


def found_on(model_file: Path, dataset: Dataset, positions: Array, by: Attack) -> list[Array]:
    """Return the inputs of each restart (n, *shape) that PGD finds on a `.keras` file.

    Args:
        model_file: what a .tflite file is made from.
        dataset: has one image input.
        positions: samples (n,).
        by: how it is attacked.
    """
    from pipeline.harden.robustness import attacker, clean_inputs
    from pipeline.models.save import load_keras

    find, x = attacker(load_keras(model_file)), clean_inputs(dataset, positions)
    labels, reach = dataset.labels[positions], {"epsilon": by.epsilon, "steps": by.steps}
    seeds = [fold_seed(by.seed, "parent", i) for i in range(by.restarts)]
    return [find(x, labels, seed=seed, **reach) for seed in seeds]


def noisy(x_unit: Array, epsilon: float, seed: int) -> Array:
    """Return inputs with uniform noise of at most epsilon, within [0, 1]."""
    generator = np.random.Generator(np.random.Philox(seed))
    draw = np.asarray(generator.uniform(-epsilon, epsilon, x_unit.shape), np.float32)
    return np.asarray(np.clip(x_unit + draw, 0, 1))
