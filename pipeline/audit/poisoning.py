"""Scan a training set for poison by the activations of the trained network. NumPy and forests.

A backdoor trains the network on a feature beside those of the class, so that the samples of the
attacked class have two clusters before the last layer. So may a class of two kinds: suspects are
for a person to review, and a backdoor in more than half of a class is not detected.

Legend: N samples, D activations before the last layer, F features of a sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from pipeline.arrays import Array
from pipeline.documents.poisoning import CleanRates, ScannedClass, Suspect
from pipeline.seeds import fold_seed

COMPONENTS = 10  # main directions of the clustering, as in Chen 2018
LEAST = 40  # samples of a class that is scanned
STARTS = 3  # directions that two means begin from: more find no better split
ROUNDS = 100  # of two means, at most; it settles within 20
WIDE = 2048  # values above which activations are projected first
NARROW = 512  # values that are left then: distances change by a few per cent
MEASURED = 300  # samples of a class that its silhouette is measured on
TREES, LEAF = 50, 2  # of the forest that classifies features
CLEAR = 0.3  # silhouette from which on two clusters are tested
ALPHA = 0.01  # significance level: of classes without clusters that are said to have two
SIGN = 0.85  # separation of a cluster from all other samples: of a trigger it is nearly 1
DRAWS = 99  # drawn classes without clusters: the fewest that resolve ALPHA
LISTED = 20  # suspicious samples
# Of networks trained on clean sets: digits (plain and hardened), Fashion-MNIST, breast cancer, SMS
# spam, and the generated machines, gestures, messages and tones, by their shipped configs.
ON_CLEAN_SETS = CleanRates(classes=42, clustered=13, alarms=0)


@dataclass(frozen=True)
class Scan:
    """The result of a scan."""

    classes: list[ScannedClass]
    """A row a class."""
    suspects: Array
    """Samples of the clusters that raised an alarm (N,), bool."""
    outlying: Array
    """Squared projection on the main direction of the class over its mean there (N,)."""


def scan(
    activations: Array, features: Array, labels: Array, *, names: Sequence[str], seed: int
) -> Scan:
    """Return the classes with two clusters, and the samples of the smaller one.

    An alarm is a class of two clusters where a single feature separates the smaller one from all
    other samples, as a trigger does: classes of two kinds are common. Activation clustering (Chen
    et al. 2018, arXiv:1811.03728): two means of the ten main directions of each class, and
    exclusionary reclassification of the smaller cluster, here by a forest on the features, not by
    the network trained again: seconds instead of hours. Spectral signatures (Tran et al. 2018,
    arXiv:1811.00636) rank the samples.

    Args:
        activations: before the last layer (N, D).
        features: of the samples, as for a classical model (N, F).
        labels: class ids (N,).
        names: of the classes, by id.
        seed: of the forest, and of the drawn classes.
    """
    suspects, outlying, classes = np.zeros(len(labels), bool), np.zeros(len(labels)), []
    for label, name in enumerate(names):
        own = np.flatnonzero(labels == label)
        if len(own) < LEAST:
            reason = f"fewer than {LEAST} samples"
            classes.append(ScannedClass(name=name, samples=len(own), reason=reason))
            continue
        rows = principal(activations[own], fold_seed(seed, "project"))
        inside, outlying[own] = two_means(rows), spectral(rows)
        classes.append(_judge_class(name, rows, inside, fold_seed(seed, "null", label)))
        suspects[own[inside]] = classes[-1].is_clustered
    clustered = suspects.copy()
    if clustered.any():
        again = _reclassify(features, labels, clustered, fold_seed(seed, "forest"))
        for label, row in enumerate(classes):
            if row.is_clustered:
                inside = clustered & (labels == label)
                separation = separate(features, inside)
                measured = {
                    "relabel_rate": float(again[inside].mean()),
                    "separation": separation,
                    "is_alarm": separation >= SIGN,
                }
                classes[label] = row.model_copy(update=measured)
                suspects[inside] = separation >= SIGN
    return Scan(classes, suspects, outlying)


def _judge_class(name: str, rows: Array, inside: Array, seed: int) -> ScannedClass:
    """Return how clearly a class has two clusters, and whether that is beyond chance."""
    some = np.unique(np.linspace(0, len(rows) - 1, MEASURED).astype(int))
    clear = silhouette(rows[some], two_means(rows[some]))
    p = p_value_of(rows[some], clear, seed) if clear >= CLEAR else None
    return ScannedClass(
        name=name,
        samples=len(rows),
        cluster_fraction=float(inside.mean()),
        silhouette=clear,
        p_value=p,
        is_clustered=p is not None and p <= ALPHA,
    )


def _reclassify(features: Array, labels: Array, left_out: Array, seed: int) -> Array:
    """Return which samples (N,) get their label by a forest that is trained without some."""
    forest = RandomForestClassifier(TREES, min_samples_leaf=LEAF, random_state=seed)
    forest.fit(features[~left_out], labels[~left_out])
    is_same = np.ones(len(labels), bool)
    if left_out.any():
        is_same[left_out] = forest.predict(features[left_out]) == labels[left_out]
    return is_same


def separate(features: Array, inside: Array) -> float:
    """Return how well the best single feature separates a cluster from all others, 0 to 1.

    The largest Kolmogorov-Smirnov distance of one feature: at 1 the whole cluster and no other
    sample is beyond a threshold, as with a trigger.

    Args:
        features: of the samples (N, F).
        inside: which samples are in the cluster (N,), bool.
    """
    steps = np.where(inside, 1 / inside.sum(), -1 / (~inside).sum())
    largest = 0.0
    for column in features.T:
        order = np.argsort(column, kind="stable")
        ends = np.append(np.diff(column[order]) > 0, True)
        largest = max(largest, float(np.abs(np.cumsum(steps[order])[ends]).max()))
    return largest


def p_value_of(rows: Array, clustered: float, seed: int) -> float:
    """Return how often a class without clusters has as large a silhouette: a p value.

    Such a class is normally distributed with the variances of this one, and as large. Of those the
    fraction with p <= ALPHA is ALPHA at most: of few samples the largest variances come out too
    large, and clusters with them. Real classes may have clusters of their own.

    Args:
        rows: a class along its main directions (n, COMPONENTS).
        clustered: its silhouette.
        seed: of the draws.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    deviations = rows.std(axis=0)
    as_clear = 0
    for _ in range(DRAWS):
        drawn = generator.standard_normal(rows.shape) * deviations
        as_clear += silhouette(drawn, two_means(drawn)) >= clustered
    return (1 + as_clear) / (1 + DRAWS)


