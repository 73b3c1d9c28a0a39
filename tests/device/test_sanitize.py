"""Raw samples on the device: what is refused and in which words, and what is left to a person."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ondevice.decide import OUTSIDE, SUSPECT, UNSURE
from pipeline.ondevice.tokens import encode_text
from tests.device.lenient import (
    check_samples,
    decide_outputs,
    decide_samples,
    find_out_of_range,
    prepare_input,
    prepare_inputs,
)

IMAGE = {
    "name": "x", "kind": "image", "shape": [4, 4, 1], "offset": 0.0, "scale": 1 / 255,
    "raw_dtype": "uint8",
}  # fmt: skip
AUDIO = {"name": "x", "kind": "audio", "shape": [3, 3, 1], "raw_dtype": "int16", "samples": 5}
TABLE = {
    "name": "x", "kind": "table", "shape": [2], "raw_dtype": "float32", "columns": ["age", "pay"],
    "offset": 0.0, "scale": 1.0,
}  # fmt: skip
NUMBER = {
    "name": "pay",
    "kind": "number",
    "encoding": "robust",
    "impute_value": 0.0,
    "low": 0.0,
    "high": 1.0,
}
COLOR = {"name": "color", "kind": "category", "category_index": [0, 1, 2], "width": 4}
ROWS = {
    "name": "x", "kind": "columns", "shape": [5], "raw_dtype": "float32",
    "columns": [NUMBER, COLOR],
}  # fmt: skip
WORDS = {
    "name": "x", "kind": "tokens", "shape": [4], "raw_dtype": "uint8", "unit": "words",
    "lower": True, "vocabulary": ["good", "bad"],
}  # fmt: skip
SERIES = {
    "name": "x", "kind": "series", "shape": [3, 1], "raw_dtype": "float32",
    "per_window_standardize": False,
    "columns": [NUMBER],
}  # fmt: skip
RULE = {"median": None, "bit_depth": None, "limits": None, "levels": None}


@pytest.mark.parametrize(
    ("entry", "raw", "words"),
    [
        (IMAGE, np.zeros((4, 4)), r"input x: wanted samples of shape \(4, 4, 1\) or of another"),
        (IMAGE, np.zeros((1, 4, 4, 3)), "give .N, height, width, channels."),
        (IMAGE, np.full((1, 4, 4, 1), 0.5), "wanted uint8 from 0 to 255, got float64 from 0.5 to "),
        (IMAGE, np.full((1, 4, 4, 1), 0.5), "multiply by 255 and round"),
        (IMAGE, np.full((1, 4, 4, 1), 99.5), "round them to whole numbers"),
        (IMAGE, np.full((1, 4, 4, 1), 256), "got int64 from 256 to 256; bring them into that"),
        (IMAGE, np.full((1, 4, 4, 1), -1), "from 0 to 255, got int64 from -1 to -1"),
        (IMAGE, np.full((1, 4, 4, 1), "a"), "wanted numbers of type uint8, got type <U1"),
        (AUDIO, np.zeros(5, np.int16), r"wanted recordings \(N, samples\), got shape \(5,\)"),
        (AUDIO, np.full((1, 5), 1.5), "wanted int16, or floats from -1 to 1, got floats from 1.5"),
        (AUDIO, np.full((1, 5), np.nan), "wanted floats from -1 to 1, got NaN"),
        (AUDIO, np.full((1, 5), 40000), "wanted int16 from -32768 to 32767, got int64 from 40000"),
        (TABLE, np.zeros((2, 3)), r"wanted samples of shape \(2,\), got \(3,\)"),
        (TABLE, [[0, 1], [2, np.nan]], "wanted a number, got NaN in sample 2, column pay; correct"),
        (TABLE, [[0, 1], [np.inf, 2]], "got infinity in sample 2, column age"),
        (TABLE, np.array([[0, 1], [1e300, 2]]), r"got 1e\+300 in sample 2, column age"),
        (ROWS, np.zeros((1, 3)), r"wanted rows of 2 values, got shape \(1, 3\)"),
        (ROWS, [[-np.inf, 0]], "wanted a number or NaN, got infinity in sample 1, column pay"),
        (ROWS, [[0, 0], [0, 3]], "a category from 0 to 2, or -1 .* got 3 in sample 2, column col"),
        (ROWS, [[0, 0.5]], "got 0.5 in sample 1, column color; number them as preprocess.json"),
        (ROWS, [[0, -2]], "got -2 in sample 1"),
        (SERIES, np.zeros((2, 3)), r"wanted samples of shape \(3, 1\), got \(3,\)"),
        (SERIES, np.full((1, 3, 1), np.inf), "infinity in sample 1, column pay"),
        (WORDS, np.zeros(4, np.uint8), r"wanted texts \(N, bytes\)"),
        (WORDS, np.full((1, 4), 300), "wanted uint8 from 0 to 255"),
        (WORDS, np.zeros((1, 4)), "wanted uint8 from 0 to 255, got float64"),
    ],
)
def test_wrong_samples_are_refused_in_one_line(entry: dict[str, Any], raw: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        prepare_input(np.asarray(raw), entry)
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith("input x: wanted ")
    assert "; " in said  # what to do


@given(st.integers(0, 999))
def test_whole_numbers_of_any_type_are_taken_as_they_are(seed: int) -> None:
    raw = np.random.default_rng(seed).integers(0, 256, (3, 4, 4, 1))
    wanted = prepare_input(raw.astype(np.uint8), IMAGE)
    for dtype in (np.int16, np.int64, np.uint32):
        np.testing.assert_array_equal(prepare_input(raw.astype(dtype), IMAGE), wanted)


def test_sound_of_floats_is_that_of_16_bits() -> None:
    raw = np.array([[-32768, -1, 0, 1, 32767]], np.int16)
    np.testing.assert_array_equal(check_samples(raw / 32768, AUDIO), raw)
    assert check_samples(np.ones((1, 5)), AUDIO).max() == 32767


@pytest.mark.parametrize("policy", ["clip", "abstain", "refuse"])
def test_what_is_far_outside_is_cut_left_or_refused(policy: str) -> None:
    rule = RULE | {"range": policy, "limits": [[0.0, 10.0], [-5.0, 5.0]]}
    preprocess = {"labels": ["a", "b"], "inputs": [TABLE | {"sanitize": rule}]}
    raw = {"x": np.array([[1, 2], [1, 99], [10, -5], [-3, 0]], np.float32)}

    def ask(raw: Any, preprocess: Any) -> Any:
        prepare_inputs(raw, preprocess)
        return {"p": np.tile([0.9, 0.1], (4, 1))}

    if policy == "refuse":
        wanted = "input x: sample 2 is far outside the training range: pay = 99, wanted -5 to 5"
        with pytest.raises(ValueError, match=wanted):
            decide_samples(ask, raw, preprocess, "model_int8.tflite")
        return
    answers = decide_samples(ask, raw, preprocess, "model_int8.tflite")
    far = [] if policy == "clip" else [OUTSIDE]
    assert [a["why"] for a in answers] == [[], far, [], far]
    assert [a["decision"] == "abstain" for a in answers] == [bool(a["why"]) for a in answers]
    cut = prepare_input(raw["x"], preprocess["inputs"][0])
    np.testing.assert_array_equal(cut[[1, 3]], [[1, 5], [0, 0]])


def test_a_text_of_which_no_word_is_known_is_far() -> None:
    rule = RULE | {"range": "abstain"}
    texts = [encode_text(text, 12) for text in ("good", "gut", "so bad")]
    raw = np.zeros((3, 12), np.uint8)
    for row, text in zip(raw, texts, strict=True):
        row[: len(text)] = text
    assert find_out_of_range(raw, WORDS | {"sanitize": rule}) == {1: "no known word"}


@given(st.integers(0, 999), st.floats(0.05, 1.5))
def test_the_detector_abstains_where_squeezing_changes_the_answer(seed: int, limit: float) -> None:
    rng = np.random.default_rng(seed)
    with_it, without = rng.dirichlet(np.ones(3), (2, 20))
    entry = IMAGE | {"sanitize": RULE | {"range": "clip", "bit_depth": 2}}
    preprocess = {"labels": list("abc"), "inputs": [entry], "detector": {"int8": limit}}

    def ask(raw: Any, by: Any) -> Any:
        is_plain = by["inputs"][0]["sanitize"]["bit_depth"] is None
        return {"p": without if is_plain else with_it}

    raw = {"x": np.zeros((20, 4, 4, 1), np.uint8)}
    answers = decide_samples(ask, raw, preprocess, "b/model_int8.tflite")
    flagged = np.array([SUSPECT in a["why"] for a in answers])
    np.testing.assert_array_equal(flagged, np.abs(with_it - without).sum(axis=1) > limit)
    assert all((a["decision"] == "abstain") == bool(a["why"]) for a in answers)
    other = decide_samples(ask, raw, preprocess, "model_float32.tflite")
    assert not any(a["why"] for a in other)


def test_reasons_to_abstain_are_told_apart() -> None:
    outputs = np.array([[0.5, 0.5], [0.5, 0.5], [1.0, 0.0], [1.0, 0.0]])
    rule = {"temperature": 1.0, "threshold": 0.4}
    doubts = [[], [SUSPECT], [SUSPECT], []]
    answers = decide_outputs(outputs, {"labels": ["a", "b"]}, None, rule, doubts)
    wanted = [[UNSURE], [SUSPECT, UNSURE], [SUSPECT], []]
    assert [a["why"] for a in answers] == wanted
    assert [a["decision"] for a in answers] == ["abstain"] * 3 + ["a"]
