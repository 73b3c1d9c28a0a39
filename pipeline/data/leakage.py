"""What gives the target away: columns that alone predict it, groups and copies on both sides."""

import re
from collections.abc import Callable, Mapping, Sequence
from math import sqrt

import numpy as np

from pipeline.arrays import Array
from pipeline.data.findings import some
from pipeline.data.memmap_arrays import take_rows
from pipeline.data.samples import Finding
from pipeline.documents.preprocess import CategoryColumn, CodesEntry, ColumnsEntry, Entry

Read = Callable[[Array], Mapping[str, Array]]
MOST = 20_000  # samples that a column is judged by
CELLS = 10_000_000  # of all columns together
LEAST = 30  # samples outside train below which nothing is judged
ALONE = 0.97  # of what guessing gets wrong, a column gets right
SURELY = 0.8  # the same at the lower end of the interval
FEW_ERRORS = 5  # on train that a column may make whatever its size
RATIO = 0.1  # five times what a column of R^2 EXPLAINED has
BLOCK = 2_000_000  # cells that are sorted at once
LEAVES = 64  # steps by which a regression value is predicted
CLASSES = 20  # leaves at most for as many classes
EXPLAINED = 0.98  # R^2 of a column that alone predicts a regression value
COPY = re.compile(
    r"([^/]+)\.rf\.[0-9a-f]{6,}|([^/]+?)[_\-](aug|augmented|flip|rot|copy)[_\-]?\w*\."
)
COPY_PATTERNS = {1: r"([^/]+)\.rf\.", 2: r"([^/]+?)[_\-](?:aug|augmented|flip|rot|copy)"}
NAMES = 200_000  # that are looked at


