"""Samples of every kind: drawn whole, safe with any text, and nothing where none was kept."""

import base64
import io
import re
import wave
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from pipeline.report.samples import cells, curves, gallery
from tests.documents.preprocess import entry_of

SOUND: dict[str, Any] = {
    "name": "audio", "kind": "audio", "raw_dtype": "int16", "shape": [9, 8, 1], "samples": 800,
    "sample_rate": 8000, "window": 160, "stride": 80, "bins": 8, "fft": 256, "features": "log_mel",
    "low_hz": 20.0, "high_hz": 4000.0, "offset": [0.0] * 8, "scale": [1.0] * 8,
}  # fmt: skip
COLUMNS = [
    {"name": "age", "kind": "number"},
    {"name": "work", "kind": "category", "values": ["<b>none</b>", "clerk"]},
]
ENTRIES: dict[str, dict[str, Any]] = {
    "image": {"name": "image", "kind": "image", "raw_dtype": "uint8"},
    "series": {"name": "series", "kind": "series"},
    "tokens": {"name": "text", "kind": "tokens"},
    "columns": {"name": "row", "kind": "columns", "columns": COLUMNS},
}


def raw(kind: str, count: int = 3) -> Any:
    if kind == "image":
        return np.full((count, 4, 4, 1), 9, np.uint8)
    if kind == "series":
        return np.where(np.eye(6)[None] > 0, np.nan, 1.0).repeat(count, axis=0)
    if kind == "tokens":
        return np.stack([np.frombuffer(b"<script>hi</script>\0\0", np.uint8)] * count)
    return np.stack([np.array([31.0, 0.0]), np.array([np.nan, -1.0]), np.array([1e6, 1.0])])


@pytest.mark.parametrize("kind", list(ENTRIES))
def test_a_sample_of_every_kind_is_shown_with_its_note(kind: str) -> None:
    entry = entry_of(ENTRIES[kind])
    figures = {f"sample_input_{entry.name}": raw(kind)}
    drawn = gallery(figures, "sample", [entry], notes=["one", "two & more", "three"])
    HTMLParser().feed(drawn)
    assert "two &amp; more" in drawn
    assert "<script" not in drawn
    assert "<b>" not in drawn


def test_a_recording_can_be_played_as_it_was() -> None:
    sound = (3000 * np.sin(np.arange(800) / 3)).astype(np.int16)
    drawn = gallery(
        {"sample_input_audio": sound[None]}, "sample", [entry_of(SOUND)], notes=["a tone"]
    )
    (content,) = re.findall(r"data:audio/wav;base64,([^\"]*)", drawn)
    with wave.open(io.BytesIO(base64.b64decode(content))) as file:
        assert file.getframerate() == 8000
        assert np.array_equal(np.frombuffer(file.readframes(900), "<i2"), sound)
    assert "spectrogram: a tone" in drawn


def test_nothing_is_shown_where_nothing_was_kept() -> None:
    entry = entry_of(ENTRIES["image"])
    assert gallery({}, "changed", [entry], notes=[]) == ""
    assert gallery({"changed_input_image": raw("image")[:0]}, "changed", [entry], notes=[]) == ""


def test_fewer_samples_than_notes_are_shown_as_they_are() -> None:
    drawn = gallery(
        {"s_input_image": raw("image", 1)}, "s", [entry_of(ENTRIES["image"])], notes=["a", "b"]
    )
    assert drawn.count("<li>") == 1


def test_cells_are_named_and_what_is_unknown_says_so() -> None:
    entry = entry_of(ENTRIES["columns"])
    found = [cells(row, entry) for row in raw("columns")]
    assert found[0] == {"age": "31", "work": "<b>none</b>"}
    assert found[1] == {"age": "–", "work": "–"}
    assert found[2]["work"] == "clerk"


@pytest.mark.parametrize("values", [np.full((5, 2), np.nan), np.zeros((1, 1)), np.ones((500, 9))])
def test_a_small_curve_of_anything_stays_in_its_frame(values: Any) -> None:
    for points in re.findall(r'points="([^"]*)"', curves(values, "x")):
        for pair in points.split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= 168
            assert 0 <= y <= 64
