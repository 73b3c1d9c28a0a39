"""A network at chance, where another input range or order of classes explains it, is refused."""

from typing import Any

import keras
import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.models.given_accuracy import best_order, check_accuracy
from tests.conftest import IMAGE, make_spec

DIGITS = 10


def spec(**adoption: Any) -> Any:
    output = {"task": "classification", "units": DIGITS}
    return make_spec({"kind": "file", "path": "m.keras"}, [IMAGE], output, adoption=adoption)


def linear(scale: float, offset: float, order: Any = None) -> Any:
    """Return a network that knows the digits, of pixels scale * x + offset, x in [0, 1]."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = np.concatenate([x / 16, np.ones((len(x), 1))], axis=1)
    solved = np.linalg.solve(x.T @ x + 0.1 * np.eye(65), x.T @ np.eye(DIGITS)[y])
    kernel, bias = solved[:-1] / scale, solved[-1] - (solved[:-1] / scale).sum(axis=0) * offset
    order = np.arange(DIGITS) if order is None else np.asarray(order)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(DIGITS)]
    )
    model.set_weights([kernel[:, order], bias[order]])
    return model


def test_a_network_that_knows_the_classes_passes(digits: Any) -> None:
    check_accuracy(linear(1, 0), spec(), digits)
    check_accuracy(linear(255, 0), spec(scale=255.0), digits)


def test_the_order_that_explains_chance_is_named(digits: Any) -> None:
    order = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7][::-1]
    names = digits.class_names
    listed = ", ".join(names[k] for k in order)
    with pytest.raises(ConfigError, match=rf"class_names: \[{listed}\]"):
        check_accuracy(linear(1, 0, order), spec(), digits)


def test_the_range_that_explains_chance_is_named(digits: Any) -> None:
    dark_is_nothing = keras.layers.ReLU(threshold=100.0)
    model = keras.Sequential([keras.Input((8, 8, 1)), dark_is_nothing, linear(255, 0)])
    check_accuracy(model, spec(scale=255.0), digits)
    with pytest.raises(ConfigError, match=r"model\.input_range: \[0, 255\] it is 0\.[4-9]"):
        check_accuracy(model, spec(), digits)


def test_noise_is_explained_by_nothing(digits: Any, caplog: pytest.LogCaptureFixture) -> None:
    model = linear(1, 0)
    model.set_weights([np.random.default_rng(0).normal(size=w.shape) for w in model.get_weights()])
    check_accuracy(model, spec(), digits)
    assert "neither another model.input_range nor another order" in caplog.text


def test_an_order_is_judged_on_other_samples() -> None:
    rng = np.random.default_rng(1)
    labels, noise = rng.integers(0, 4, 400), rng.integers(0, 4, 400)
    assert best_order((labels + 1) % 4, labels, 4) == ([3, 0, 1, 2], 1.0)
    assert best_order(noise, labels, 4)[1] < 0.35
