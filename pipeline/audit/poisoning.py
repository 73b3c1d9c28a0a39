"""Scan a training set for poison by what the trained network makes of it. Pure NumPy and forests.

A backdoor teaches the network a sign of its own beside those of the class, so that the samples of
the attacked class fall into two groups just before the decision. So may a class of two kinds: what
is found is for a person to look at, and a backdoor in more than half of a class is not found.

Legend: N samples, D values before the last layer, F values of what a sample looks like.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from pipeline.arrays import Array
from pipeline.documents.poisoning import CleanRates, ScannedClass, Suspect
from pipeline.seeds import fold_seed

COMPONENTS = 10  # that clusters are looked for in, as in Chen 2018
LEAST = 40  # samples of a class that is looked at
STARTS = 3  # directions that two means begin from: more find no better split
ROUNDS = 100  # of two means, at most; it settles within 20
WIDE = 2048  # values above which activations are projected first
NARROW = 512  # values that are left then: distances change by a few per cent
MEASURED = 300  # samples of a class that its silhouette is measured on
TREES, LEAF = 50, 2  # of the forest that learns what classes look like
CLEAR = 0.3  # silhouette from which on two groups are worth a look
ALPHA = 0.01  # of classes without groups, that are said to have two
SIGN = 0.85  # of a sign that tells a group from all other samples: a trigger is 1, or nearly
DRAWS = 99  # classes without groups that a class is compared with: the least that tell ALPHA
TOLD = 20  # suspicious samples that are named
# Of networks trained on clean sets: digits (plain and hardened), Fashion-MNIST, breast cancer, SMS
# spam, and the generated machines, gestures, messages and tones, by their shipped configs.
ON_CLEAN_SETS = CleanRates(classes=42, clustered=13, alarms=0)


@dataclass(frozen=True)
class Scan:
    """What a scan found."""

    classes: list[ScannedClass]
    """A row a class."""
    suspects: Array
    """Samples of the clusters that raised an alarm (N,), bool."""
    outlying: Array
    """Squared projection on the main direction of the class over its mean there (N,)."""


def scan(seen: Array, looks: Array, labels: Array, *, names: Sequence[str], seed: int) -> Scan:
    """Return the classes that fall into two groups, and the samples of the smaller one.

    An alarm is a class of two groups of which one value alone tells the smaller one from all other
    samples, as it does where all of them carry a trigger: classes of two kinds are common.
    Activation clustering (Chen et al. 2018, arXiv:1811.03728): two means of the ten main directions
    of each class, and exclusionary reclassification of the smaller cluster. What is left out of
    learning is told by a forest on the samples themselves, not by the network trained anew: seconds
    instead of hours. Spectral signatures (Tran et al. 2018, arXiv:1811.00636) rank the samples.

    Args:
        seen: values before the last layer (N, D).
        looks: the samples as a classical model learns them (N, F).
        labels: class ids (N,).
        names: of the classes, by id.
        seed: of the forest, and of what a class is compared with.
    """
    suspects, outlying, classes = np.zeros(len(labels), bool), np.zeros(len(labels)), []
    for label, name in enumerate(names):
        own = np.flatnonzero(labels == label)
        if len(own) < LEAST:
            reason = f"fewer than {LEAST} samples"
            classes.append(ScannedClass(name=name, samples=len(own), reason=reason))
            continue
        rows = principal(seen[own], fold_seed(seed, "project"))
        inside, outlying[own] = two_means(rows), spectral(rows)
        classes.append(_judge_class(name, rows, inside, fold_seed(seed, "null", label)))
        suspects[own[inside]] = classes[-1].is_clustered
    grouped = suspects.copy()
    if grouped.any():
        again = _relearnt(looks, labels, grouped, fold_seed(seed, "forest"))
        for label, row in enumerate(classes):
            if row.is_clustered:
                inside = grouped & (labels == label)
                separation = sign(looks, inside)
                measured = {
                    "relabel_rate": float(again[inside].mean()),
                    "separation": separation,
                    "is_alarm": separation >= SIGN,
                }
                classes[label] = row.model_copy(update=measured)
                suspects[inside] = separation >= SIGN
    return Scan(classes, suspects, outlying)


def _judge_class(name: str, rows: Array, inside: Array, seed: int) -> ScannedClass:
    """Return how clearly a class falls into two groups, and whether that is beyond chance."""
    kept = np.unique(np.linspace(0, len(rows) - 1, MEASURED).astype(int))
    clear = silhouette(rows[kept], two_means(rows[kept]))
    p = against_one_group(rows[kept], clear, seed) if clear >= CLEAR else None
    return ScannedClass(
        name=name,
        samples=len(rows),
        cluster_fraction=float(inside.mean()),
        silhouette=clear,
        p_value=p,
        is_clustered=p is not None and p <= ALPHA,
    )


def _relearnt(looks: Array, labels: Array, left_out: Array, seed: int) -> Array:
    """Return which samples (N,) a forest gives their label that did not learn those left out."""
    forest = RandomForestClassifier(TREES, min_samples_leaf=LEAF, random_state=seed)
    forest.fit(looks[~left_out], labels[~left_out])
    found = np.ones(len(labels), bool)
    if left_out.any():
        found[left_out] = forest.predict(looks[left_out]) == labels[left_out]
    return found


def sign(looks: Array, inside: Array) -> float:
    """Return how well the best single value tells a group from all other samples, 0 to 1.

    The largest distance between the two distributions of one value (Kolmogorov and Smirnov): at 1
    the whole group is beyond a threshold, and nobody else is, as with a trigger.

    Args:
        looks: the samples (N, F).
        inside: who is in the group (N,), bool.
    """
    steps = np.where(inside, 1 / inside.sum(), -1 / (~inside).sum())
    largest = 0.0
    for column in looks.T:
        order = np.argsort(column, kind="stable")
        ends = np.append(np.diff(column[order]) > 0, True)
        largest = max(largest, float(np.abs(np.cumsum(steps[order])[ends]).max()))
    return largest


def against_one_group(rows: Array, clustered: float, seed: int) -> float:
    """Return how often a class without groups is clustered as clearly: a p value.

    Such a class is normally distributed with the variances of this one, and as large. Under it the
    share of classes with p <= ALPHA is ALPHA at most: of few samples the largest variances come out
    too large, and clusters with them. Real classes may have groups of their own.

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
    """Return centred rows (n, D) along their main directions, the largest first: (n, COMPONENTS).

    Signs are such that the largest value is positive.
    """
    if rows.shape[1] > WIDE:
        generator = np.random.Generator(np.random.Philox(seed))
        rows = rows @ generator.standard_normal((rows.shape[1], NARROW), np.float32)
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    count = min(COMPONENTS, *centred.shape)
    _, directions = np.linalg.eigh(centred.T @ centred)
    found = centred @ directions[:, ::-1][:, :count]
    signs = np.sign(found[np.abs(found).argmax(axis=0), np.arange(count)])
    return np.asarray(found * np.where(signs == 0, 1, signs))


def two_means(rows: Array) -> Array:
    """Return which of two clusters (N,), bool, each row is in; True is the smaller one.

    Lloyd 1982 (doi:10.1109/TIT.1982.1056489) from the halves of the first directions and from their
    tenths at either end; the split with the least inertia counts. Nothing is drawn.
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

    Rows are centred; who is nearer to which mean is told by the line between the two.
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
    """Return the mean silhouette of two clusters, -1 to 1 (Rousseeuw 1987)."""
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


def list_suspects(found: Scan, ids: Array, names: Sequence[str], *, labels: Array) -> list[Suspect]:
    """Return the most suspicious samples: those of an alarm first, then what lies farthest out.

    Args:
        found: a scan.
        ids: names of the samples (N,).
        names: of the classes.
        labels: class ids (N,).
    """
    order = np.lexsort((np.arange(len(ids)), -found.outlying, ~found.suspects))[:TOLD]
    return [
        Suspect(
            id=str(ids[i]),
            label=names[labels[i]],
            spectral_score=float(found.outlying[i]),
            is_in_cluster=bool(found.suspects[i]),
        )
        for i in order
    ]
