"""What preprocessing learns from train: an entry of preprocess.json for each input.

Only training samples are looked at. What is done with the entries is in `preprocess.py`
(TensorFlow, for training) and device/runner.py (NumPy, on the device).
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.data.samples import Input
from pipeline.data.scratch import map_array
from pipeline.data.shards import Shards
from pipeline.device.runner import prepare_input, split_tokens

IMAGE_SCALES = {"uint8": 1 / 255, "uint16": 1 / 65535}  # to [0, 1]: where attacks state epsilon
FITTED = 50_000  # training rows that columns are fitted on, at most: quantiles hardly change beyond
HEARD = 2000  # training recordings whose bands are measured, at most
KNOTS = 129  # of a quantile transform: half a step of int8 apart
STRETCHES = 32  # of a piecewise encoding; 16 and 48 learn as well
EDGE = 0.005  # share that a robust scaling cuts off either end
LONG, HEAVY = 5.0, 8.0  # deviations to the farthest value: int8 has 256 steps for all of them
RARE = 5  # training samples of a category, below which it has no place of its own
BLOCK = 4096  # samples that are read at once while a table is measured
TINY = float(np.finfo(np.float32).tiny)  # below it TensorFlow counts as zero, and NumPy does not
COUNTED = 100_000  # different words whose frequency is held in memory
RECORDINGS = 256  # recordings or texts that are read at once
FLAT = 1e-3  # of the usual deviation of a window: what varies less counts as constant

Fitted = tuple[dict[str, Any], list[str]]
"""An entry of preprocess.json, and the columns that are constant all over train."""


def fit_image(spec: Input, shards: Shards, train: Array) -> Fitted:
    """Return how an image becomes a model input in [0, 1]; its raw type alone says it."""
    entry = _entry(spec, "image", list(shards.shape), shards)
    color = "gray" if shards.shape[-1] == 1 else "rgb"
    scale = IMAGE_SCALES[str(shards.dtype)]
    return entry | {"offset": 0.0, "scale": scale, "color": color, "columns": None}, []


def fit_table(spec: Input, shards: Shards, train: Array) -> Fitted:
    """Return how numbers become model inputs with mean 0 and deviation 1.

    Statistics are taken along the last axis, a column each; of an input without columns, over all
    values. What is constant keeps scale 1 and becomes 0.
    """
    width = shards.shape[-1] if spec.columns is not None else 1
    lows, highs, total, count = np.inf, -np.inf, np.zeros(width), 0
    for rows in _blocks(shards, train, width):
        lows, highs = np.minimum(lows, rows.min(axis=0)), np.maximum(highs, rows.max(axis=0))
        total, count = total + rows.sum(axis=0), count + len(rows)
    is_constant = lows == highs
    mean = np.where(is_constant, lows, total / count)
    squares = sum(((rows - mean) ** 2).sum(axis=0) for rows in _blocks(shards, train, width))
    deviation = np.where(is_constant, 1.0, np.sqrt(squares / count))
    offset, scale = mean.astype(np.float32), (1 / deviation).astype(np.float32)
    columns = list(spec.columns) if spec.columns is not None else [spec.name]
    entry = _entry(spec, "table", list(shards.shape), shards) | {
        "offset": offset.tolist() if spec.columns is not None else float(offset[0]),
        "scale": scale.tolist() if spec.columns is not None else float(scale[0]),
        "columns": columns if spec.columns is not None else None,
    }
    return entry, [columns[i] for i in np.flatnonzero(is_constant)]


def fit_columns(spec: Input, shards: Shards, train: Array) -> Fitted:
    """Return how a table of numbers and categories becomes a model input.

    Numbers with heavy tails are spread by rank: scaled alone they leave most of an integer's range
    to a few samples. Categories that are rare in train share a place with new and missing ones.
    """
    encoding, columns, constant = dict(spec.encoding or {}), [], []
    numbers = encoding.pop("numbers")
    values = shards.take(_evenly(train, FITTED))
    for column, seen in zip(encoding.pop("columns"), values.T, strict=True):
        known = seen[~np.isnan(seen)]
        if column["kind"] == "category":
            columns.append(column | fit_category(known, len(column["values"])))
            continue
        fitted = fit_stretches(known) if numbers == "piecewise" else fit_number(known, numbers)
        columns.append(column | fitted)
        constant += [column["name"]] if len(np.unique(known)) < 2 else []
    width = sum(column["width"] for column in columns)
    entry = _entry(spec, "columns", [width], shards) | encoding | {"columns": columns}
    return entry, constant


def fit_codes(spec: Input, shards: Shards, train: Array) -> Fitted:
    """Return how categories become rows of one table of vectors, a stretch for each column."""
    encoding, columns, first = dict(spec.encoding or {}), [], 0
    values = shards.take(_evenly(train, FITTED))
    for column, seen in zip(encoding.pop("columns"), values.T, strict=True):
        fitted = fit_category(seen[~np.isnan(seen)], len(column["values"]))
        columns.append(column | fitted | {"first": first})
        first += fitted["width"]
    entry = _entry(spec, "codes", [len(columns)], shards) | encoding
    return entry | {"columns": columns, "vocabulary_size": first}, []


def fit_number(known: Array, how: str) -> dict[str, Any]:
    """Return how a column of numbers is made even: see `CsvSource.numbers`.

    Args:
        known: values in train that are no NaN (n,); none counts as zero.
        how: auto, standard, robust or quantile.
    """
    known = known if len(known) else np.zeros(1, np.float32)
    known = np.where(np.abs(known) < TINY, np.float32(0), known)
    low, middle, high = (float(q) for q in np.quantile(known, [EDGE, 0.5, 1 - EDGE]))
    spread = float(known.std(dtype=np.float64))
    reach = float(np.abs(known - middle).max()) / spread if spread else 0.0
    if how == "auto":
        how = "quantile" if reach > HEAVY else "robust" if reach > LONG else "standard"
    fitted: dict[str, Any] = {"how": how, "fill": float(np.float32(middle)), "width": 1}
    if how == "quantile":
        return fitted | _quantiles(known)
    if how == "standard":
        low, high = float(known.min()), float(known.max())
        low, high = low - (high - low), high + (high - low)  # what lies far outside was never seen
    clipped = np.clip(known.astype(np.float64), low, high)
    deviation = float(clipped.std())
    return fitted | {
        "low": low,
        "high": high,
        "offset": float(clipped.mean()),
        "scale": 1 / deviation if deviation else 1.0,
    }


def fit_stretches(known: Array) -> dict[str, Any]:
    """Return the edges between which each stretch of a column goes from 0 to 1.

    Piecewise linear encoding with bins from quantiles (Gorishniy et al. 2022, arXiv:2203.05556,
    section 3.2); the outer bins end, so that integers know their range. Where most samples share a
    value, half of the edges are quantiles of the different values.

    Args:
        known: values in train that are no NaN (n,).
    """
    known = np.where(np.abs(known) < TINY, np.float32(0), known) if len(known) else np.zeros(1)
    different = np.unique(known).astype(np.float64)
    edges = np.unique(np.quantile(known.astype(np.float64), np.linspace(0, 1, STRETCHES + 1)))
    if len(edges) <= STRETCHES // 2:
        spread = np.quantile(different, np.linspace(0, 1, STRETCHES // 2 + 1))
        edges = np.unique(np.concatenate([edges, spread]))
    edges = np.unique(edges.astype(np.float32))  # apart in the type that they are kept in
    if len(edges) == 1:  # constant: it becomes 0
        edges = np.append(edges, edges + np.maximum(1, np.abs(edges) / 1024))
    fill = float(np.float32(np.median(known)))
    return {
        "how": "piecewise",
        "fill": fill,
        "width": len(edges) - 1,
        "edges": edges.tolist(),
    }


def _quantiles(known: Array) -> dict[str, Any]:
    """Return the knots of a transform to even ranks, of deviation 1; equal values share a rank."""
    shares = np.linspace(0, 1, KNOTS)
    values = np.quantile(known, shares).astype(np.float32)
    knots, first, counts = np.unique(values, return_index=True, return_counts=True)
    rank = (shares[first] + shares[first + counts - 1]) / 2
    return {"knots": knots.tolist(), "heights": ((rank - 0.5) * np.sqrt(12)).tolist()}


def fit_category(known: Array, values: int) -> dict[str, Any]:
    """Return the place of each category; the last place is for rare, new and missing ones."""
    counts = np.bincount(known[known >= 0].astype(np.int64), minlength=values)
    kept = np.flatnonzero(counts >= RARE)
    places = np.full(len(counts), len(kept))
    places[kept] = np.arange(len(kept))
    return {"places": places.tolist(), "width": len(kept) + 1}


def fit_audio(spec: Input, shards: Shards, train: Array) -> Fitted:
    """Return how recordings become log-mel bands or MFCC, each of mean 0 and deviation 1."""
    encoding = dict(spec.encoding or {})
    frames = 1 + (encoding["samples"] - encoding["window"]) // encoding["stride"]
    width = encoding["coefficients"] if encoding["features"] == "mfcc" else encoding["bins"]
    entry = _entry(spec, "audio", [frames, width, 1], shards) | encoding
    plain = entry | {"offset": [0.0] * width, "scale": [1.0] * width}
    total, squares, count = np.zeros(width), np.zeros(width), 0
    for raw in _parts(shards, _evenly(train, HEARD)):
        bands = prepare_input(raw, plain).reshape(-1, width).astype(np.float64)
        total, squares = total + bands.sum(axis=0), squares + (bands**2).sum(axis=0)
        count += len(bands)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    scale = np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1), 1.0)
    return entry | {"offset": mean.tolist(), "scale": scale.tolist(), "columns": None}, []


def fit_series(spec: Input, shards: Shards, train: Array) -> Fitted:
    """Return how each channel of a series is made even; a relative window by its own values."""
    encoding = dict(spec.encoding or {})
    numbers, names = encoding.pop("numbers"), list(spec.columns or ())
    values = shards.take(_evenly(train, max(1, FITTED // shards.shape[0])))
    columns, constant = [], []
    for i, name in enumerate(names):
        seen = values[..., i].ravel()
        known = seen[~np.isnan(seen)]
        columns.append({"name": name, "kind": "number"} | fit_number(known, numbers))
        constant += [name] if len(np.unique(known)) < 2 else []
    centred = values - _known_mean(values)
    usual = np.sqrt(_known_mean(centred.astype(np.float64) ** 2))
    floor = FLAT * float(np.median(usual)) or FLAT
    entry = _entry(spec, "series", list(shards.shape), shards) | encoding
    return entry | {"columns": columns, "floor": floor}, constant


def _known_mean(values: Array) -> Array:
    """Return the mean over each window (N, 1, C) of what is not NaN; zero where nothing is."""
    known = ~np.isnan(values)
    return np.where(known, values, 0).sum(axis=1, keepdims=True) / np.maximum(
        known.sum(axis=1, keepdims=True), 1
    )


def fit_tokens(spec: Input, shards: Shards, train: Array) -> Fitted:
    """Return the most frequent words or characters of train, the most frequent first."""
    encoding = dict(spec.encoding or {})
    most, length = encoding.pop("vocabulary"), encoding.pop("length")
    entry = _entry(spec, "tokens", [length], shards) | encoding
    counts: Counter[bytes] = Counter()
    for texts in _parts(shards, train):
        for text in texts:
            counts.update(split_tokens(text, entry))
        if len(counts) > COUNTED + 10 * most:  # the rarest so far go: they are typing errors
            counts = Counter(dict(counts.most_common(len(counts) // 2)))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[:most]
    vocabulary = [word.decode() for word in ranked]
    size = len(vocabulary) + 2  # nothing, and unknown
    return entry | {"vocabulary": vocabulary, "vocabulary_size": size, "columns": None}, []


FIT: dict[str, Callable[[Input, Shards, Array], Fitted]] = {
    "image": fit_image,
    "table": fit_table,
    "columns": fit_columns,
    "codes": fit_codes,
    "audio": fit_audio,
    "series": fit_series,
    "tokens": fit_tokens,
}


def fit_target(targets: Array) -> dict[str, Any]:
    """Return the scaling of a regression's target: answer = output * scale + offset."""
    mean = targets.mean(dtype=np.float64)
    squares = map_array(targets, lambda block: (block - mean) ** 2, np.float64)
    spread = float(np.float32(np.sqrt(squares.mean())))
    return {"offset": float(np.float32(mean)), "scale": spread or 1.0}


def _entry(spec: Input, kind: str, shape: list[int], shards: Shards) -> dict[str, Any]:
    """Return what all entries begin with; the shape is that of the model's input."""
    return {"name": spec.name, "kind": kind, "shape": shape, "raw_dtype": str(shards.dtype)}


def _evenly(positions: Array, most: int) -> Array:
    """Return at most about `most` of the positions, which are in random order already."""
    return positions[:: max(1, len(positions) // most)]


def _blocks(shards: Shards, positions: Array, width: int) -> Iterator[Array]:
    """Yield the values at some positions as rows of `width` float64."""
    for start in range(0, len(positions), BLOCK):
        taken = shards.take(positions[start : start + BLOCK])
        yield taken.reshape(-1, width).astype(np.float64)


def _parts(shards: Shards, positions: Array) -> Iterator[Array]:
    """Yield the samples at some positions, a few at a time."""
    for start in range(0, len(positions), RECORDINGS):
        yield shards.take(positions[start : start + RECORDINGS])
