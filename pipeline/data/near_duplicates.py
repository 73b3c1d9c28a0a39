"""Which samples are nearly the same, which labels look wrong, whether parts differ. Pure NumPy.

Every sample becomes a sketch: its model input, projected onto a few random directions, which keep
distances (Johnson and Lindenstrauss 1984). Sets above the limits below are looked at in part.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from pipeline.arrays import Array
from pipeline.data.findings import SHOWN, some
from pipeline.data.memmap_arrays import scratch
from pipeline.data.samples import Finding
from pipeline.documents.preprocess import Entry
from pipeline.ondevice.prepare import prepare_input
from pipeline.samples import KINDS

DIRECTIONS = 32
MOST = {"train": 20_000, "validation": 5_000, "test": 5_000}  # samples of a part
READ = 1 << 20  # bytes of raw samples at once
BLOCK = 8  # samples that are compared at once with all of train
MANY = 0.05  # fraction of a part that are near duplicates, from which on it is a warning
NEIGHBORS = 10  # that must all be of one other class before a label is doubted
DOUBTED = 5_000  # training samples whose neighbors are looked up
KS_SHIFT = 0.1  # distance between distributions that matters, where it is no chance
KS_CHANCE = 2.5  # times sqrt((n + m) / (n m)): one in 10,000 parts of the same set is further

Read = Callable[[Array], Mapping[str, Array]]


def sketches(read: Read, entries: Sequence[Entry], parts: Mapping[str, Array]) -> dict[str, Array]:
    """Return part -> sketches (n, DIRECTIONS) float32 of its first samples.

    Args:
        read: positions -> name -> raw samples.
        entries: of preprocess.json.
        parts: positions of each part, in random order.
    """
    generator = np.random.Generator(np.random.Philox(0))
    tables = [_directions(entry, generator) for entry in entries]
    first = read(parts["train"][:1])
    sample_bytes = 4 * sum(values.size for values in first.values())
    found = {}
    for part, most in MOST.items():
        rows = scratch((min(most, len(parts[part])), DIRECTIONS), np.float32)
        step = max(1, min(1024, READ // sample_bytes))
        for start in range(0, min(most, len(parts[part])), step):
            raw = read(parts[part][start : min(most, start + step)])
            pairs = zip(entries, tables, strict=True)
            own = sum(_sketch(prepare_input(raw[e.name], e), e, t) for e, t in pairs)
            rows[start : start + step] = own
        found[part] = rows
    return found


def _directions(entry: Entry, generator: np.random.Generator) -> Array:
    """Return random directions: for each value of an input, or for each word or category."""
    size = getattr(entry, "vocabulary_size", None) or int(np.prod(entry.shape))
    return generator.standard_normal((size, DIRECTIONS), dtype=np.float32) / np.float32(
        np.sqrt(DIRECTIONS)
    )


def _sketch(x: Array, entry: Entry, table: Array) -> Array:
    kind = KINDS[entry.kind]
    if not kind.is_embedded:
        return np.asarray(x.reshape(len(x), -1) @ table, np.float32)
    is_there = np.ones(x.shape, bool) if kind.padding_id is None else x != kind.padding_id
    return np.stack([table[row[there]].sum(axis=0) for row, there in zip(x, is_there, strict=True)])


def near_copies(
    found: Mapping[str, Array],
    kind: str,
    copies: Mapping[str, Array],
    *,
    is_by_time: bool = False,
) -> list[Finding]:
    """Report validation and test samples that are near duplicates of one in train.

    Args:
        found: split -> sketches (n, DIRECTIONS).
        kind: of the first input.
        copies: split -> whether each sample is an exact duplicate (n,); reported elsewhere.
        is_by_time: whether each series has a stretch in every split: such windows are alike.
    """
    train = found["train"]
    near = KINDS[kind].near_duplicate_distance
    if near is None or len(train) < 2:
        return []
    usual = 2 * float(train[:2000].var(axis=0, dtype=np.float64).sum())
    squares = np.einsum("ij,ij->i", train, train)
    findings = []
    for part in ("validation", "test"):
        held = found[part]
        nearest = np.empty(len(held), np.float32)
        for start in range(0, len(held), BLOCK):
            block = held[start : start + BLOCK]
            distance = squares - 2 * (block @ train.T) + (block**2).sum(axis=1)[:, None]
            nearest[start : start + BLOCK] = distance.min(axis=1)
        is_near = (nearest <= near**2 * usual) & ~copies[part][: len(held)]
        count = int(is_near.sum())
        if count:
            text = (
                f"{count} of {len(held)} samples of {part} are nearly the same as one in train: "
                f"figures on {part} may flatter the model. If they come from one recording, person "
                "or place, say so (data.split.pattern, by: group)."
            )
            is_much = count >= MANY * len(held) and not is_by_time
            level: Literal["info", "warning"] = "warning" if is_much else "info"
            findings.append(Finding(level, f"near_copies_in_{part}", text, count))
    return findings


def doubtful_labels(
    found: Mapping[str, Array], labels: Array, ids: Array, *, names: Sequence[str]
) -> list[Finding]:
    """Report training samples whose nearest neighbors all have one other label (Wilson 1972).

    Args:
        found: split -> sketches (n, DIRECTIONS).
        labels: (n,), classes of the training samples, in the order of their sketches.
        ids: (n,), their names.
        names: of the classes.
    """
    train = found["train"][:DOUBTED]
    labels = labels[: len(train)]
    if len(train) <= 2 * NEIGHBORS:
        return []
    squares = np.einsum("ij,ij->i", train, train)
    doubted = []
    for start in range(0, len(train), BLOCK):
        block = train[start : start + BLOCK]
        distance = squares - 2 * (block @ train.T)
        distance[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        nearest = labels[np.argpartition(distance, NEIGHBORS, axis=1)[:, :NEIGHBORS]]
        own = labels[start : start + BLOCK]
        is_doubted = (nearest == nearest[:, :1]).all(axis=1) & (nearest[:, 0] != own)
        doubted += [(start + i, int(nearest[i, 0])) for i in np.flatnonzero(is_doubted)]
    if not doubted:
        return []
    shown = [f"{ids[i]} ({names[labels[i]]}, not {names[k]}?)" for i, k in doubted[:SHOWN]]
    text = (
        f"{len(doubted)} of {len(train)} training samples lie among samples of one other class: "
        f"look at their labels: {some(shown, len(doubted))}."
    )
    return [Finding("info", "doubtful_labels", text, len(doubted))]


def drift(named: Mapping[str, tuple[Array, Array]], found: Mapping[str, Array]) -> list[Finding]:
    """Report what is distributed differently in test and in train (Kolmogorov and Smirnov).

    Args:
        named: column -> known values in train and in test, (n,) each; empty: unnamed columns.
        found: split -> sketches (n, DIRECTIONS), compared where columns are unnamed.
    """
    if named:
        shifted = {name: _ks(*pair) for name, pair in named.items()}
        names = [f"{name} ({d:.2f})" for name, d in shifted.items() if d]
        what = f"{len(names)} columns are" if len(names) > 1 else "A column is"
        text = f"{what} distributed otherwise in test than in train: {some(names)}."
        return [Finding("warning", "drift", text, len(names))] if names else []
    pairs = zip(found["train"].T, found["test"].T, strict=True)
    worst = max((_ks(a, b) for a, b in pairs), default=0.0)
    if not worst:
        return []
    text = (
        f"The inputs of test are distributed otherwise than those of train (distance {worst:.2f}): "
        "metrics say how the model does on other data than it learned from."
    )
    return [Finding("warning", "drift", text, len(found["test"]))]


def _ks(train: Array, test: Array) -> float:
    """Return the largest distance of the distributions; zero where it is small, or by chance."""
    n, m = len(train), len(test)
    if min(n, m) < 2:
        return 0.0
    both = np.concatenate([train, test])
    below = np.searchsorted(np.sort(train), both, side="right") / n
    other = np.searchsorted(np.sort(test), both, side="right") / m
    distance = float(np.abs(below - other).max())
    return distance if distance > max(KS_SHIFT, KS_CHANCE * np.sqrt((n + m) / (n * m))) else 0.0
