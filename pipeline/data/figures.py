"""The data that the report draws: a few samples of any kind, and their projection."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.arrays import Array
from pipeline.data.dataset import PARTS
from pipeline.data.memmap_arrays import blocks, count_ids, take_rows
from pipeline.data.shards import Shards
from pipeline.data.stratified_sampling import ranks
from pipeline.documents.preprocess import Entry
from pipeline.samples import KINDS

SHOWN = 16  # training samples
BINS = 20  # of the targets' histogram


def figures(
    shards: Mapping[str, Shards],
    entries: Sequence[Entry],
    labels: Array,
    *,
    parts: dict[str, Array],
    names: tuple[str, ...] | None,
) -> dict[str, Array]:
    """Collect the arrays of the report's charts of the data.

    Args:
        shards: name -> values of an input.
        entries: of preprocess.json.
        labels: class ids or targets (N,).
        parts: split -> indices (n,).
        names: of the classes; None for a regression.

    Returns:
        sample_labels (n,) and sample_input_<name> (n, …) of a few training samples. For classes
        class_counts (split, class); for targets target_counts (split, bin) and target_edges (bin,).
    """
    shown = parts["train"][:SHOWN]
    if names is not None:
        shown = _of_every_class(labels, parts["train"])
    found = {"sample_labels": labels[shown]}
    raw = {name: own.take(shown) for name, own in shards.items()}
    found |= kept_samples(raw, entries, "sample")
    if names is not None:
        counts = [count_ids(take_rows(labels, parts[part]), len(names)) for part in PARTS]
        return found | {"class_counts": np.array(counts, np.int64)}
    edges = np.histogram_bin_edges(np.array([labels.min(), labels.max()], np.float64), BINS)
    counts = [_histogram(labels, parts[part], edges) for part in PARTS]
    return found | {"target_counts": np.array(counts, np.int64), "target_edges": edges}


def kept_samples(raw: Mapping[str, Array], entries: Sequence[Entry], name: str) -> dict[str, Array]:
    """Return what a page needs to show raw samples: `<name>_input_<input>` -> (n, ...).

    Large images are reduced, recordings are cut to the model input; of recordings that are
    long together only the first are kept.
    """
    kept = {}
    for entry in entries:
        values = raw[entry.name]
        shown = KINDS[entry.kind].shorten_samples(values, entry)
        kept[f"{name}_input_{entry.name}"] = shown
    return kept


def _of_every_class(labels: Array, positions: Array) -> Array:
    """Return at most SHOWN positions: the first of each class, then the second of each, and on."""
    chosen = np.zeros(0, positions.dtype)
    for part in blocks(positions):  # what is among the first of all is among those of its stretch
        chosen = np.concatenate([chosen, positions[part]])
        own = labels[chosen]
        chosen = chosen[np.sort(np.lexsort((own, ranks(own)))[:SHOWN])]
    return chosen[np.argsort(labels[chosen], kind="stable")]


def _histogram(labels: Array, positions: Array, edges: Array) -> Array:
    """Return how many targets lie between each two edges."""
    counts = np.zeros(len(edges) - 1, np.int64)
    for part in blocks(positions):
        counts += np.histogram(labels[positions[part]].astype(np.float64), edges)[0]
    return counts
