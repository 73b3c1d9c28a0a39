"""What the report draws of the measurements, and what `edgeline compare` puts side by side.

Legend: N samples, K classes or outputs.
"""

import hashlib

import numpy as np

from pipeline.arrays import Array
from pipeline.data.figures import kept_samples
from pipeline.ondevice.numbers import last_known_value
from pipeline.verify.held import Held
from pipeline.verify.parity import confusion

CHANGED = 16  # samples with another decision that the report shows
STEPS = 72  # of the forecast that is drawn: three days of hours; more hides the differences


def figures(held: Held, outputs: dict[str, Array], ships: str) -> dict[str, Array]:
    """Return confusion matrices, scores or values, and samples on which file and reference differ.

    For quantities the values themselves; for two classes and detectors the score of the second
    class, which a threshold is laid on.
    """
    labels, reference = held.labels, held.reference
    changed = _changed(held, outputs[ships])
    drawn = _samples(held, outputs[ships], changed)
    if held.dataset.class_names is None:
        values = {form: found[:, 0] for form, found in outputs.items()}
        drawn |= {"labels": labels, "reference": reference[:, 0], **values}
        return drawn | _in_time(held)
    every = {"reference": reference, **outputs}
    drawn |= {f"confusion_{form}": confusion(labels, found) for form, found in every.items()}
    if reference.shape[1] == 2:
        shown = {"reference": reference, ships: outputs[ships]}
        drawn |= {f"score_{form}": found[:, 1] for form, found in shown.items()}
        drawn["labels"] = labels
    return drawn


def answers(held: Held, outputs: dict[str, Array]) -> dict[str, Array]:
    """Return what every file and the reference answer to all samples, as small as that goes.

    Of more than two classes the decisions (N,) alone; else the answers (N, K). `samples` is the
    sha256 of ids and labels: answers compare where it is equal.
    """
    held_ids = np.asarray(held.dataset.ids[held.positions])
    content = "\n".join(map(str, held_ids.tolist())).encode() + held.labels.tobytes()
    digest = np.frombuffer(hashlib.sha256(content).digest(), np.uint8)
    found = {"samples": digest, "labels": held.labels}
    for name, said in {"reference": held.reference, **outputs}.items():
        is_class = held.dataset.class_names is not None and said.shape[1] > 2
        small = np.uint8 if said.shape[1] <= 256 else np.uint16
        found[f"answer_{name}"] = said.argmax(axis=1).astype(small) if is_class else said
    return found


def _changed(held: Held, file: Array) -> Array:
    """Return the samples (n,) that a file decides otherwise; of quantities the farthest apart."""
    if held.dataset.class_names is None:
        apart = np.abs(held.reference[:, 0] - file[:, 0])
        return np.argsort(-apart, kind="stable")[:CHANGED]
    differs = held.task.decisions(held.reference) != held.task.decisions(file)
    return np.flatnonzero(differs)[:CHANGED]


def _samples(held: Held, file: Array, changed: Array) -> dict[str, Array]:
    """Return those samples with their true answer and both that were given."""
    raw = {name: values[changed] for name, values in held.raw.items()}
    return {
        "changed_ids": np.asarray(held.dataset.ids[held.positions[changed]]).astype(str),
        "changed_labels": held.labels[changed],
        "changed_reference": held.task.decisions(held.reference)[changed],
        "changed_file": held.task.decisions(file)[changed],
        **kept_samples(raw, held.dataset.preprocess.inputs, "changed"),
    }


def _in_time(held: Held) -> dict[str, Array]:
    """Return the stretch of one series that is drawn; nothing where values follow no time.

    forecast_places (n,) into labels and answers, in order of time; forecast_times (n,), seconds;
    forecast_last (n,), the last value that was known, to which the answer is added.
    """
    target, times = held.dataset.preprocess.target, held.dataset.times
    if target is None or target.channel is None or times is None:
        return {}
    own, groups = times[held.positions, 1], held.dataset.groups
    places = np.arange(len(own))
    if groups is not None:
        names = np.asarray(groups)[held.positions]
        places = np.flatnonzero(names == names[0])
    places = places[np.argsort(own[places], kind="stable")][-STEPS:]
    (raw,) = list(held.raw.values())[:1]
    last = [last_known_value(raw[place, :, target.channel]) for place in places]
    return {
        "forecast_places": places,
        "forecast_times": own[places],
        "forecast_last": np.array(last, np.float32),
    }
