"""Tables with a header: read a .csv, encode numbers and categories."""

import csv
import os

import numpy as np

from pipeline.ondevice.document import refuse_input
from pipeline.ondevice.number_format import plain_cell
from pipeline.ondevice.numbers import encode_number, impute_unknown

TYPED = (".xlsx", ".xlsm", ".xls", ".parquet", ".pq", ".feather", ".arrow")


def check_row_shape(raw, entry):
    """Refuse what is no (N, columns)."""
    if raw.ndim != 2 or raw.shape[1] != len(entry.columns):
        wanted = "rows of %d values" % len(entry.columns)
        refuse_input(entry, wanted, "shape %s" % (raw.shape,), "give one row a sample")


def check_categories(raw, entry):
    """Return rows (N, C); refuse what stands for no category.

    Categories are counted from 0, and -1 is one that the column does not list.
    """
    for i, column in enumerate(entry.columns):
        if column.kind != "category":
            continue
        code, last = raw[:, i], len(column.category_index) - 1
        wrong = ~np.isnan(code) & ((code != np.floor(code)) | (code < -1) | (code > last))
        if wrong.any():
            wanted = "a category from 0 to %d, or -1 for one that is not listed" % last
            got = "%g in sample %d, column %s" % (
                code[wrong][0], np.argmax(wrong) + 1, column.name
            )  # fmt: skip
            refuse_input(entry, wanted, got, "number them as preprocess.json lists them")
    return raw


def encode_columns(raw, entry):
    """Return a table's rows (N, C) as (N, D) float32: numbers scaled, categories one-hot."""
    parts = [ENCODE_COLUMN[_encoding_of(c)](values, c) for values, c in zip(raw.T, entry.columns)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def encode_codes(raw, entry):
    """Return categories (N, C) as rows of one table of embeddings, (N, C) int32."""
    indices = [category_index(v, c) + c.offset for v, c in zip(raw.T, entry.columns)]
    return np.stack(indices, axis=1).astype(np.int32)


def _encoding_of(column):
    """Return how a column is encoded: a key of ENCODE_COLUMN."""
    return column.kind if column.kind == "category" else column.encoding


def _encode_one_hot(values, column):
    return np.eye(column.width)[category_index(values, column)]


def _encode_scaled(values, column):
    return encode_number(values, column)[:, None]


def encode_piecewise(values, column):
    """Return how far into each interval between two edges values (N,) are: 0 to 1, (N, K)."""
    x = impute_unknown(values, column)
    edges = np.array(column.edges)
    return np.clip((x[:, None] - edges[:-1]) / (edges[1:] - edges[:-1]), 0.0, 1.0)


ENCODE_COLUMN = {
    "category": _encode_one_hot,
    "standard": _encode_scaled,
    "robust": _encode_scaled,
    "quantile": _encode_scaled,
    "piecewise": encode_piecewise,
}


def category_index(values, column):
    """Return the index (N,) of each category; the last is for rare, new and missing ones."""
    code = np.where(np.isnan(values), -1, values).astype(np.int64)
    return np.array([*column.category_index, column.width - 1])[code]  # -1: the last


def encode_cell(cell, codes, missing):
    """Return the text of a table's cell as a number: NaN if it states no value.

    Args:
        cell: text of the cell.
        codes: category -> its number, -1 for those that are not listed; None: the cell is a number.
        missing: cells that state no value.
    """
    if cell in missing:
        return float("nan")
    return float(cell if codes is None else codes.get(cell, -1))


def refuse_typed(path):
    """Refuse a file of Excel or of pandas, which needs more than Python to be read."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in TYPED:
        raise ValueError("%s: %s files are not read here: save it as .csv" % (path, suffix[1:]))


def read_rows(path, entries):
    """Return name -> rows (N, C) float32 of a .csv file: columns by the names in its header."""
    entry = entries[0]
    refuse_typed(path)
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, delimiter=entry.delimiter)
        header = [name.strip(entry.strip) for name in next(reader, [])]
        places = {name: i for i, name in enumerate(header)}
        absent = [c.name for e in entries for c in e.columns if c.name not in places]
        if absent:
            raise ValueError("%s: wanted a header with %s" % (path, ", ".join(absent)))
        readers = {e.name: [(c, places[c.name], _codes_of(c)) for c in e.columns] for e in entries}
        rows = {e.name: [] for e in entries}
        for cells in filter(None, reader):
            place = "%s:%d" % (path, reader.line_num)
            for e in entries:
                values = [_read_cell(place, cells, column, e) for column in readers[e.name]]
                rows[e.name].append(values)
    if not rows[entry.name]:
        raise ValueError("%s: holds no row" % path)
    return {name: np.array(values, np.float32) for name, values in rows.items()}


def _codes_of(column):
    """Return category -> its number; None: the column holds numbers."""
    if column.kind != "category":
        return None
    return {value: i for i, value in enumerate(column.values)}


def _read_cell(place, cells, column, entry):
    described, index, codes = column
    cell = cells[index].strip(entry.strip) if index < len(cells) else None
    try:
        if cell is None:
            raise ValueError
        return encode_cell(plain_cell(cell, entry.number_format), codes, entry.missing)
    except ValueError:
        raise ValueError(
            "%s: %s: wanted a number, got %r" % (place, described.name, cell)
        ) from None
