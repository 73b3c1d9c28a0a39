"""Tables of other programs than text editors: Parquet, Feather, Excel; a row at a time, as text.

pyarrow comes with Edgeline, openpyxl by `pip install edgeline[tables]`.
"""

import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError

ARROW = {".parquet": "parquet", ".pq": "parquet", ".feather": "feather", ".arrow": "feather"}
EXCEL = (".xlsx", ".xlsm")
SUFFIXES = (*ARROW, *EXCEL)
ROWS = 4096  # that are in memory at a time
INDEX = re.compile(r"__index_level_\d+__\Z")  # row names of pandas
OLD_EXCEL = ".xls"

Row = tuple[int, list[str]]
"""Line, cells."""


def is_typed(path: Path) -> bool:
    """Tell whether a file is such a table, by the end of its name."""
    return path.suffix.lower() in (*SUFFIXES, OLD_EXCEL)


def has_header(path: Path) -> bool:
    """Tell whether a file says the names of its columns by its form."""
    return path.suffix.lower() in ARROW


def typed_rows(path: Path) -> Iterator[Row]:
    """Yield (number, cells as text) of each row, the names first; an unknown value is empty.

    Raises:
        ConfigError: a damaged file, a library that is missing, or a column of lists.
    """
    suffix = path.suffix.lower()
    if suffix == OLD_EXCEL:
        raise ConfigError(f"{path}: a workbook of before 2007; save it as .xlsx or .csv")
    rows = _arrow_rows(path) if suffix in ARROW else _excel_rows(path)
    try:
        yield from ((number, list(map(_text, cells))) for number, cells in enumerate(rows, 1))
    except ConfigError:
        raise
    except Exception as error:  # whatever a library makes of damaged bytes
        words = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"{path}: no {suffix[1:]} file, or damaged: {words}") from error


def _arrow_rows(path: Path) -> Iterator[list[Any]]:
    import pyarrow.types
    from pyarrow import dataset

    table = dataset.dataset(path, format=ARROW[path.suffix.lower()])
    kept = [name for name in table.schema.names if not INDEX.match(name)]
    nested = [name for name in kept if pyarrow.types.is_nested(table.schema.field(name).type)]
    if nested:
        raise ConfigError(
            f"{path}: column {nested[0]} holds lists or records; wanted numbers or texts: write "
            "each into a column of its own, or arrays into a .npz file"
        )
    yield kept
    for batch in table.to_batches(columns=kept, batch_size=ROWS):
        columns = [column.to_pylist() for column in batch.columns]
        yield from map(list, zip(*columns, strict=True))


def _excel_rows(path: Path) -> Iterator[list[Any]]:
    try:
        import openpyxl
    except ModuleNotFoundError:
        raise ConfigError(
            f"{path}: reading Excel files needs openpyxl: pip install 'edgeline[tables]', or save "
            "the sheet as .csv"
        ) from None
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        for cells in book.worksheets[0].iter_rows(values_only=True):
            if any(cell is not None for cell in cells):
                yield list(cells)
    finally:
        book.close()


def _text(cell: object) -> str:
    """Return a value as it would stand in a CSV file."""
    if cell is None:
        return ""
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, bytes):
        return cell.decode(errors="replace")
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))  # Excel has no whole numbers
    return str(cell)
