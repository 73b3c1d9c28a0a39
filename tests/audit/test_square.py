"""Square attack: it stays in its ball, keeps to its budget, and breaks what can be broken."""

from typing import Any

import numpy as np
import pytest

from pipeline.audit.square import HALVINGS, covered_fraction, margins, search

ROUNDING = 1e-5


def pictures(count: int, size: int, channels: int) -> np.ndarray[Any, Any]:
    return np.random.Generator(np.random.Philox(3)).random(
        (count, size, size, channels), np.float32
    )


def brightness(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A rounded answer: class 1 where the picture is bright, in steps as an int8 file has them."""
    bright = np.round(64 * x.mean(axis=(1, 2, 3))) / 64
    return np.stack([1 - bright, bright], axis=1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(("size", "channels"), [(8, 1), (7, 3), (2, 1), (1, 2)])
def test_it_stays_within_epsilon_and_the_range(norm: Any, size: int, channels: int) -> None:
    x = pictures(12, size, channels)
    labels = brightness(x).argmax(axis=1)
    before = x.copy()
    found = search(brightness, x, labels, norm=norm, epsilon=0.2, queries=40, seed=1)
    change = (found.x - x).reshape(len(x), -1)
    size_of = np.abs(change).max(axis=1) if norm == "linf" else np.linalg.norm(change, axis=1)
    assert (size_of <= 0.2 + ROUNDING).all()
    assert found.x.min() >= 0
    assert found.x.max() <= 1
    assert (found.queries <= 40).all()
    np.testing.assert_array_equal(x, before)
    again = search(brightness, x, labels, norm=norm, epsilon=0.2, queries=40, seed=1)
    np.testing.assert_array_equal(again.x, found.x)


def tilt(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A rounded answer: class 1 where the upper half is brighter."""
    half = x.shape[1] // 2
    more = (x[:, :half].mean(axis=(1, 2, 3)) - x[:, half:].mean(axis=(1, 2, 3))) / 2
    above = np.round(256 * (0.5 + more)) / 256
    return np.stack([1 - above, above], axis=1)


@pytest.mark.parametrize(("norm", "epsilon", "surely"), [("linf", 0.2, 0.7), ("l2", 1.6, 0.5)])
def test_it_breaks_what_is_within_reach_and_nothing_else(
    norm: Any, epsilon: float, surely: float
) -> None:
    x = np.full((9, 8, 8, 1), 0.5, np.float32)
    x[:, :4] += np.linspace(-0.45, 0.45, 9, dtype=np.float32)[:, None, None, None]
    labels = tilt(x).argmax(axis=1)
    found = search(tilt, x, labels, norm=norm, epsilon=epsilon, queries=1000, seed=2)
    reach = epsilon if norm == "linf" else epsilon / 8
    away = np.abs(tilt(x)[:, 1] - 0.5)
    assert found.is_robust[away > reach + 0.02].all()
    assert not found.is_robust[away < surely * reach].any()
    answered = tilt(found.x).argmax(axis=1)
    np.testing.assert_array_equal(found.is_robust, answered == labels)


def test_what_fell_is_not_asked_again() -> None:
    asked = []

    def answers(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        asked.append(len(x))
        return np.tile(np.float32([0.0, 1.0]), (len(x), 1))

    labels = np.array([0, 1, 1])
    found = search(answers, pictures(3, 4, 1), labels, norm="linf", epsilon=0.1, queries=5, seed=0)
    assert asked == [3, 2, 2, 2, 2]
    assert found.queries.tolist() == [1, 5, 5]
    assert found.is_robust.tolist() == [False, True, True]


def test_of_equal_outputs_the_first_is_the_answer() -> None:
    outputs = np.array([[0.5, 0.5], [0.5, 0.5], [0.7, 0.3], [0.2, 0.8]])
    held = margins(outputs, np.array([0, 1, 0, 0])) > 0
    np.testing.assert_array_equal(held, outputs.argmax(axis=1) == [0, 1, 0, 0])


def test_squares_shrink_as_the_queries_go() -> None:
    shares = [covered_fraction(progress) for progress in np.linspace(0, 1, 1000)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] / shares[-1] == 2 ** len(HALVINGS)
