"""The arrays that the report draws (figures.npz) and `edgeline compare` pairs (predictions.npz).

Legend: N samples of the split, n some of them, K classes or outputs.
"""

import hashlib
from collections.abc import Mapping

import numpy as np

from pipeline.arrays import Array, Arrays, only
from pipeline.data.figures import kept_samples
from pipeline.ondevice.numbers import last_known_value
from pipeline.verify.held import Held
from pipeline.verify.parity import confusion

CHANGED = 16  # samples with a changed decision that the report shows
STEPS = 72  # of the forecast that is drawn: three days of hours; more hides the differences


def chart_arrays(held: Held, files: Mapping[str, Arrays], ships: str) -> dict[str, Array]:
    """Return confusion matrices, scores or values, and samples on which file and reference differ.

    Args:
        held: the split and the reference's outputs on it.
        files: format -> outputs by name; there must be one (N, K).
        ships: format of the shipped model.

    Returns:
        Name -> array. Regression: labels, reference and each format (N,). Classes: confusion_<name>
        (K, K); of two classes also score_<name> (N,) of the second, which a threshold is laid on.
        changed_<part> (n, …): samples whose decision changed.
    """
    labels, reference = held.labels, only(held.reference)
    outputs = {form: only(named) for form, named in files.items()}
    changed = _changed(held, files[ships])
    drawn = _samples(held, files[ships], changed)
    if held.dataset.class_names is None:
        values = {form: output[:, 0] for form, output in outputs.items()}
        drawn |= {"labels": labels, "reference": reference[:, 0], **values}
        return drawn | _in_time(held)
    every = {"reference": reference, **outputs}
    drawn |= {f"confusion_{form}": confusion(labels, output) for form, output in every.items()}
    if reference.shape[1] == 2:
        shown = {"reference": reference, ships: outputs[ships]}
        drawn |= {f"score_{form}": output[:, 1] for form, output in shown.items()}
        drawn["labels"] = labels
    return drawn


def predictions(held: Held, files: Mapping[str, Arrays]) -> dict[str, Array]:
    """Return the predictions of the reference and of every file for all samples.

    Args:
        held: the split and the reference's outputs on it.
        files: format -> outputs by name; there must be one (N, K).

    Returns:
        prediction_<name>: with more than two classes the predicted class (N,), uint8 or uint16,
        which is smaller; else the outputs (N, K). labels (N,). samples (32,): the sha256 of ids
        and labels; only predictions for equal samples can be paired.
    """
    held_ids = np.asarray(held.dataset.ids[held.positions])
    content = "\n".join(map(str, held_ids.tolist())).encode() + held.labels.tobytes()
    digest = np.frombuffer(hashlib.sha256(content).digest(), np.uint8)
    arrays = {"samples": digest, "labels": held.labels}
    for name, named in {"reference": held.reference, **files}.items():
        output = only(named)
        is_class = held.dataset.class_names is not None and output.shape[1] > 2
        small = np.uint8 if output.shape[1] <= 256 else np.uint16
        decided = output.argmax(axis=1).astype(small) if is_class else output
        arrays[f"prediction_{name}"] = decided
    return arrays


def _changed(held: Held, file: Arrays) -> Array:
    """Return indices (n,) of samples with a changed decision; of regression the largest changes."""
    if held.dataset.class_names is None:
        apart = np.abs(only(held.reference)[:, 0] - only(file)[:, 0])
        return np.argsort(-apart, kind="stable")[:CHANGED]
    differs = held.task.decisions(held.reference) != held.task.decisions(file)
    return np.flatnonzero(differs)[:CHANGED]


def _samples(held: Held, file: Arrays, changed: Array) -> dict[str, Array]:
    """Return those samples with their true values and both decisions."""
    raw = {name: values[changed] for name, values in held.raw.items()}
    return {
        "changed_ids": np.asarray(held.dataset.ids[held.positions[changed]]).astype(str),
        "changed_labels": held.labels[changed],
        "changed_reference": held.task.decisions(held.reference)[changed],
        "changed_file": held.task.decisions(file)[changed],
        **kept_samples(raw, held.dataset.preprocess.inputs, "changed"),
    }


def _in_time(held: Held) -> dict[str, Array]:
    """Return the part of one series that is drawn; empty where samples have no time.

    forecast_indices (n,) into labels and outputs, in order of time; forecast_times (n,), seconds;
    forecast_last (n,), the last known value, to which the output is added.
    """
    target, times = held.dataset.preprocess.target, held.dataset.times
    if target is None or target.channel is None or times is None:
        return {}
    own, groups = times[held.positions, 1], held.dataset.groups
    indices = np.arange(len(own))
    if groups is not None:
        names = np.asarray(groups)[held.positions]
        indices = np.flatnonzero(names == names[0])
    indices = indices[np.argsort(own[indices], kind="stable")][-STEPS:]
    (raw,) = list(held.raw.values())[:1]
    last = [last_known_value(raw[index, :, target.channel]) for index in indices]
    return {
        "forecast_indices": indices,
        "forecast_times": own[indices],
        "forecast_last": np.array(last, np.float32),
    }
