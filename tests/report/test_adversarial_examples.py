"""Attacked rows, words, curves and sounds on the page: what changed, in words, and safe."""

from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from pipeline.report.adversarial_examples import draw_examples
from tests.report.conftest import good_run, typed_documents
from tests.report.test_samples import COLUMNS, SOUND

WORDS = ["win", "<i>now</i>", "free"]
TEXT: dict[str, Any] = {
    "name": "text", "kind": "tokens", "unit": "words", "lower": True, "shape": [6],
    "vocabulary": WORDS,
}  # fmt: skip
ROW: dict[str, Any] = {"name": "row", "kind": "columns", "columns": COLUMNS}
SERIES: dict[str, Any] = {
    "name": "series", "kind": "series", "columns": [{"name": "a & b"}, {"name": "still"}],
}  # fmt: skip


def page(entries: list[dict[str, Any]], figures: dict[str, Any], then: int = 1) -> str:
    count = len(next(iter(figures.values())))
    keys = {"labels": 0, "prediction_clean": 0, "prediction_adversarial": then}
    own = {name: np.full(count, value) for name, value in keys.items()}
    documents = {
        "figures": {"audit": figures | own},
        "preprocess": {"inputs": entries},
        "dataset": {"labels": {"names": ["ham & eggs", "<spam>"]}},
    }
    drawn = str(draw_examples(typed_documents(good_run() | documents)))
    HTMLParser().feed(drawn)
    assert "<spam>" not in drawn
    assert "<i>" not in drawn
    return drawn


def test_rows_tell_the_columns_that_moved_alone() -> None:
    before = np.array([[31.0, 0.0], [np.nan, 1.0]])
    after = np.array([[43.5, 0.0], [np.nan, 1.0]])
    drawn = page([ROW], {"before_row": before, "after_row": after})
    assert "31 → <strong>43.5</strong>" in drawn
    assert ">work<" not in drawn
    assert "true ham &amp; eggs: ham &amp; eggs → &lt;spam&gt;" in drawn


def test_words_that_were_replaced_are_struck_out_and_the_others_stand() -> None:
    raw = np.frombuffer(b"Hello WIN free zzz", np.uint8)[None]
    before, after = np.array([[1, 2, 4, 1, 0, 0]]), np.array([[1, 3, 4, 1, 0, 0]])
    figures = {"text_text": raw, "before_text": before, "after_text": after}
    drawn = page([TEXT], figures)
    assert "hello <del>win</del> <ins>&lt;i&gt;now&lt;/i&gt;</ins> free zzz" in drawn


def test_long_texts_are_cut_around_what_was_replaced() -> None:
    raw = np.frombuffer(b"free " * 60, np.uint8)[None]
    before = np.full((1, 60), 4)
    after = before.copy()
    after[0, 30] = 2
    figures = {"text_text": raw, "before_text": before, "after_text": after}
    drawn = page([TEXT], figures)
    assert drawn.count("…") == 2
    assert drawn.count("free") == 25


def test_curves_tell_how_far_each_channel_went_and_gaps_are_none() -> None:
    before = np.ones((1, 8, 2))
    before[0, 3, 0] = np.nan
    after = before.copy()
    after[0, 5, 0] = 1.25
    drawn = page([SERIES], {"before_series": before, "after_series": after})
    assert "largest change: a &amp; b 0.25<" in drawn
    assert drawn.count("<svg") == 3


@pytest.mark.parametrize("is_raw", [True, False])
def test_sounds_are_played_where_the_recording_was_moved_and_seen_where_bands_were(
    is_raw: bool,
) -> None:
    before = np.zeros((1, 800) if is_raw else (1, 9, 8, 1), np.float32)
    drawn = page([SOUND], {"before_audio": before, "after_audio": before + 327.68}, then=0)
    assert "still ham &amp; eggs" in drawn
    assert drawn.count("<audio") == (2 if is_raw else 0)
    assert ("largest change: 0.01 of full scale" in drawn) == is_raw


def test_tables_beside_others_are_told_in_words() -> None:
    entries = [SERIES, ROW]
    curve = np.ones((1, 8, 2))
    rows = {"before_row": np.array([[31.0, 0.0]]), "after_row": np.array([[31.0, 1.0]])}
    drawn = page(entries, {"before_series": curve, "after_series": curve + 1} | rows)
    assert "work: &lt;b&gt;none&lt;/b&gt; → <strong>clerk</strong>" in drawn


def test_nothing_is_shown_where_nothing_was_kept() -> None:
    documents = {"figures": {}, "preprocess": {"inputs": [ROW]}}
    assert draw_examples(typed_documents(good_run() | documents)) == ""
