"""When to answer, and when to leave it to a person: by a promise that holds on new samples.

Temperature scaling (Guo et al. 2017, arXiv:1706.04599, section 4.2) makes the probabilities honest;
split-conformal prediction sets (Sadinle et al. 2019, arXiv:1609.00451; Angelopoulos and Bates 2021,
arXiv:2107.07511, section 1) hold the true class but for a share alpha of samples like those of
validation. A file answers where its set is one class, and else abstains. NumPy, SciPy.

Legend: N samples, K classes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.ondevice.decide import apply_temperature, is_likely

HOTTEST = 20.0  # temperatures are looked for between this and one by it


def rule_of(alpha: float, labels: Array, outputs: Array) -> dict[str, float]:
    """Return {temperature, threshold} of a model by what it answers on validation.

    Args:
        alpha: share of samples whose class may be missed, in (0, 1).
        labels: class ids (N,).
        outputs: probabilities (N, K).
    """
    temperature = _temperature(labels, outputs)
    scaled = apply_temperature(outputs, temperature)
    of_truth = np.sort(scaled[np.arange(len(labels)), labels])
    missed = int(np.floor(alpha * (len(labels) + 1)))  # of them, the least sure
    threshold = float(of_truth[missed - 1]) if missed else 0.0
    return {"temperature": temperature, "threshold": threshold}


def _temperature(labels: Array, outputs: Array) -> float:
    """Return the temperature at which the true classes are likeliest."""
    from scipy.optimize import minimize_scalar

    smallest = outputs[outputs > 0].min() / 2  # what int8 rounds to zero is not impossible

    def unlikely(log_temperature: float) -> float:
        scaled = apply_temperature(np.maximum(outputs, smallest), float(np.exp(log_temperature)))
        return -float(np.log(scaled[np.arange(len(labels)), labels]).mean())

    ends = -np.log(HOTTEST), np.log(HOTTEST)
    found = minimize_scalar(unlikely, bounds=ends, method="bounded", options={"xatol": 1e-4})
    return float(np.exp(found.x))


def figures(labels: Array, outputs: Array, rule: Mapping[str, float]) -> dict[str, float]:
    """Return what a rule does on other samples.

    coverage: share of samples that are answered. error: share of those that are answered wrongly,
    0 where none is. error_of_all: where it always answers. kept: share whose class is in the set.
    """
    scaled = apply_temperature(outputs, rule["temperature"])
    in_set = is_likely(scaled, rule["threshold"])
    is_answered = in_set.sum(axis=1) == 1
    is_wrong = outputs.argmax(axis=1) != labels
    return {
        "coverage": float(is_answered.mean()),
        "error": float(is_wrong[is_answered].mean()) if is_answered.any() else 0.0,
        "error_of_all": float(is_wrong.mean()),
        "kept": float(in_set[np.arange(len(labels)), labels].mean()),
    }


def fit_abstention(
    alpha: float,
    validation: tuple[Array, Mapping[str, Array]],
    held: tuple[Array, Mapping[str, Array]],
) -> dict[str, Any]:
    """Return the rule of each model with its figures.

    Args:
        alpha: as for `rule_of`.
        validation: labels, and name -> outputs, that the rules are made by.
        held: labels, and name -> outputs, that they are tried on.
    """
    labels, known = validation
    rules = {name: rule_of(alpha, labels, outputs) for name, outputs in known.items()}
    rows = {name: rule | figures(held[0], held[1][name], rule) for name, rule in rules.items()}
    return {"alpha": alpha, "samples": len(labels), "models": rows}
