"""What a person's file looks like in training, the device reads: delimiter, commas, separators."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema import CsvSource, SeriesCsvSource
from pipeline.data.csv_source import open_csv
from pipeline.data.series_csv import open_series_csv
from pipeline.documents.preprocess import SeriesEntry
from pipeline.ondevice.columns import read_rows
from pipeline.ondevice.number_format import plain_cell
from pipeline.ondevice.series import read_series
from tests.documents.preprocess import entry_of

FORMS = {  # delimiter in the config, first line, how 1234.5 and -0.25 are written
    "plain": (",", "", "1234.5", "-0.25"),
    "decimal comma": (";", "", "1234,5", "-0,25"),
    "grouped comma": (";", "", "1.234,5", "-0,25"),
    "thousands": (",", "", '"1,234.5"', "-0.25"),
    "sep": (",", "sep=;\n", "1234,5", "-0,25"),
}


def table(path: Path, form: str, kind: str) -> str:
    """Write a table, and return it as a person gives it to the device: without the first line."""
    delimiter, first, large, small = FORMS[form]
    own = ";" if first else delimiter
    head = own.join(("at", "x", "y"))
    rows = [own.join((str(i * i), large if i % 3 else small, "ab"[i % 2])) for i in range(40)]
    body = "\n".join([head, *rows]) + "\n"
    path.write_text(first + body)
    return body


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_a_table_are_read_as_in_training(tmp_path: Path, form: str) -> None:
    body = table(tmp_path / "t.csv", form, "csv")
    source = CsvSource(kind="csv", path="t.csv", label="y", delimiter=FORMS[form][0], drop=("at",))
    opened = open_csv(source, tmp_path, None)
    (spec,) = opened.inputs
    trained = np.concatenate([c.inputs["features"] for c in opened.chunks() if len(c.ids)])
    assert set(trained.ravel()) == {1234.5, -0.25}
    (tmp_path / "given.csv").write_text(body)
    column = {"name": "x", "kind": "number", "encoding": "standard", "impute_value": 0.0}
    column |= {"low": 0.0, "high": 1.0, "offset": 0.0, "scale": 1.0}
    shared = {"name": "features", "kind": "columns", "columns": [column]}
    entry = entry_of(shared | dict(spec.cells))
    found = read_rows(str(tmp_path / "given.csv"), [entry])["features"]
    np.testing.assert_array_equal(found, trained)


@pytest.mark.parametrize("form", FORMS)
def test_rows_of_a_series_are_read_as_in_training(tmp_path: Path, form: str) -> None:
    body = table(tmp_path / "t.csv", form, "series")
    source: Any = SeriesCsvSource(
        kind="series_csv", path="t.csv", timestamp="at", values=("x",), label="y", window=40,
        delimiter=FORMS[form][0],
    )  # fmt: skip
    opened = open_series_csv(source, tmp_path, None)
    entry = opened.inputs[0].template
    assert isinstance(entry, SeriesEntry)
    trained = np.concatenate([c.inputs["series"] for c in opened.chunks() if len(c.ids)])
    (tmp_path / "given.csv").write_text(body)
    named = entry.model_copy(update={"columns": [_Named("x")]})
    np.testing.assert_array_equal(read_series(str(tmp_path / "given.csv"), named), trained)


class _Named:
    def __init__(self, name: str) -> None:
        self.name = name


@pytest.mark.parametrize("suffix", ["xlsx", "parquet"])
def test_the_device_says_to_save_other_tables_as_csv(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(b"PK")
    entry = entry_of({"name": "x", "kind": "columns", "columns": []})
    with pytest.raises(ValueError, match=f"{suffix} files are not read here: save it as .csv"):
        read_rows(str(path), [entry])


@pytest.mark.parametrize(
    ("cell", "thousands", "comma"),
    [
        ("1,234.5", "1234.5", "1,234.5"),
        ("1.234,5", "1.234,5", "1234.5"),
        ("1,5", "1,5", "1.5"),
        ("1.5", "1.5", "1.5"),
        ("a,b", "a,b", "a,b"),
        ("-1 234,5e3", "-1 234,5e3", "-1234.5e3"),
    ],
)
def test_only_numbers_change(cell: str, thousands: str, comma: str) -> None:
    assert plain_cell(cell, "plain") == cell
    assert plain_cell(cell, "thousands") == thousands
    assert plain_cell(cell, "decimal_comma") == comma
