"""Membership inference: which samples are training samples, by the outputs alone. Pure NumPy.

What counts is the true positive rate at a low false positive rate (Carlini et al. 2022,
"Membership inference attacks from first principles", arXiv:2112.03570): an attack may identify
a few members with certainty and have an AUC near 0.5, so AUC is reported and not judged.

Legend: N samples, K classes, S shadow models.
"""

from typing import Literal

import numpy as np

from pipeline.arrays import Array
from pipeline.documents.privacy import MembershipAttack, OperatingPoint, RocPoint
from pipeline.tasks.intervals import wilson
from pipeline.tasks.metrics import area_under_roc

RATES = (0.01, 0.001)  # false positive rates
FLOOR = 1e-6  # smallest probability: below it 1 - p is 1 in float32
STEP = 1 / 512  # the same of 8-bit outputs: half a step
POINTS = 41  # of the curve: ten a decade
LOWEST = -4.0  # of the curve, as a power of ten
PER_CLASS = 5  # nonmembers of a class behind its level, at least
OWN_DEVIATION = 64  # shadow models from which on each sample has its own deviation (section 6)
ONLINE = 16  # shadow models from which on the scores of members are modeled, too


def confidence(outputs: Array, labels: Array, floor: float) -> Array:
    """Return the logit of each true class (N,): log p - log(1 - p), section 4.1 of Carlini.

    Ordered by it, samples stand as by their loss (Yeom et al. 2018, arXiv:1709.01604), and it is
    near enough to a normal distribution.

    Args:
        outputs: probabilities (N, K).
        labels: class ids (N,).
        floor: smallest probability that the outputs resolve.
    """
    own = outputs[np.arange(len(labels)), labels].astype(np.float64)
    others = outputs.sum(axis=1, dtype=np.float64) - own
    return np.asarray(np.log(np.maximum(own, floor)) - np.log(np.maximum(others, floor)))


def by_class(members: Array, others: Array, labels: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the scores of members and others, each less the usual one of its class.

    Classes differ in how hard they are, and a threshold of its own for each tells more (Song and
    Mittal 2021, arXiv:2003.10595, section 3.2). The usual score is the median of those who are not
    members. Each half is measured by the other half's, so that nobody is measured by himself.

    Args:
        members: scores (n,), in random order.
        others: scores (m,), in random order.
        labels: class ids of both.
    """
    levelled = members.astype(np.float64), others.astype(np.float64)
    for half in (0, 1):
        known, of = others[1 - half :: 2], labels[1][1 - half :: 2]
        usual = float(np.median(known))
        for label in np.union1d(*labels):
            own = known[of == label]
            level = float(np.median(own)) if len(own) >= PER_CLASS else usual
            for scores, ids in zip(levelled, labels, strict=True):
                scores[half::2][ids[half::2] == label] -= level
    return levelled


def roc(members: Array, others: Array) -> tuple[Array, Array]:
    """Return the false and true positive rates of scores (n,) and (m,) at every threshold.

    The strictest is first: both rates go from 0 to 1; equal scores share every threshold.
    """
    levels = np.unique(np.concatenate([members, others]))[::-1]
    rates = [
        1 - np.searchsorted(np.sort(scores), levels, side="left") / len(scores)
        for scores in (others, members)
    ]
    return np.concatenate([[0.0], rates[0]]), np.concatenate([[0.0], rates[1]])


def true_positive_rate(members: Array, others: Array, rate: float) -> float:
    """Return the largest true positive rate of scores (n,), (m,) at a false one of `rate`."""
    false, true = roc(members, others)
    return float(true[false <= rate + 1e-12].max())


def membership_metrics(members: Array, others: Array) -> MembershipAttack:
    """Return AUC, the true positive rate at each of RATES, and the ROC curve.

    Args:
        members: scores of the training samples (n,): the larger, the more likely learned.
        others: scores of samples that were not learned (m,).
    """
    labels = np.repeat([1, 0], [len(members), len(others)])
    false, true = roc(members, others)
    wanted = np.logspace(LOWEST, 0, POINTS)
    wanted = wanted[wanted >= 1 / len(others)]  # no rate between none and one of them
    indices = np.searchsorted(false, wanted + 1e-12, side="right") - 1
    return MembershipAttack(
        auc=area_under_roc(labels, np.concatenate([members, others])),
        operating_points=tuple(_at(members, others, rate) for rate in RATES),
        roc=tuple(
            RocPoint(fpr=float(f), tpr=float(true[i])) for f, i in zip(wanted, indices, strict=True)
        ),
    )


def _at(members: Array, others: Array, rate: float) -> OperatingPoint:
    """Return the true positive rate at a false positive rate.

    It is significant where the lower end of its interval lies above the upper end of that of the
    false positive rate: both are measured on a sample.
    """
    needed = int(np.ceil(1 / rate))
    if len(others) < needed:
        reason = f"a false positive rate of {rate:g} takes {needed} nonmembers, not {len(others)}"
        return OperatingPoint(fpr=rate, tpr=None, ci95=None, is_significant=None, reason=reason)
    tpr = true_positive_rate(members, others, rate)
    positive = wilson(round(tpr * len(members)), len(members))
    false_positive = wilson(int(rate * len(others)), len(others))
    is_significant = positive[0] > false_positive[1]
    return OperatingPoint(
        fpr=rate, tpr=tpr, ci95=positive, is_significant=is_significant, reason=None
    )


def halves(count: int, models: int, seed: int) -> Array:
    """Return which sample each shadow model learns (models, count), bool: half of them each.

    Of two models in a row one trains on what the other does not, so that every sample is used by
    exactly half of the models, a member as another.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    rows = []
    for _ in range(models // 2):
        learns = np.zeros(count, bool)
        learns[generator.permutation(count)[: count // 2]] = True
        rows += [learns, ~learns]
    return np.array(rows)


def likelihood_ratio(
    observed: Array, shadows: Array, is_in: Array
) -> tuple[Array, Literal["online", "offline"]]:
    """Return the log likelihood ratio of each sample's membership (N,), and the estimator.

    LiRA (Carlini 2022, algorithm 1): normal distributions of the score of models that used the
    sample and of models that did not. With fewer than ONLINE models the second alone is estimated
    (section 4.4: offline); with fewer than OWN_DEVIATION all samples share one deviation (6.2).

    Args:
        observed: scores under the attacked model (N,).
        shadows: scores under the shadow models (S, N).
        is_in: which model trained on which sample (S, N).
    """
    outside = _normal(shadows, ~is_in)
    distance = (observed - outside[0]) / outside[1]
    if len(shadows) < ONLINE:
        return distance, "offline"
    inside = _normal(shadows, is_in)
    ratio = _log_density(observed, *inside) - _log_density(observed, *outside)
    return ratio, "online"


def _normal(shadows: Array, chosen: Array) -> tuple[Array, Array]:
    """Return mean and deviation (N,) of the scores of the chosen models, for each sample."""
    count = chosen.sum(axis=0)
    mean = np.where(chosen, shadows, 0).sum(axis=0) / count
    spread = np.where(chosen, (shadows - mean) ** 2, 0).sum(axis=0) / (count - 1)
    if len(shadows) < OWN_DEVIATION:
        spread = np.full_like(mean, spread.mean())
    return mean, np.sqrt(np.maximum(spread, FLOOR))


def _log_density(values: Array, mean: Array, deviation: Array) -> Array:
    return np.asarray(-np.log(deviation) - ((values - mean) / deviation) ** 2 / 2)
