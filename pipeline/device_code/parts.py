"""What a template needs to know of each kind of input; a kind has a row in PARTS and its template.

A part is a mapping of constants. `raw_members` are the lines of the struct of raw samples, and
`size_fields` are those that say its sizes: height and width, or a length.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from pipeline.device_code.constants import C_TYPES, c_members
from pipeline.documents.preprocess import (
    CategoryColumn,
    CodesEntry,
    Column,
    ColumnsEntry,
    ImageEntry,
    PiecewiseColumn,
    Preprocess,
    QuantileColumn,
    Sanitize,
    ScaledColumn,
    SeriesEntry,
    TableEntry,
    TokensEntry,
)
from pipeline.ondevice.tokens import FIRST_TOKEN

Part: TypeAlias = dict[str, object]


class UnsupportedError(ValueError):
    """The C library cannot do what a model's preprocessing or decision does; says what."""


def describe_table(entry: TableEntry, member: str) -> Part:
    """Return the part of plain numbers of a fixed shape."""
    dtype = np.dtype(entry.raw_dtype)
    if entry.raw_dtype not in C_TYPES:
        raise UnsupportedError(f"input {entry.name}: raw values of type {entry.raw_dtype}")
    rule = _without_median(entry.sanitize, entry.name)
    width = entry.shape[-1] if entry.shape else 1
    offsets, scales = np.atleast_1d(entry.offset), np.atleast_1d(entry.scale)
    return _limits(rule, width) | {
        "columns": entry.columns,
        "width": width,
        "raw_type": C_TYPES[entry.raw_dtype],
        "raw_count": math.prod(entry.shape),
        "raw_is_float": dtype.kind == "f",
        "offsets": offsets.tolist(),
        "scales": scales.tolist(),
        "raw_members": [f"const {C_TYPES[entry.raw_dtype]} *{member};"],
    }


def describe_columns(entry: ColumnsEntry | CodesEntry, member: str) -> Part:
    """Return the part of rows of numbers and categories."""
    rule = _without_median(entry.sanitize, entry.name)
    rows = _place_columns(entry.columns)
    categories = [
        row | {"index_type": "uint16_t" if column.width <= 1 << 16 else "uint32_t"}
        for row, column in zip(rows, entry.columns, strict=True)
        if isinstance(column, CategoryColumn)
    ]
    widest = max(
        sum(c.width for c in entry.columns), *(c.offset or 0 for c in _categories(entry)), 0
    )
    return _limits(rule, len(entry.columns)) | {
        "columns": rows,
        "categories": categories,
        "has_categories": bool(categories),
        "missing": entry.missing,
        "first_type": "uint16_t" if widest < 1 << 16 else "uint32_t",
        "raw_type": "float",
        "raw_count": len(entry.columns),
        "raw_members": [f"const float *{member};"],
        **_by_encoding(entry.columns),
    }


def _categories(entry: ColumnsEntry | CodesEntry) -> list[CategoryColumn]:
    return [column for column in entry.columns if isinstance(column, CategoryColumn)]


def describe_series(entry: SeriesEntry, member: str) -> Part:
    """Return the part of windows of a time series."""
    rule, width = entry.sanitize, entry.shape[-1]
    return _limits(rule, width) | {
        "columns": _place_columns(entry.columns),
        "length": entry.shape[0],
        "width": width,
        "per_window": entry.per_window_standardize,
        "floor": entry.floor,
        "median": rule.median if rule is not None else None,
        "raw_type": "float",
        "raw_count": math.prod(entry.shape),
        "raw_members": [f"const float *{member};"],
        **_by_encoding(entry.columns),
    }


def describe_tokens(entry: TokensEntry, member: str) -> Part:
    """Return the part of texts: the vocabulary in the order of its bytes."""
    ids = {word.encode("utf-8", "surrogatepass"): i for i, word in enumerate(entry.vocabulary)}
    if any(b"\0" in word for word in ids):
        raise UnsupportedError(f"input {entry.name}: a word with a zero byte in its vocabulary")
    words = sorted(ids)
    rule = entry.sanitize
    last = FIRST_TOKEN + len(entry.vocabulary)
    return {
        "unit": entry.unit,
        "lower": entry.lower,
        "words": words,
        "ids": [ids[word] + FIRST_TOKEN for word in words],
        "id_type": "uint16_t" if last < 1 << 16 else "int32_t",
        "size_fields": [f"{member}_bytes"],
        "raw_type": "uint8_t",
        "raw_count": 1,
        "notes_outside": rule is not None and rule.range != "clip",
        "raw_members": [f"const uint8_t *{member};", f"size_t {member}_bytes;"],
    }