def spectral(rows: Array) -> Array:
    """Return the squared projection on the main direction over its mean (n,): algorithm 1 of Tran.

    Args:
        rows: a class along its main directions, the largest first.
    """
    squares = rows[:, 0] ** 2
    return np.asarray(squares / max(float(squares.mean()), 1e-12))


def principal(rows: Array, seed: int) -> Array:
    """Return centered rows (n, D) along their main directions, the largest first: (n, COMPONENTS).

    Signs are such that the largest value is positive.
    """
    if rows.shape[1] > WIDE:
        generator = np.random.Generator(np.random.Philox(seed))
        rows = rows @ generator.standard_normal((rows.shape[1], NARROW), np.float32)
    centered = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    count = min(COMPONENTS, *centered.shape)
    _, directions = np.linalg.eigh(centered.T @ centered)
    along = centered @ directions[:, ::-1][:, :count]
    signs = np.sign(along[np.abs(along).argmax(axis=0), np.arange(count)])
    return np.asarray(along * np.where(signs == 0, 1, signs))


def two_means(rows: Array) -> Array:
    """Return which of two clusters (N,), bool, each row is in; True is the smaller one.

    Lloyd 1982 (doi:10.1109/TIT.1982.1056489) from the halves of the first directions and from their
    tenths at either end; the split with the smallest inertia counts. Nothing is drawn.
    """
    rows = rows - rows.mean(axis=0)
    best, least = np.zeros(len(rows), bool), np.inf
    for direction in rows.T[:STARTS]:
        low, middle, high = np.quantile(direction, [0.1, 0.5, 0.9])
        for start in (direction > middle, direction > high, direction < low):
            inside, inertia = _lloyd(rows, start)
            if inertia < least:
                best, least = inside, inertia
    return best if best.mean() <= 0.5 else ~best


def _lloyd(rows: Array, inside: Array) -> tuple[Array, float]:
    """Return the clusters that a start leads to, and their inertia less that of all rows as one.

    Rows are centered; the line between the two means decides which one is nearer.
    """
    for _ in range(ROUNDS):
        count = int(inside.sum())
        if count in (0, len(rows)):
            return inside, np.inf
        total = inside @ rows
        mean, other = total / count, -total / (len(rows) - count)
        moved = rows @ (mean - other) > (mean @ mean - other @ other) / 2
        if (moved == inside).all():
            break
        inside = moved
    return inside, -float(count * (mean @ mean) + (len(rows) - count) * (other @ other))


def silhouette(rows: Array, inside: Array) -> float:
    """Return the mean silhouette of two clusters (N,), -1 to 1 (Rousseeuw 1987)."""
    sizes = np.array([(~inside).sum(), inside.sum()])
    if sizes.min() < 2:
        return 0.0
    squares = (rows**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0))
    np.fill_diagonal(distances, 0)
    own = np.where(inside, distances @ inside, distances @ ~inside)
    other = np.where(inside, distances @ ~inside, distances @ inside)
    within = own / (sizes[inside.astype(int)] - 1)
    beyond = other / sizes[1 - inside.astype(int)]
    return float(((beyond - within) / np.maximum(np.maximum(within, beyond), 1e-12)).mean())


def list_suspects(
    result: Scan, ids: Array, names: Sequence[str], *, labels: Array
) -> list[Suspect]:
    """Return the most suspicious samples: those of an alarm first, then what lies farthest out.

    Args:
        result: of the scan.
        ids: names of the samples (N,).
        names: of the classes.
        labels: class ids (N,).
    """
    order = np.lexsort((np.arange(len(ids)), -result.outlying, ~result.suspects))[:LISTED]
    return [
        Suspect(
            id=str(ids[i]),
            label=names[labels[i]],
            spectral_score=float(result.outlying[i]),
            is_in_cluster=bool(result.suspects[i]),
        )
        for i in order
    ]
