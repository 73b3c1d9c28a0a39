"""Prepared datasets in memory, small networks over them, and attacks in their spaces."""

from types import SimpleNamespace
from typing import Any, cast

import keras
import numpy as np

from pipeline.config.space_schema import AuditReach, Change, settings_of
from pipeline.data.dataset import Dataset
from pipeline.documents.preprocess import CodesEntry, TokensEntry
from pipeline.harden.attacks import attack_in
from pipeline.harden.fit_threat_model import fit_threat_model
from pipeline.harden.run_attack import Samples, compile_attack, samples_of
from pipeline.harden.threat_model import PerturbationSet
from pipeline.samples.columns import fit_category
from pipeline.samples.numbers import fit_number, fit_piecewise
from tests.documents.preprocess import preprocess_of

Array = np.ndarray[Any, np.dtype[Any]]


def dataset(entries: list[dict[str, Any]], raw: dict[str, Array], labels: Array) -> Dataset:
    """Return a set whose samples are all in train."""
    shards = {
        name: SimpleNamespace(shape=x.shape[1:], dtype=x.dtype, take=lambda at, x=x: x[at])
        for name, x in raw.items()
    }
    names = [f"class{k}" for k in range(int(labels.max()) + 1)]
    found = SimpleNamespace(
        preprocess=preprocess_of(entries, labels=names),
        labels=labels,
        class_names=tuple(names),
        shards=shards,
        split=lambda name: np.arange(len(labels)),
        read=lambda at: {name: x[at] for name, x in raw.items()},
    )
    return cast(Dataset, found)


def rows(n: int = 300, *, how: str = "standard", seed: int = 0) -> Dataset:
    """Return rows of an amount, a whole age, a category and a number with gaps; two classes."""
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(3, 0.5, n)
    age, kind = rng.integers(18, 80, n), rng.integers(0, 4, n)
    score = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n))
    raw = np.stack([amount, age, kind, score], axis=1).astype(np.float32)
    columns = []
    for name, values in zip(("amount", "age", "kind", "score"), raw.T, strict=True):
        known = values[~np.isnan(values)]
        if name == "kind":
            column = {"kind": "category", "values": list("abcd")} | fit_category(known, 4)
        else:
            fitted = fit_piecewise(known) if how == "piecewise" else fit_number(known, how)
            column = {"kind": "number"} | fitted
        columns.append({"name": name} | column)
    width = sum(column["width"] for column in columns)
    entry = {
        "name": "features",
        "kind": "columns",
        "raw_dtype": "float64",
        "shape": [width],
        "columns": columns,
    }
    labels = (amount + 10 * (kind == 2) + rng.normal(0, 5, n) > 25).astype(np.int64)
    return dataset([entry], {"features": raw}, labels)


def series(n: int = 60, *, relative: bool = False, steps: int = 12) -> Dataset:
    """Return windows of a whole and a fractional channel, one value unknown; two classes."""
    rng = np.random.default_rng(1)
    raw = np.stack([rng.integers(0, 50, (n, steps)), rng.normal(5, 2, (n, steps))], axis=-1)
    raw = raw.astype(np.float32)
    raw[0, 0, 1] = np.nan
    columns = [
        {"name": name, "kind": "number"} | fit_number(x[~np.isnan(x)], "standard")
        for name, x in (("count", raw[..., 0]), ("level", raw[..., 1]))
    ]
    entry = {
        "name": "series",
        "kind": "series",
        "raw_dtype": "float32",
        "shape": [steps, 2],
        "columns": columns,
    }
    entry |= {"per_window_standardize": relative, "floor": 1e-3}
    return dataset([entry], {"series": raw}, (raw[..., 0].mean(axis=1) > 25).astype(np.int64))


