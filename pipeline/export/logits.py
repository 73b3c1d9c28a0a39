"""The range of logits in 8 bits: wide enough for every class that is in question, and no wider.

The logits of a confident network span, say, -77 to 17. Over that range a step of 8 bits is a third
of a logit: of a hardened network, 1 in 25 predictions is a tie. But
what reads them is a softmax, and a class far below the highest is a zero there, however far.

NumPy only; ranges.py has the measurement.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from pipeline.arrays import Array

SOFTMAX, SIGMOID = "SOFTMAX", "LOGISTIC"  # as the last operation: what they read decides
UNLIKELY = 8.0  # logits: a probability of 3e-4, a sixth of what 8 bits of probability round to zero


def output_activations(interpreter: Any) -> dict[int, str]:
    """Return tensor -> the softmax or sigmoid that reads it and writes an output of the file.

    Args:
        interpreter: of a .tflite file.
    """
    outputs = {int(detail["index"]) for detail in interpreter.get_output_details()}
    return {
        int(op["inputs"][0]): op["op_name"]
        for op in interpreter._get_ops_details()
        if op["op_name"] in (SOFTMAX, SIGMOID) and outputs & set(map(int, op["outputs"]))
    }


def in_question(
    readers: Mapping[int, str],
    spans: Mapping[int, tuple[float, float]],
    samples: Iterable[Mapping[int, Array]],
) -> dict[int, tuple[float, float]]:
    """Return the ranges of logits, clipped where every sample's prediction is certain.

    Before a softmax the range goes from UNLIKELY below the lowest highest logit of any sample to as
    far above the highest second one: a winner that is further above is as sure there. Before a
    sigmoid it goes as far from zero, on either side.

    Args:
        readers: what `deciding` says.
        spans: full range of each of these tensors, which holds zero.
        samples: values of each tensor (1, ..., K), sample after sample.
    """
    near = dict.fromkeys(readers, (-UNLIKELY, UNLIKELY))
    of_softmax = [index for index, reader in readers.items() if reader == SOFTMAX]
    for number, values in enumerate(samples if of_softmax else ()):
        for index in of_softmax:
            ranked = np.sort(values[index], axis=-1)
            low, high = ranked[..., -1].min() - UNLIKELY, ranked[..., -2:][..., 0].max() + UNLIKELY
            before = near[index] if number else (low, high)
            near[index] = min(before[0], float(low)), max(before[1], float(high))
    return {index: _within(full, near[index]) for index, full in spans.items()}


def _within(full: tuple[float, float], near: tuple[float, float]) -> tuple[float, float]:
    """Return the part of a full range to keep: it holds zero, and a certain winner stays certain.

    Where every winner is high above zero and all others are far below, `near` is empty.
    """
    low, high = min(0.0, max(full[0], near[0])), max(0.0, min(full[1], near[1]))
    high = max(high, min(full[1], low + UNLIKELY))
    return max(full[0], min(low, high - UNLIKELY)), high
