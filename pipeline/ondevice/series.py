"""Time series of one or more channels: read a .csv, cut to length, scale each channel."""

import csv

import numpy as np

from pipeline.ondevice.columns import refuse_typed
from pipeline.ondevice.number_format import plain_cell
from pipeline.ondevice.numbers import encode_number


def fit_series_length(rows, entry):
    """Return one recording (T, C) as samples (n, length, C).

    `entry.fit` is resample (linear interpolation), pad (repeat the last row, or cut) or window
    (`entry.stride` rows apart).
    """
    length = entry.length
    if entry.fit == "resample":
        positions = np.linspace(0, len(rows) - 1, length)
        below = np.minimum(positions.astype(np.int64), max(len(rows) - 2, 0))
        share = (positions - below)[:, None].astype(np.float32)
        above = np.minimum(below + 1, len(rows) - 1)
        return (rows[below] + (rows[above] - rows[below]) * share)[None]
    short = max(0, length - len(rows))
    padded = np.concatenate([rows, np.repeat(rows[-1:], short, axis=0)])
    if entry.fit == "pad":
        return padded[None, :length]
    starts = np.arange(0, len(padded) - length + 1, entry.stride)
    return padded[starts[:, None] + np.arange(length)]


def encode_series(raw, entry):
    """Return recordings (N, T, C) with each channel scaled, float32."""
    if entry.per_window_standardize:
        return _standardize_windows(raw, entry)
    channels = [encode_number(raw[..., i], column) for i, column in enumerate(entry.columns)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _standardize_windows(raw, entry):
    """Return windows less their own mean, over their own deviation; unknown values are the mean."""
    x, known = raw.astype(np.float64), ~np.isnan(raw)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, x, 0).sum(axis=1, keepdims=True) / count
    centered = np.where(known, x - mean, 0)
    deviation = np.sqrt((centered**2).sum(axis=1, keepdims=True) / count)
    return (centered / np.maximum(deviation, entry.floor)).astype(np.float32)


def read_series(path, entry):
    """Return a .csv of a row a moment as samples (n, length, C), float32."""
    names = [column.name for column in entry.columns]
    refuse_typed(path)
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(read_numbers(file, path, entry, names if entry.header else None))
    values = np.array([row for _, row in rows], np.float32).reshape(-1, len(names))
    if not len(values):
        raise ValueError("%s: holds no row" % path)
    if entry.fit == "window" and len(values) < entry.length:
        raise ValueError("%s: %d rows; wanted %d" % (path, len(values), entry.length))
    return fit_series_length(values, entry)


def read_numbers(lines, path, entry, names=None):
    """Yield (line, values of the columns) of each row: NaN for an unknown value.

    Args:
        lines: of a .csv file.
        path: of that file, for messages.
        entry: its `delimiter`, `number_format`, `missing` (what states no value) and `columns`.
        names: columns to look up in the header; None: there is no header, every cell is read.
    """
    reader = csv.reader(lines, delimiter=entry.delimiter)
    indices = None
    for cells in filter(None, reader):
        if names is not None and indices is None:
            header = [cell.strip() for cell in cells]
            places = {name: i for i, name in reversed(list(enumerate(header)))}
            absent = [name for name in names if name not in places]
            if absent:
                raise ValueError(
                    "%s:%d: no column %s; there are %s"
                    % (path, reader.line_num, ", ".join(absent), ", ".join(header))
                )
            indices, width = [places[name] for name in names], len(cells)
            continue
        if indices is None:
            indices, width = list(range(len(entry.columns))), len(entry.columns)
        if len(cells) != width:
            raise ValueError(
                "%s:%d: %d values; wanted %d" % (path, reader.line_num, len(cells), width)
            )
        yield reader.line_num, [_read_number(cells[i], path, reader, entry) for i in indices]


def _read_number(cell, path, reader, entry):
    cell = plain_cell(cell.strip(), entry.number_format)
    if cell in entry.missing:
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        value = float("inf")
    if abs(value) == float("inf"):
        raise ValueError("%s:%d: wanted a number, got %r" % (path, reader.line_num, cell))
    return value
