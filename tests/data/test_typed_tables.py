"""Parquet, Feather and Excel are read as the CSV file of the same table is."""

import datetime
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.data.csv_rows import Form, names_of, rows_of
from pipeline.errors import ConfigError
from pipeline.new.table import read_table
from pipeline.new.write import write_config

COLUMNS: dict[str, list[Any]] = {
    "when": [datetime.datetime(2026, 1, 1, hour) for hour in range(24)] * 4,
    "size": [1.5, None, 2.25, 1e-3] * 24,
    "count": [1, 2, 3, -4] * 24,
    "color": ["red", "blue, dark", 'a "b"', ""] * 24,
    "ok": [True, False, False, True] * 24,
}
SUFFIXES = ("parquet", "feather", "xlsx")


def save(folder: Path, suffix: str, columns: dict[str, list[Any]]) -> Path:
    path = folder / f"t.{suffix}"
    if suffix == "xlsx":
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        for row in [list(columns), *zip(*columns.values(), strict=True)]:
            book.active.append(row)
        book.save(path)
        return path
    import pyarrow
    from pyarrow import feather, parquet

    table = pyarrow.table(columns | {"__index_level_0__": list(range(len(columns["count"])))})
    if suffix == "parquet":
        parquet.write_table(table, path)
    else:
        feather.write_feather(table, path)
    return path


def read(path: Path) -> tuple[list[str], list[list[str]]]:
    names = names_of(path, Form(numbers=True))
    return names, [cells for _, cells in rows_of(path, Form(numbers=True), len(names))]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_has_the_same_cells_in_every_form(tmp_path: Path, suffix: str) -> None:
    names, rows = read(save(tmp_path, suffix, COLUMNS))
    assert names == list(COLUMNS)
    wanted = [
        ["" if cell is None else str(cell) for cell in row]
        for row in zip(*COLUMNS.values(), strict=True)
    ]
    assert rows == wanted


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_new_proposes_the_same_for_every_form(tmp_path: Path, suffix: str) -> None:
    columns = {key: COLUMNS[key] for key in ("size", "count", "color")}
    columns["label"] = ["no", "yes"] * 48
    path = save(tmp_path, suffix, columns)
    write_config(tmp_path / "c.yaml", path, None)
    table = read_table(path)
    assert table is not None
    assert table.has_header
    assert [column.kind for column in table.columns] == ["number", "number", "category", "category"]
    assert f"path: t.{suffix}, label: label" in (tmp_path / "c.yaml").read_text()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_damaged_file_is_one_message(tmp_path: Path, suffix: str) -> None:
    if suffix == "xlsx":
        pytest.importorskip("openpyxl")
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(b"PAR1 of another kind")
    with pytest.raises(ConfigError, match=rf"t\.{suffix}: no {suffix} file, or damaged: "):
        read(path)


def test_columns_of_lists_are_named(tmp_path: Path) -> None:
    path = save(tmp_path, "parquet", {"count": [1, 2], "x": [[1.0, 2.0], [3.0, 4.0]]})
    with pytest.raises(ConfigError, match="column x holds lists or records; wanted numbers"):
        read(path)


def test_a_missing_library_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(ConfigError, match=r"needs openpyxl: pip install 'edgeline\[tables\]'"):
        read(tmp_path / "t.xlsx")


def test_an_old_workbook_is_named_as_one(tmp_path: Path) -> None:
    (tmp_path / "t.xls").write_bytes(b"\xd0\xcf")
    with pytest.raises(ConfigError, match="before 2007; save it as"):
        read(tmp_path / "t.xls")
