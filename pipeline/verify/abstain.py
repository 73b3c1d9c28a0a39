"""Abstention (selective prediction) with a coverage guarantee on new samples.

Temperature scaling (Guo et al. 2017, arXiv:1706.04599, section 4.2) makes the probabilities honest;
split-conformal prediction sets (Sadinle et al. 2019, arXiv:1609.00451; Angelopoulos and Bates 2021,
arXiv:2107.07511, section 1) hold the true class but for a fraction alpha of samples like those of
validation. A file predicts where its set is one class, and else abstains. NumPy, SciPy.

Legend: N samples, K classes.
"""

from collections.abc import Mapping

import numpy as np

from pipeline.arrays import Array
from pipeline.documents.selective import Abstention, AbstentionResult
from pipeline.ondevice.decide import apply_temperature, is_likely

HOTTEST = 20.0  # temperatures are looked for between this and one by it


def fit_rule(alpha: float, labels: Array, outputs: Array) -> tuple[float, float]:
    """Fit temperature and threshold of a model on validation, by split conformal prediction.

    Args:
        alpha: fraction of samples whose class may be missed, in (0, 1).
        labels: (N,), class ids.
        outputs: (N, K), probabilities.

    Returns:
        The temperature, and the least probability of a class that counts as likely.
    """
    temperature = _temperature(labels, outputs)
    scaled = apply_temperature(outputs, temperature)
    of_truth = np.sort(scaled[np.arange(len(labels)), labels])
    missed = int(np.floor(alpha * (len(labels) + 1)))  # of them, the least sure
    threshold = float(of_truth[missed - 1]) if missed else 0.0
    return temperature, threshold


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


def measure_abstention(
    labels: Array, outputs: Array, *, temperature: float, threshold: float
) -> AbstentionResult:
    """Measure coverage and selective error of a rule on samples that it was not fitted on.

    Args:
        labels: (N,), class ids.
        outputs: (N, K), probabilities.
        temperature: of the rule, by `fit_rule`.
        threshold: of the rule, a probability in [0, 1].
    """
    scaled = apply_temperature(outputs, temperature)
    in_set = is_likely(scaled, threshold)
    is_answered = in_set.sum(axis=1) == 1
    is_wrong = outputs.argmax(axis=1) != labels
    return AbstentionResult(
        temperature=temperature,
        threshold=threshold,
        coverage=float(is_answered.mean()),
        selective_error=float(is_wrong[is_answered].mean()) if is_answered.any() else 0.0,
        error=float(is_wrong.mean()),
        set_coverage=float(in_set[np.arange(len(labels)), labels].mean()),
    )


def fit_abstention(
    alpha: float,
    validation: tuple[Array, Mapping[str, Array]],
    held: tuple[Array, Mapping[str, Array]],
) -> Abstention:
    """Fit the abstention rule of each model, and measure it on other samples.

    Args:
        alpha: as for `fit_rule`.
        validation: labels (V,), and name -> outputs (V, K), that the rules are fitted on.
        held: labels (N,), and name -> outputs (N, K), that they are measured on.
    """
    labels, known = validation
    rows = {}
    for name, outputs in known.items():
        temperature, threshold = fit_rule(alpha, labels, outputs)
        rows[name] = measure_abstention(
            held[0], held[1][name], temperature=temperature, threshold=threshold
        )
    return Abstention(alpha=alpha, samples=len(labels), models=rows)