def sounds(n: int = 24) -> Dataset:
    """Return recordings of a low or a high tone in int16, heard as log-mel bands."""
    rng, samples = np.random.default_rng(2), 2000
    labels = np.arange(n) % 2
    pitch = np.where(labels == 1, 900.0, 300.0) * rng.uniform(0.8, 1.2, n)
    time = np.arange(samples) / 8000
    sound = np.sin(2 * np.pi * pitch[:, None] * time) * 8000 + rng.normal(0, 300, (n, samples))
    entry = {
        "name": "sound", "kind": "audio", "raw_dtype": "int16", "shape": [14, 12, 1],
        "samples": samples, "window": 256,
        "stride": 128, "fft": 256, "sample_rate": 8000, "low_hz": 20.0, "high_hz": 4000.0,
        "bins": 12, "features": "log_mel", "offset": [2.0] * 12, "scale": [0.5] * 12,
        "columns": None,
    }  # fmt: skip
    return dataset([entry], {"sound": sound.astype(np.int16)}, labels)


def texts(n: int = 200, *, words: int = 30) -> Dataset:
    """Return texts of words w0, w1, …; those of class 1 have more of the later words."""
    rng, length = np.random.default_rng(3), 8
    labels = np.arange(n) % 2
    lines = []
    for label in labels:
        drawn = rng.integers(0, words // 2, int(rng.integers(3, length + 1))) + label * words // 3
        lines.append(" ".join(f"w{k}" for k in drawn))
    width = max(map(len, lines))
    raw = np.array([list(line.encode().ljust(width, b"\0")) for line in lines], np.uint8)
    entry = {
        "name": "text", "kind": "tokens", "raw_dtype": "uint8", "shape": [length],
        "unit": "words", "lower": True,
        "vocabulary": [f"w{k}" for k in range(words)], "vocabulary_size": words + 2,
        "columns": None,
    }  # fmt: skip
    return dataset([entry], {"text": raw}, labels)


def network(data: Dataset, *, seed: int = 0) -> Any:
    """Return a small untrained classifier of a set's inputs."""
    keras.utils.set_random_seed(seed)
    inputs, flat = [], []
    for entry in data.preprocess.inputs:
        is_words = isinstance(entry, TokensEntry | CodesEntry)
        x = keras.Input(entry.shape, dtype="int32" if is_words else None, name=entry.name)
        inputs.append(x)
        if isinstance(entry, TokensEntry | CodesEntry):
            size = entry.vocabulary_size
            x = keras.layers.Embedding(size, 6, name=f"embedding_{entry.name}")(x)
        flat.append(keras.layers.Flatten()(x))
    x = flat[0] if len(flat) == 1 else keras.layers.Concatenate()(flat)
    x = keras.layers.Dense(8, activation="tanh")(x)
    x = keras.layers.Dense(len(data.class_names or ()), name="logits")(x)
    return keras.Model(inputs, keras.layers.Activation("softmax")(x))


def asked(**settings: Any) -> dict[str, Any]:
    """Return the settings of a threat; `columns` are settings of a Change each."""
    columns = settings.pop("columns", None)
    if columns is not None:
        columns = {name: Change(**change).model_dump() for name, change in columns.items()}
    return settings_of(AuditReach()) | {"epsilon": 0.3, "columns": columns} | settings


def attacked(
    data: Dataset, model: Any, *, kind: str = "pgd", steps: int = 3, **settings: Any
) -> tuple[Any, Samples, Array]:
    """Return the threat, the samples and the points found on all of a set."""
    norm = settings.pop("norm", "linf")
    threat = fit_threat_model(data, asked(**settings), model, where="harden.attack", norm=norm)
    samples = samples_of(data, threat, np.arange(len(data.labels)))
    own = {"kind": kind, "epsilon": None} | ({"steps": steps} if kind == "pgd" else {})
    found = compile_attack(model, threat, attack_in(threat, own))(samples, seed=1)
    return threat, samples, found


def is_numeric(threat: Any) -> bool:
    """Tell whether a threat moves numbers."""
    return isinstance(threat, PerturbationSet)