def predicting_columns(
    read: Read,
    entries: Sequence[Entry],
    labels: Array,
    *,
    parts: Mapping[str, Array],
    has_classes: bool,
) -> list[Finding]:
    """Return a finding for each column that alone predicts the target.

    A tree of as many leaves as there are classes (one stump, for two) is fitted on train for each
    column of numbers, the most frequent class of each category otherwise; validation and test say
    how often it is right.

    Args:
        read: indices (n,) -> input -> raw samples (n, columns).
        entries: of preprocess.json; those without named columns are passed over.
        labels: class ids or regression values (N,).
        parts: split -> indices.
        has_classes: whether labels are class ids.
    """
    tables = [entry for entry in entries if isinstance(entry, ColumnsEntry | CodesEntry)]
    width = sum(len(entry.columns) for entry in tables)
    if not tables:
        return []
    most = min(MOST, CELLS // width)
    train = parts["train"][:most]
    tested = np.concatenate([parts["validation"][:most], parts["test"][:most]])
    y_train, y_tested = take_rows(labels, train), take_rows(labels, tested)
    if len(tested) < LEAST or len(np.unique(y_train)) < 2:
        return []
    seen, unseen = read(train), read(tested)
    found = []
    for entry in tables:
        may_predict = _candidates(seen[entry.name], y_train, has_classes=has_classes)
        for i, column in enumerate(entry.columns):
            if not (may_predict[i] or isinstance(column, CategoryColumn)):
                continue
            x = (seen[entry.name][:, i], unseen[entry.name][:, i])
            is_category = isinstance(column, CategoryColumn)
            judge = _alone if has_classes else _explains
            share = judge(x, y_train, y_tested, is_category=is_category)
            found += [] if share is None else [_finding(column.name, share)]
    return found


def _candidates(values: Array, y: Array, *, has_classes: bool) -> Array:
    """Tell of each column of numbers whether a tree on it may predict the target, (C,) bool.

    Along the sorted column, the class changes at most once for each leaf beyond the first and twice
    for each error; a regression value moves by little (von Neumann's ratio, 1941).

    Args:
        values: (n, C) of train, NaN where unknown.
        y: class ids or regression values (n,).
        has_classes: whether they are class ids.
    """
    count, width = values.shape
    found = np.zeros(width, bool)
    spread = 2 * float(((y - y.mean()) ** 2).sum())
    classes = np.unique(y, return_counts=True)[1]
    errors = 2 * (1 - ALONE) * (count - int(classes.max())) + FEW_ERRORS
    step = max(1, BLOCK // count)
    for start in range(0, width, step):
        along = y[np.argsort(values[:, start : start + step], axis=0, kind="stable")]
        steps = np.diff(along, axis=0)
        if has_classes:
            changes = np.count_nonzero(steps, axis=0)
            found[start : start + step] = changes <= len(classes) + 2 * errors
        else:
            ratio = (steps.astype(np.float64) ** 2).sum(axis=0) / spread
            found[start : start + step] = ratio <= RATIO
    return found


def _finding(name: str, share: str) -> Finding:
    text = (
        f"Column {name} alone predicts the target: {share}. It may hold it, or be known only "
        "afterwards; where the device cannot know it, leave it out (data.source.drop)."
    )
    return Finding("warning", "column_predicts_target", text, 1)


def _alone(
    x: tuple[Array, Array], y_train: Array, y_tested: Array, *, is_category: bool
) -> str | None:
    """Return how often one column predicts the class, in words; None: not nearly always."""
    predicted = _by_category(*x, y_train) if is_category else _by_tree(*x, y_train)
    count = len(y_tested)
    right = int((predicted == y_tested).sum())
    usual = np.bincount(y_tested.astype(np.int64)).max() / count
    low, high = _wilson(right, count)
    if usual == 1 or right / count - usual < ALONE * (1 - usual):
        return None
    if low - usual < SURELY * (1 - usual):
        return None
    return (
        f"{right / count:.1%} of {count:,} samples outside train are right (95 % interval "
        f"{low:.1%} to {high:.1%}; the most frequent class: {usual:.1%})"
    )


def _by_tree(train: Array, tested: Array, y: Array) -> Array:
    """Return the class (m,) of a tree on one column of numbers; NaN goes where it does best."""
    from sklearn.tree import DecisionTreeClassifier

    leaves = max(2, min(CLASSES, len(np.unique(y))))
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0)
    return np.asarray(tree.fit(train[:, None], y).predict(tested[:, None]))


def _by_category(train: Array, tested: Array, y: Array) -> Array:
    """Return the most frequent class (m,) of each category; of a new one, that of all."""
    y = y.astype(np.int64)
    own, codes = np.unique(np.nan_to_num(train, nan=-1.0), return_inverse=True)
    counts = np.zeros((len(own), int(y.max()) + 1), np.int64)
    np.add.at(counts, (codes, y), 1)
    best = np.append(counts.argmax(axis=1), np.bincount(y).argmax())
    values = np.nan_to_num(tested, nan=-1.0)
    at = np.searchsorted(own, values)
    is_known = (at < len(own)) & (own[np.minimum(at, len(own) - 1)] == values)
    return np.asarray(best[np.where(is_known, at, len(own))])


def _explains(
    x: tuple[Array, Array], y_train: Array, y_tested: Array, *, is_category: bool
) -> str | None:
    """Return how well one column predicts a regression value, in words; None: not nearly."""
    from sklearn.tree import DecisionTreeRegressor

    tree = DecisionTreeRegressor(max_leaf_nodes=LEAVES, random_state=0)
    predicted = tree.fit(x[0][:, None], y_train).predict(x[1][:, None])
    spread = float(((y_tested - y_tested.mean()) ** 2).sum())
    r2 = 1 - float(((predicted - y_tested) ** 2).sum()) / spread if spread else 0.0
    return None if r2 < EXPLAINED else f"R2 {r2:.3f} on {len(y_tested):,} samples outside train"


def _wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a rate (Wilson 1927)."""
    rate, square = right / count, z * z / count
    middle = (rate + square / 2) / (1 + square)
    half = z * sqrt(rate * (1 - rate) / count + square / (4 * count)) / (1 + square)
    return middle - half, middle + half


def shared_groups(groups: Array | None, parts: Mapping[str, Array]) -> list[Finding]:
    """Report groups (speakers, patients, machines) that stand in train and in another part.

    Args:
        groups: of each sample (N,); None: nothing says them.
        parts: split -> indices.
    """
    if groups is None:
        return []
    own = {part: set(map(str, np.unique(take_rows(groups, parts[part])))) for part in PARTS}
    found = []
    for part in PARTS[1:]:
        shared = sorted(own["train"] & own[part])
        if shared:
            text = (
                f"{len(shared)} of {len(own[part])} groups of {part} are in train, too "
                f"({some(shared)}): metrics on {part} do not say how it does on new ones. "
                "data.split.by: group keeps each in one part."
            )
            found.append(Finding("warning", f"groups_in_train_and_{part}", text, len(shared)))
    return found


PARTS = ("train", "validation", "test")


def augmented_copies(ids: Array, parts: Mapping[str, Array]) -> list[Finding]:
    """Report augmented copies of one original, by their names, in train and in another part.

    Args:
        ids: names of the samples (N,).
        parts: split -> indices.
    """
    originals: dict[str, set[tuple[int, str]]] = {}
    for part in PARTS:
        names = (str(name) for name in take_rows(ids, parts[part][:NAMES]))
        originals[part] = {own for name in names if (own := _original(name)) is not None}
    found = []
    for part in PARTS[1:]:
        shared = originals["train"] & originals[part]
        if shared:
            pattern = COPY_PATTERNS[min(shared)[0]]
            text = (
                f"{len(shared)} originals have augmented copies in train and in {part}, such as "
                f"{min(shared)[1]}: metrics on {part} flatter the model. Set data.split.by: group "
                f"and data.split.pattern: '{pattern}'."
            )
            found.append(Finding("warning", f"augmented_copies_in_{part}", text, len(shared)))
    return found


def _original(name: str) -> tuple[int, str] | None:
    """Return which pattern a copy's name has, and the name of its original."""
    match = COPY.search(name)
    if match is None:
        return None
    kind = 1 if match[1] is not None else 2
    return kind, match[kind]
