"""A broken file of each kind: one clear message with its place, or a finding; never a traceback."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.data.dataset import Dataset
from pipeline.errors import ConfigError
from tests.data.conftest import findings

Prepared = Callable[..., Dataset]
Break = Callable[[Path], object]


def line(number: int, change: Callable[[str], str]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        rows = path.read_text().splitlines()
        rows[number - 1] = change(rows[number - 1])
        path.write_text("\n".join(rows) + "\n")

    return apply


def cut_in_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def not_utf8(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"ham\tcaf\xe9\n")


def emptied(path: Path) -> None:
    for file in path.iterdir():
        file.unlink()


REFUSED: list[tuple[str, str, Break, str]] = [
    (
        "machines_csv",
        "machines.csv",
        line(7, lambda row: row.rsplit(",", 1)[0]),
        r"csv:7: 6 values; wanted 7",
    ),
    (
        "machines_csv",
        "machines.csv",
        line(9, lambda row: row.replace(row.split(",")[3], "warm")),
        r"csv:9: temperature: 'warm' is not a number",
    ),
    ("machines_csv", "machines.csv", lambda path: path.write_text(""), "the file is empty"),
    (
        "machines_csv",
        "machines.csv",
        lambda path: path.write_text("a,b\n"),
        "has no column 'state'; it has a, b",
    ),
    (
        "machines_csv",
        "machines.csv",
        line(1, lambda row: row + ",mode"),
        "two columns are called mode",
    ),
    ("messages_text", "messages.tsv", not_utf8, r"tsv:1502: not utf-8 text"),
    (
        "messages_text",
        "messages.tsv",
        line(3, lambda row: row + "\tmore"),
        r"tsv:3: 3 values; wanted 2",
    ),
    (
        "sensors_series",
        "sensors/sensor2.csv",
        line(5, lambda row: row.split(",")[0] + ",x"),
        r"sensor2.csv:5: value: wanted a number, got 'x'",
    ),
    (
        "sensors_series",
        "sensors/sensor2.csv",
        line(5, lambda row: "soon,1.0"),
        r"sensor2.csv:5: timestamp: 'soon' is no moment",
    ),
    ("sensors_series", "sensors/anomalies.json", lambda path: path.write_text("{"), "wanted JSON"),
    (
        "sensors_series",
        "sensors/anomalies.json",
        lambda path: path.write_text("{}"),
        "names none of the files",
    ),
    ("gestures_series", "gestures/line", emptied, "no recording file .* in class folder line"),
    ("tones_audio", "tones/low", emptied, "no recording file .* in class folder low"),
    ("pictures_folder", "pictures/ring", emptied, "no image file .* in class folder ring"),
    ("shapes_npz", "shapes.npz", cut_in_half, "no .npz file, or cut short"),
    (
        "shapes_npz",
        "shapes.npz",
        lambda path: np.savez(path, x=np.zeros(3)),
        "has no array y; it has x",
    ),
    (
        "shapes_npz",
        "shapes.npz",
        lambda path: np.savez(path, x=np.array([{}]), y=[1]),
        "holds Python objects",
    ),
    (
        "shapes_npz",
        "shapes.npz",
        lambda path: np.savez(path, x=np.zeros((3, 2)), y=[1, 0]),
        "arrays of different lengths",
    ),
]


@pytest.mark.parametrize(("config", "file", "change", "message"), REFUSED)
def test_what_cannot_be_used_is_refused_with_its_place(
    own_sets: Path,
    prepared: Prepared,
    config: str,
    file: str,
    change: Break,
    message: str,
    counted: Callable[..., None],
) -> None:
    change(own_sets / "runs/generated" / file)
    with pytest.raises(ConfigError, match=message):
        prepared(own_sets, config)
    counted("bad inputs")


LEFT_OUT: list[tuple[str, str, Break, str, str]] = [
    ("tones_audio", "tones/low/low_anna_0.wav", cut_in_half, "unreadable_recordings", "cut short"),
    (
        "tones_audio",
        "tones/low/low_anna_0.wav",
        lambda path: path.write_bytes(b""),
        "unreadable_recordings",
        "low_anna_0.wav",
    ),
    (
        "tones_audio",
        "tones/low/low_anna_0.flac",
        lambda path: path.write_bytes(b"fLaC"),
        "unreadable_recordings",
        "low_anna_0.flac",
    ),
    (
        "gestures_series",
        "gestures/line/003.csv",
        line(4, lambda row: row + ",3"),
        "unreadable_recordings",
        "003.csv:4: 3 values; wanted 2",
    ),
    (
        "gestures_series",
        "gestures/line/003.csv",
        line(4, lambda row: "a,b"),
        "unreadable_recordings",
        "003.csv:4: wanted a number, got 'a'",
    ),
    (
        "gestures_series",
        "gestures/line/003.csv",
        lambda path: path.write_bytes(b"\xff\xfe"),
        "unreadable_recordings",
        "003.csv",
    ),
    (
        "gestures_series",
        "gestures/line/003.csv",
        line(4, lambda row: ",1"),
        "missing_values",
        "1 values",
    ),
    (
        "gestures_series",
        "gestures/line/notes.txt",
        lambda path: path.write_text("x"),
        "other_files",
        "notes.txt",
    ),
    ("pictures_folder", "pictures/ring/003.png", cut_in_half, "unreadable_images", "003.png"),
    (
        "machines_csv",
        "machines.csv",
        line(4, lambda row: row.rsplit(",", 1)[0] + ","),
        "rows_without_label",
        "1 rows",
    ),
    (
        "messages_text",
        "messages.tsv",
        line(4, lambda row: "ham\t "),
        "empty_texts",
        "messages.tsv:4",
    ),
    (
        "sensors_series",
        "sensors/sensor2.csv",
        line(8, lambda row: row.split(",")[0] + ","),
        "missing_values",
        "1 values",
    ),
]


@pytest.mark.parametrize(("config", "file", "change", "code", "text"), LEFT_OUT)
def test_what_can_be_left_out_is_and_is_reported(
    own_sets: Path,
    prepared: Prepared,
    config: str,
    file: str,
    change: Break,
    code: str,
    text: str,
    counted: Callable[..., None],
) -> None:
    change(own_sets / "runs/generated" / file)
    said = findings(prepared(own_sets, config))
    assert text in said[code].text
    counted("bad inputs")


def test_a_class_that_is_only_in_test_is_refused(own_sets: Path, prepared: Prepared) -> None:
    path = own_sets / "runs/generated/machines.csv"
    test = own_sets / "test.csv"
    test.write_text(path.read_text().replace(",ok\n", ",lost\n"))
    with pytest.raises(ConfigError, match=r"classes without a training sample: lost \(\d+ samples"):
        prepared(own_sets, "machines_csv", f"data.source.test_path={test}", "data.split.by=given")


def test_a_huge_picture_among_small_ones_is_resized(own_sets: Path, prepared: Prepared) -> None:
    from PIL import Image

    Image.new("L", (3024, 3024), 90).save(own_sets / "runs/generated/pictures/ring/huge.jpg")
    dataset = prepared(own_sets, "pictures_folder")
    huge = dataset.read(np.flatnonzero(dataset.ids == "ring/huge.jpg"))["image"]
    assert huge.shape == (1, 16, 16, 1)
    assert (huge == 90).all()


def test_the_command_ends_with_2_and_leaves_nothing_half_written(own_sets: Path) -> None:
    line(7, lambda row: row + ",9")(own_sets / "runs/generated/machines.csv")
    runs = own_sets / "r"
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "data", str(own_sets / "configs/machines_csv.yaml"),
         "--runs", str(runs), "--exported", str(own_sets / "e")],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "machines.csv:7: 8 values; wanted 7" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (runs / "machines_csv" / "data").exists()
    assert not (own_sets / "e").exists()


@pytest.mark.parametrize(
    ("config", "file", "old"),
    [("machines_csv", "machines.csv", "state"), ("messages_text", "messages.tsv", "label")],
)
def test_many_numbers_and_a_word_are_no_labels(
    own_sets: Path, prepared: Prepared, config: str, file: str, old: str
) -> None:
    path = own_sets / "runs/generated" / file
    delimiter = "\t" if file.endswith("tsv") else ","
    header, *rows = path.read_text().splitlines()
    place = header.split(delimiter).index(old)
    for number, row in enumerate(rows):
        cells = row.split(delimiter)
        cells[place] = "soon" if number == 1200 else f"{number * 1.5}"
        rows[number] = delimiter.join(cells)
    path.write_text("\n".join([header, *rows]) + "\n")
    with pytest.raises(ConfigError, match=rf"not all are numbers: 'soon' at .*{file}:1202;"):
        prepared(own_sets, config)