def describe_image(entry: ImageEntry, member: str) -> Part:
    """Return the part of images; those of 8 bits may have any size."""
    rule = entry.sanitize
    if entry.raw_dtype not in ("uint8", "uint16"):
        raise UnsupportedError(f"input {entry.name}: pixels of type {entry.raw_dtype}")
    median = None if rule is None else rule.median
    resizes = entry.raw_dtype == "uint8"
    height, width, channels = entry.shape
    words = {1: "gray pixels", 3: "pixels of red, green and blue"}
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "channel_words": words.get(channels, f"pixels of {channels} channels"),
        "raw_type": C_TYPES[entry.raw_dtype],
        "raw_count": channels,
        "offset": entry.offset,
        "scale_real": entry.scale,
        "median": median,
        "bit_depth": None if rule is None else rule.bit_depth,
        "top": int(np.iinfo(entry.raw_dtype).max),
        "resizes": resizes,
        "size_fields": [f"{member}_height", f"{member}_width"],
        "raw_members": [
            f"const {C_TYPES[entry.raw_dtype]} *{member};",
            f"size_t {member}_height, {member}_width;",
        ],
    }


def are_knots_floats(preprocess: Preprocess) -> bool:
    """Tell whether all knots and edges of columns are float32, as those of training are."""
    numbers = [
        number
        for entry in preprocess.inputs
        if isinstance(entry, ColumnsEntry | SeriesEntry)
        for column in entry.columns
        for number in _knots_of(column)
    ]
    return all(float(np.float32(number)) == number for number in numbers)


def _knots_of(column: Column) -> list[float]:
    if isinstance(column, QuantileColumn):
        return column.knots
    return column.edges if isinstance(column, PiecewiseColumn) else []


def _without_median(rule: Sanitize | None, name: str) -> Sanitize | None:
    if rule is not None and rule.median is not None:
        raise UnsupportedError(f"input {name}: the median of a row's columns")
    return rule


def _limits(rule: Sanitize | None, width: int) -> Part:
    """Return the constants of the ranges that training saw, and of reduced levels."""
    if rule is None:
        return {"limits": None, "levels": None, "notes_outside": False}
    limits, levels = rule.limits, rule.levels
    if limits is not None and len(limits) == 1:
        limits = limits * width
    if levels is not None and len(levels) == 1:
        levels = levels * width
    return {
        "limits": None if limits is None else [pair or (-np.inf, np.inf) for pair in limits],
        "levels": levels,
        "level_counts": [len(own or []) for own in levels or []],
        "notes_outside": rule.range != "clip" and limits is not None,
    }


def _place_columns(columns: Sequence[Column]) -> list[Part]:
    """Return a row a column: its kind, its number among them, and its first model input."""
    rows: list[Part] = []
    counts: dict[str, int] = {}
    macros = c_members(["columns", "values", "size", *(c.name for c in columns)])[3:]
    first = 0
    for place, (column, macro) in enumerate(zip(columns, macros, strict=True)):
        kind = _encoding_of(column)
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        row: Part = {"kind": kind, "number": number, "place": place, "macro": macro.upper()}
        rows.append(column.dump() | row | _place_category(column, first))
        first += column.width
    return rows


def _place_category(column: Column, first: int) -> Part:
    """Return the names of a column's categories, the last, and its first index."""
    if not isinstance(column, CategoryColumn):
        return {"names": [], "last": 0, "first": first}
    offset = first if column.offset is None else column.offset
    last = len(column.category_index) - 1
    return {"names": column.values, "last": last, "first": offset}


def _encoding_of(column: Column) -> str:
    if isinstance(column, CategoryColumn):
        return "category"
    if isinstance(column, QuantileColumn):
        return "ranked"
    return "piecewise" if isinstance(column, PiecewiseColumn) else "scaled"


def _by_encoding(columns: Sequence[Column]) -> Part:
    """Return the columns of numbers by their encoding, each list in the order of the columns."""
    return {
        "scaled": [column for column in columns if isinstance(column, ScaledColumn)],
        "ranked": [column for column in columns if isinstance(column, QuantileColumn)],
        "piecewise": [column for column in columns if isinstance(column, PiecewiseColumn)],
    }
