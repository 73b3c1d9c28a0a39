"""From raw samples to model inputs: the NumPy form of what training did."""

import numpy as np

from pipeline.ondevice.document import column_name, describe_range, refuse_input
from pipeline.ondevice.kinds import KINDS
from pipeline.ondevice.sanitize import squeeze_samples


def prepare_inputs(raw, preprocess):
    """Return name -> model input of raw samples by name, for each input of preprocess.json."""
    return {entry.name: prepare_input(raw[entry.name], entry) for entry in preprocess.inputs}


def prepare_input(raw, entry):
    """Return the model input of raw samples (N, ...), by an input of preprocess.json.

    Returns:
        float32, but int32 for the ids of words and of categories with an embedding.

    Raises:
        ValueError: see `check_samples`.
    """
    kind = KINDS[entry.kind]
    x = kind.encode(squeeze_samples(check_samples(raw, entry), entry, kind.filter_axes), entry)
    if x.dtype == np.float32 and not np.isfinite(x).all():
        raise ValueError("input %s: holds NaN or infinity" % entry.name)
    return x


def check_samples(raw, entry):
    """Return raw samples (N, ...) in the type and size of an input.

    Raises:
        ValueError: these are no such samples; the message names the input, the place, what was
            wanted, what came and what to do.
    """
    kind, raw = KINDS[entry.kind], np.asarray(raw)
    kind.check_shape(raw, entry)
    return kind.fit(_convert_type(raw, entry), entry)


def _convert_type(raw, entry):
    """Return samples in the type that they have in training; what that cannot hold is refused."""
    dtype = np.dtype(entry.raw_dtype)
    if raw.dtype.kind not in "buif":
        refuse_input(entry, "numbers of type %s" % dtype, "type %s" % raw.dtype, "convert them")
    if dtype.kind == "f":
        return _check_finite(raw, dtype, entry)
    if raw.dtype.kind == "f":
        from_float = KINDS[entry.kind].from_float
        if from_float is not None:
            return from_float(raw, entry)
        many = "multiply by %d and round" % np.iinfo(dtype).max
        known = raw[np.isfinite(raw)]
        remedy = many if known.size and known.max() <= 1 else "round them to whole numbers"
        refuse_input(entry, _describe_type(dtype), _describe_values(raw), remedy)
    if raw.dtype == dtype or not raw.size:
        return raw.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    if raw.min() < limits.min or raw.max() > limits.max:
        remedy = "bring them into that range, as they were in training"
        refuse_input(entry, _describe_type(dtype), _describe_values(raw), remedy)
    return raw.astype(dtype)


def _describe_type(dtype):
    return "%s from %d to %d" % (dtype, np.iinfo(dtype).min, np.iinfo(dtype).max)


def _describe_values(raw):
    return "%s %s" % (raw.dtype, describe_range(raw))


def _check_finite(raw, dtype, entry):
    """Return samples as floats; NaN stands for an unknown value, which some kinds allow."""
    with np.errstate(over="ignore"):
        values = raw.astype(dtype, copy=False)
    may_be_nan = KINDS[entry.kind].has_unknown
    wrong = np.isinf(values) if may_be_nan else ~np.isfinite(values)
    if wrong.any():
        wanted, value = "a number or NaN" if may_be_nan else "a number", raw[wrong][0]
        got = "NaN" if np.isnan(value) else "infinity" if np.isinf(value) else "%g" % value
        got += " in sample %s" % _locate_first(wrong, entry)
        refuse_input(entry, wanted, got, "correct or leave out that sample")
    return values


def _locate_first(wrong, entry):
    """Return the first sample with a wrong value, counted from 1, and its column in words."""
    first = np.argwhere(wrong)[0]
    if wrong.ndim == 1 or not entry.columns:
        return "%d" % (first[0] + 1)
    return "%d, column %s" % (first[0] + 1, column_name(entry.columns[first[-1]]))


def find_out_of_range(raw, entry):
    """Return index of each sample far outside the training range -> what is wrong with it.

    Args:
        raw: samples (N, ...) as they come.
        entry: its `sanitize` states the limits; None: no sample is far outside.
    """
    return KINDS[entry.kind].find_out_of_range(raw, entry)
