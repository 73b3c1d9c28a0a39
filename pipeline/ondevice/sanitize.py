"""Input sanitization: ranges that training saw, and feature squeezing."""

import numpy as np

from pipeline.ondevice.document import column_name, replace_fields


def value_limits(entry):
    """Return the (low, high) of each column, None where any value may come; else None."""
    return None if entry.sanitize is None else entry.sanitize.limits


def find_out_of_limits(raw, entry):
    """Return index of each sample far outside the training range -> what is wrong with it.

    Far outside: further from the range than the range is wide. The first such column is named.
    """
    found, limits = {}, value_limits(entry) or []
    for index, limit in enumerate(limits):
        if limit is None:
            continue
        values = raw if len(limits) == 1 else raw[..., index]
        values = values.reshape(len(raw), -1)
        wrong = (values < np.float32(limit[0])) | (values > np.float32(limit[1]))
        name = column_name(entry.columns[index]) if entry.columns else "a value"
        for i in np.flatnonzero(wrong.any(axis=1)):
            got = values[i][wrong[i]][0]
            found.setdefault(int(i), "%s = %g, wanted %g to %g" % (name, got, limit[0], limit[1]))
    return found


def squeeze_samples(raw, entry, axes):
    """Return raw samples (N, ...) without the detail in which an attack hides, in the same type.

    Feature squeezing (Xu et al. 2018, arXiv:1704.01155, section 3): the median of the neighbors,
    then fewer levels. A second pass changes no level; the median goes on smoothing.

    Args:
        raw: as `check_samples` returns it.
        entry: its `sanitize` states the window, the levels or the bits.
        axes: how many axes of a sample the median runs along.
    """
    rule = entry.sanitize
    if rule is None:
        return raw
    if rule.median is not None:
        parts = [raw[i : i + 64] for i in range(0, len(raw), 64)]
        raw = np.concatenate([median_filter(part, rule.median, axes) for part in parts] or [raw])
    if rule.levels is not None:
        return round_to_levels(raw, rule.levels)
    return raw if rule.bit_depth is None else reduce_bit_depth(raw, rule.bit_depth)


def remove_squeezing(preprocess):
    """Return preprocess.json without the squeezing: what a detector compares with."""
    inputs = []
    for entry in preprocess.inputs:
        rule = entry.sanitize
        if rule is not None:
            rule = replace_fields(rule, median=None, bit_depth=None, levels=None)
        inputs.append(replace_fields(entry, sanitize=rule))
    return replace_fields(preprocess, inputs=inputs)


def reduce_bit_depth(raw, bits):
    """Return integers in fewer levels, in the same type.

    Unsigned ones have 2**bits levels from end to end; signed ones steps around zero, which stays.
    """
    top, x = int(np.iinfo(raw.dtype).max), raw.astype(np.int64)
    if raw.dtype.kind == "u":
        most = 2**bits - 1
        levels = (2 * x * most + top) // (2 * top)
        return ((2 * levels * top + most) // (2 * most)).astype(raw.dtype)
    step = (top + 1) // 2 ** (bits - 1)
    return np.minimum((x + step // 2) // step * step, top).astype(raw.dtype)


def round_to_levels(raw, levels):
    """Return numbers (N, ..., C) as the nearest level of their column; NaN stays NaN.

    `levels` has a rising list for each column, None where all values stay; one list is for all.
    """
    rounded = raw.copy()
    for index, own in enumerate(levels):
        if own is None:
            continue
        values = raw if len(levels) == 1 else raw[..., index]
        own = np.array(own, np.float32)
        middles = (own[1:].astype(np.float64) + own[:-1]) / 2
        level = own[np.searchsorted(middles, values.astype(np.float64), side="right")]
        level = np.where(np.isnan(values), values, level)
        if len(levels) == 1:
            return level.astype(raw.dtype)
        rounded[..., index] = level
    return rounded


def median_filter(raw, window, axes):
    """Return the median of the `window` values around each, along the first axes of samples.

    Borders are padded symmetrically. NaN is left out of a median, and stays NaN; of an even number
    of values the lower middle one counts.
    """
    padded, height = raw, raw.shape[1]
    for axis in range(1, axes + 1):
        padded = np.take(padded, symmetric_indices(raw.shape[axis], window), axis=axis)
    near = [padded[:, i : i + height] for i in range(window)]
    if axes == 2:
        width = raw.shape[2]
        near = [part[:, :, i : i + width] for part in near for i in range(window)]
    near = np.stack(near)
    if raw.dtype.kind != "f":
        return np.partition(near, len(near) // 2, axis=0)[len(near) // 2]
    near = np.sort(near, axis=0)  # NaN comes last
    middle = np.maximum((~np.isnan(near)).sum(axis=0) - 1, 0) // 2
    medians = np.take_along_axis(near, middle[None], axis=0)[0]
    return np.where(np.isnan(raw), raw, medians)


def symmetric_indices(size, window):
    """Return the indices 0 to size - 1 found at -window // 2 to size + window // 2 - 1."""
    indices = np.arange(-(window // 2), size + window // 2) % (2 * size)
    return np.where(indices < size, indices, 2 * size - 1 - indices)
