"""Delimited files as programs write them, and moments as people do."""

import gzip
from pathlib import Path

import pytest

from pipeline.data.csv_rows import Form, names_of, rows_of
from pipeline.data.moments import moment
from pipeline.errors import ConfigError
from pipeline.new.table import read_table

NAMES, ROWS = ["a", "b", "s"], [["1.5", "20", "x"], ["2.25", "30", "y"], ["3.5", "40", "x"]] * 2
PLAIN = "1.5,20,x\n2.25,30,y\n3.5,40,x\n" * 2


def read(path: Path, form: Form) -> tuple[list[str], list[list[str]]]:
    names = names_of(path, form)
    return names, [cells for _, cells in rows_of(path, form, len(names))]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b,s\n" + PLAIN, ","),
        ("# logger\n# 100 Hz, two axes\na,b,s\n" + PLAIN, ","),
        ("sep=;\n" + ("a,b,s\n" + PLAIN).replace(",", ";"), ","),
        ("a,b,s\nmm,degC,-\n" + PLAIN, ","),
        ("a,b,s\n" + PLAIN.replace("\n", ",\n"), ","),
        (("a;b;s\n" + PLAIN.replace(",", ";").replace(".", ",")), ";"),
    ],
    ids=["plain", "comments", "sep", "units", "trailing", "decimal comma"],
)
def test_forms_of_one_table_are_the_same_table(tmp_path: Path, text: str, delimiter: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert read(path, Form(delimiter, numbers=True)) == (NAMES, ROWS)
    table = read_table(path)
    assert table is not None
    assert [(c.name, c.values) for c in table.columns] == [
        (name, list(cells)) for name, cells in zip(NAMES, zip(*ROWS, strict=True), strict=True)
    ]


def test_utf16_and_gzip_are_known_by_their_bytes(tmp_path: Path) -> None:
    text = "a,b,s\n" + PLAIN
    (tmp_path / "t.csv").write_bytes(text.encode("utf-16"))
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("t.csv", "t.csv.gz"):
        assert read(tmp_path / name, Form()) == (NAMES, ROWS)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text.encode())[:30])
    with pytest.raises(ConfigError, match="cannot be read to its end"):
        read(tmp_path / "t.csv.gz", Form())


def test_thousands_separators_are_no_part_of_a_number(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,s\n"1,234.50",x\n"12,000.00",y\n"7.25","a, b"\n')
    rows = read(path, Form(numbers=True))[1]
    assert rows == [["1234.50", "x"], ["12000.00", "y"], ["7.25", "a, b"]]


def test_a_table_of_words_keeps_its_first_row(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\nNA,x\n1,y\n2,x\n3,y\n")
    assert len(read(path, Form(numbers=True))[1]) == 4


def test_columns_without_a_name_get_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("v1,v2,,\nham,one two,,\n")
    assert names_of(path, Form()) == ["v1", "v2", "unnamed_3", "unnamed_4"]
    path.write_text("a,b\n1,2,3\n4,5,6\n")
    assert names_of(path, Form()) == ["row_names", "a", "b"]


def test_a_wrong_delimiter_is_named(tmp_path: Path) -> None:
    from pipeline.data.csv_rows import refuse_columns

    path = tmp_path / "t.csv"
    with pytest.raises(ConfigError, match=r'set data\.source\.delimiter: ";"'):
        refuse_columns({"data.source.label": ("s",)}, {"": path}, {"": ["a;b;s"]})


@pytest.mark.parametrize(
    "text",
    ["2009-01-31 00:10:00", "31.01.2009 00:10:00", "31/01/2009 00:10", "01/31/2009 12:10 AM",
     "2009-01-31 00:10:00 UTC", "2009-01-31T01:10:00+01:00", "31 Jan 2009 00:10", "1233360600",
     "Jan 31, 2009 12:10:00 AM"],
)  # fmt: skip
def test_moments_as_people_write_them(text: str) -> None:
    assert moment(text) == 1233360600


def test_day_and_month_are_not_guessed() -> None:
    with pytest.raises(ValueError, match="day and month may be exchanged"):
        moment("02/03/2009 10:00")
    assert moment("02/03/2009", "%d/%m/%Y") == moment("2009-03-02")
    with pytest.raises(ValueError, match="no time of day"):
        moment("2009/03/02 27:00")
