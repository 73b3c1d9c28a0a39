"""Plain numbers of a fixed shape: read a .csv without a header, clip to the known range."""

import os
import warnings

import numpy as np

from pipeline.ondevice.document import refuse_input
from pipeline.ondevice.sanitize import value_limits


def check_exact_shape(raw, entry):
    """Refuse what is no (N, *shape)."""
    shape = tuple(entry.shape)
    if raw.shape[1:] != shape:
        remedy = "give one such sample, or (N, ...)"
        refuse_input(entry, "samples of shape %s" % (shape,), "%s" % (raw.shape[1:],), remedy)


def clip_to_limits(raw, entry):
    """Return numbers (N, ..., C) inside the range that training saw, where one is set."""
    limits = value_limits(entry)
    if limits is None:
        return raw
    low, high = np.array(limits, np.float32).T
    return np.clip(raw, low, high)


def read_plain_table(path, entry):
    """Return the rows of a .csv of numbers (N, C), float32."""
    if os.path.splitext(path)[1].lower() != ".csv":
        raise ValueError("%s: this model takes a table: give a .csv or .npy file" % path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an empty file, which has a message of its own
        return np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float32)
