"""A table's model input where a few columns move: those are prepared anew, the others are kept.

An attack prepares its rows once a step; tables have many columns, and few of them move.

Legend: B batch, C columns of a row, M of them that move, D values of the model input.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import tensorflow as tf

from pipeline.documents.preprocess import CodesEntry, ColumnsEntry
from pipeline.samples import KINDS

SPLICED = ("columns", "codes")  # inputs whose columns are prepared one by one


def splice_columns(
    entry: ColumnsEntry | CodesEntry, rows_BC: Any, base_BD: Any, *, moved: Sequence[int]
) -> Any:
    """Return the model input of rows that differ from those of `base` in some columns alone.

    Args:
        entry: of preprocess.json, of a kind in SPLICED.
        rows_BC: raw rows.
        base_BD: model input of the rows that they were.
        moved: places of the columns that may differ, ascending.
    """
    if not moved:
        return base_BD
    columns = entry.columns
    own = entry.model_copy(update={"columns": [columns[i] for i in moved]})
    new_BM = KINDS[entry.kind].encode(tf, tf.gather(rows_BC, list(moved), axis=1), own)
    widths = [1 if isinstance(entry, CodesEntry) else column.width for column in columns]
    pieces, at_base, at_new = [], 0, 0
    for is_moved, group in groupby(range(len(columns)), key=lambda i: i in moved):
        width = sum(widths[i] for i in group)
        piece = new_BM[:, at_new : at_new + width] if is_moved else base_BD[:, at_base:][:, :width]
        pieces.append(piece)
        at_base, at_new = at_base + width, at_new + width * is_moved
    return tf.concat(pieces, axis=1)
