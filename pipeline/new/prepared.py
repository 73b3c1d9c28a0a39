"""Sets that say themselves what they hold: those of TensorFlow Datasets, and arrays in a .npz."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.config.source_schema import TfdsSource
from pipeline.data.array_forms import flat_labels, has_channels_first
from pipeline.data.folder_layout import PARTS
from pipeline.data.npz_arrays import arrays_of
from pipeline.data.source_fingerprint import walk
from pipeline.errors import ConfigError
from pipeline.new.seen import Seen


def tfds_seen(path: Path) -> Seen | None:
    """Return what a prepared set of TensorFlow Datasets holds; None where it is none."""
    found = sorted(p for p in walk(path) if p.name == "dataset_info.json")
    if not found:
        return None
    try:
        infos = {p: json.loads(p.read_text()) for p in found}
        names = sorted({info["name"] for info in infos.values()})
        if len(names) == 1:
            return _tfds_set(found[-1].parent, infos[found[-1]])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise ConfigError(
            f"--data: {found[-1].parent}: not as TensorFlow Datasets writes a set "
            f"({type(error).__name__}: {error}); prepare it anew"
        ) from error
    raise ConfigError(f"--data: {path} holds several sets: {', '.join(names)}; name one folder")


def _tfds_set(folder: Path, info: dict[str, Any]) -> Seen:
    """Return what one prepared set holds, by its dataset_info.json and features.json."""
    listed = json.loads((folder / "features.json").read_text())["featuresDict"]["features"]
    name = info["name"]
    top = next(p for p in folder.parents if p.name == name).parent
    by_type = {
        key: next((k for k in entry if k != "pythonClassName"), "") for key, entry in listed.items()
    }
    labels = [key for key, kind in by_type.items() if kind == "classLabel"]
    seen = [key for key, kind in by_type.items() if kind in FEATURES]
    seen = [key for key in seen if by_type[key] != "text" or len(seen) == 1]
    if len(labels) != 1 or len(seen) != 1:
        raise ConfigError(
            f"--data: {name} has {', '.join(f'{k} ({v})' for k, v in by_type.items())}; wanted one "
            "picture, sound or text and one class label: write data.source by hand"
        )
    counts = {row["name"]: sum(map(int, row["shardLengths"])) for row in info["splits"]}
    full = f"{name}/{info['configName']}" if info.get("configName") else name
    source = {"kind": "tfds", "name": full, "data_dir": top}
    return _prepared(source, by_type[seen[0]], seen[0], labels[0], listed, counts)


Feature = tuple[int, dict[str, Any], list[str]]
"""Size of a sample (see `Seen.size`), further settings of the source, and notes on guesses."""


def _image_feature(listed: dict[str, Any]) -> Feature:
    return max(int(d) for d in listed["shape"]["dimensions"][:2]), {}, []


def _audio_feature(listed: dict[str, Any]) -> Feature:
    rate = int(listed.get("sampleRate", 16_000))
    sound = {"sample_rate": rate, "seconds": 1.0, "features": {"kind": "log_mel"}}
    note = "Recordings are cut to one second: nothing says how long they are."
    return 0, {"sound": sound}, [note]


def _text_feature(listed: dict[str, Any]) -> Feature:
    return 0, {}, []


FEATURES = {"image": _image_feature, "audio": _audio_feature, "text": _text_feature}


def _prepared(
    source: dict[str, Any],
    kind: Any,
    key: str,
    label: str,
    listed: dict[str, Any],
    counts: dict[str, int],
) -> Seen:
    """Return what a prepared set holds.

    Args:
        source: the set's name and folder.
        kind: of the feature that is seen: image, audio or text.
        key: its name.
        label: name of the feature to predict.
        listed: what TFDS says of each feature.
        counts: samples of each of its splits.
    """
    parts = {PARTS[part]: part for part in counts if part in PARTS}
    source["splits"] = parts
    source |= {} if (key,) == TfdsSource.model_fields["inputs"].default else {"inputs": [key]}
    source |= {} if label == "label" else {"label": label}
    said = [", ".join(f"{part}: {count:,} samples" for part, count in counts.items()) + "."]
    size, more, notes = FEATURES[kind](listed[key][kind])
    source |= more
    said += notes
    classes = {str(k): 0 for k in range(int(listed[label]["classLabel"]["numClasses"]))}
    is_given, count = "test" in parts, counts.get(parts.get("train", ""), 0)
    return Seen(kind, "classification", source, count, classes, tuple(said), is_given, size)


def npz_seen(path: Path, target: str | None) -> Seen:
    """Return what arrays of one length hold; those of _train and _test are parts."""
    shapes = {name: (array.shape, array.dtype) for name, array in arrays_of(path).items()}
    bare = {re.sub(r"_(train|validation|test)$", "", name): name for name in shapes}
    flat = [name for name, full in bare.items() if len(shapes[full][0]) == 1]
    flat += [n for n in ("y", "label", "labels") if n in bare and n not in flat]
    label = target or next((n for n in flat if n in ("y", "label", "labels")), None)
    if label is None and len(flat) == 1:
        (label,) = flat
    if label not in bare:
        raise ConfigError(
            f"--target: {path} holds {', '.join(bare) or 'no arrays'}; name the array to predict"
        )
    first = next((n for n in (f"{label}_train", label) if n in shapes), bare[label])
    labels = _labels(path, first)
    inputs = [name for name in bare if name != label and name not in flat]
    if not inputs:
        raise ConfigError(f"--data: {path} holds no array of two dimensions or more to look at")
    shape, dtype = shapes[next(n for n in shapes if n.startswith(inputs[0]))]
    is_class = bool(np.issubdtype(labels.dtype, np.integer))
    classes = {str(k): int(n) for k, n in zip(*np.unique(labels, return_counts=True), strict=True)}
    is_picture = np.issubdtype(dtype, np.integer) and len(shape) >= 3
    modality = "image" if is_picture else "recording" if len(shape) == 3 else "table"
    source = {"kind": "npz", "path": path, "inputs": inputs, "label": label}
    said = (", ".join(f"{name}: {shape} {dtype}" for name, (shape, dtype) in shapes.items()) + ".",)
    is_given = any(name.endswith("_test") for name in shapes)
    sides = shape[2:4] if has_channels_first(shape) else shape[1:3]
    size = max(sides) if is_picture else shape[1]
    return Seen(
        modality,  # type: ignore[arg-type]
        "classification" if is_class else "regression",
        source,
        len(labels),
        classes if is_class else None,
        said,
        is_given,
        size,
    )


def _labels(path: Path, name: str) -> Array:
    """Return an array of labels (N,).

    Raises:
        ConfigError: it is none.
    """
    with np.load(path) as arrays:
        found = np.asarray(arrays[name])
    labels = flat_labels(found)
    if labels is None:
        raise ConfigError(
            f"--target: {path}: {name} {found.shape} is no target: wanted one number or word a "
            "sample, or one-hot rows"
        )
    return labels
