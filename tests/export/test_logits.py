"""Logits in 8 bits: the classes in question are told apart, those out of question are not."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.arrays import only
from pipeline.export.logits import SIGMOID, SOFTMAX, UNLIKELY, in_question
from pipeline.export.ranges import span_of
from pipeline.ondevice.interpreter import invoke_model, load_interpreter
from pipeline.verify.layers import layer_errors
from tests.export.conftest import Made, make_given

LEVELS = 256  # of 8 bits
ROUNDED_TO_ZERO = 1 / 2 / LEVELS  # the largest probability that 8 bits call zero


def softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 200.0))
def test_no_probability_in_8_bits_is_another(seed: int, spread: float) -> None:
    drawn = np.random.Generator(np.random.Philox(seed))
    logits = (spread * drawn.standard_normal((20, 1, 5))).astype(np.float32)
    full = span_of({"min": logits.min(), "max": logits.max()})
    low, high = in_question({7: SOFTMAX}, {7: full}, [{7: each} for each in logits])[7]
    assert full[0] <= low <= 0 <= high <= full[1]
    assert (softmax(logits)[logits < low] < ROUNDED_TO_ZERO).all()
    assert (softmax(logits)[logits > high] > 1 - 4 * ROUNDED_TO_ZERO).all()
    cut = np.clip(logits, low, high)
    assert np.abs(softmax(cut) - softmax(logits)).max() < 1 / LEVELS
    assert (cut.argmax(axis=-1) == logits.argmax(axis=-1)).all()


def test_a_sample_of_which_two_are_high_keeps_both() -> None:
    """The range reaches as far above the highest second logit as below the lowest first one."""
    samples = [{0: np.array([[5.0, 4.0, -60.0]])}, {0: np.array([[70.0, -1.0, -90.0]])}]
    assert in_question({0: SOFTMAX}, {0: (-90.0, 70.0)}, samples) == {
        0: (5 - UNLIKELY, 4 + UNLIKELY)
    }


@pytest.mark.parametrize("winner", [8.5, 60.0])
@pytest.mark.parametrize("other", [-60.0, -8.5, -7.9])
def test_a_class_that_always_wins_still_wins(winner: float, other: float) -> None:
    """Between others far below zero and winners far above it there was no range at all."""
    logits = np.array([[winner, other, -70.0]])
    low, high = in_question({0: SOFTMAX}, {0: (-70.0, winner)}, [{0: logits}])[0]
    cut = np.clip(logits, low, high)
    assert softmax(cut)[0, 0] > 1 - 4 * ROUNDED_TO_ZERO


def test_before_a_sigmoid_both_ends_are_cut() -> None:
    found = in_question({0: SIGMOID, 1: SIGMOID}, {0: (-40.0, 90.0), 1: (-1.0, 2.0)}, [])
    assert found == {0: (-UNLIKELY, UNLIKELY), 1: (-1.0, 2.0)}
    assert 1 / (1 + np.exp(UNLIKELY)) < ROUNDED_TO_ZERO


@pytest.fixture
def hardened(tmp_path: Path) -> Made:
    """A net that puts one class far below two others, which are a tenth of a logit apart."""
    head = keras.layers.Dense(3, activation="softmax")
    net = keras.Sequential([keras.Input((2,)), head])
    head.set_weights([np.array([[1, 0, -90], [0, 1, 0]], np.float32), np.zeros(3, np.float32)])
    first = np.linspace(0.3, 1, 64, dtype=np.float32)
    near = first + np.where(np.arange(64) % 2, 0.1, -0.1).astype(np.float32)
    return make_given(net, tmp_path / "net", {"x": np.stack([first, near], axis=1)})


def test_the_likely_classes_are_told_apart(hardened: Made) -> None:
    interpreter = load_interpreter(hardened.file("int8"))[0]
    raw = only(invoke_model(interpreter, hardened.inputs, 1))
    assert (raw.argmax(axis=1) == hardened.reference.argmax(axis=1)).all()
    best = np.sort(raw.astype(int), axis=1)
    assert (best[:, -1] > best[:, -2]).all()


def test_what_is_cut_on_purpose_is_no_noise(hardened: Made) -> None:
    files = [str(hardened.file(form)) for form in ("float32", "int8")]
    rows = layer_errors(*files, str(hardened.folder / "calibration.npz"))
    assert min(row["sqnr_db"] for row in rows) > 25
