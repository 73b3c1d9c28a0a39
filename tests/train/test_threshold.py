"""The decision threshold: as scikit-learn finds it, and the same decisions by the moved bias."""

from types import SimpleNamespace
from typing import Any, cast

import keras
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.metrics import balanced_accuracy_score, f1_score, precision_recall_curve

from pipeline.config.decision_schema import Decision
from pipeline.errors import ConfigError
from pipeline.train import threshold
from pipeline.train.threshold import (
    check_decision,
    choose_margin,
    margins_of,
    quality_of,
    shift_bias,
)


def scored(seed: int, count: int = 300, share: float = 0.1) -> tuple[Any, Any]:
    """Return probabilities of the positive class, and which samples are of it."""
    rng = np.random.default_rng(seed)
    is_positive = rng.random(count) < share
    is_positive[0] = True
    return 1 / (1 + np.exp(3 - 3 * is_positive - rng.normal(0, 1.5, count))), is_positive


def margins(p: Any) -> Any:
    return margins_of(np.stack([1 - p, p], axis=1), 1)


@given(seed=st.integers(0, 500))
def test_no_threshold_has_a_larger_f1(seed: int) -> None:
    p, is_positive = scored(seed)
    found = choose_margin(margins(p), is_positive, Decision(metric="f1"))
    own = f1_score(is_positive, margins(p) > found)
    precision, recall, _ = precision_recall_curve(is_positive, p)
    best = (2 * precision * recall / np.maximum(1e-12, precision + recall)).max()
    assert own == pytest.approx(best, abs=1e-9)
    assert quality_of(is_positive, margins(p) > found).f1 == pytest.approx(own)


@given(seed=st.integers(0, 200))
def test_no_threshold_has_a_larger_balanced_accuracy(seed: int) -> None:
    p, is_positive = scored(seed)
    found = choose_margin(margins(p), is_positive, Decision(metric="balanced_accuracy"))
    own = balanced_accuracy_score(is_positive, margins(p) > found)
    others = [balanced_accuracy_score(is_positive, p > t) for t in np.unique(p)]
    assert own >= max(others) - 1e-9


@given(seed=st.integers(0, 200), floor=st.floats(0.05, 0.6))
def test_recall_is_the_largest_that_the_precision_allows(seed: int, floor: float) -> None:
    p, is_positive = scored(seed)
    precision, recall, _ = precision_recall_curve(is_positive, p)
    reached = recall[:-1][precision[:-1] >= floor]
    assume(len(reached))
    settings = Decision(metric="recall_at_precision", at_least=floor)
    found = quality_of(is_positive, margins(p) > choose_margin(margins(p), is_positive, settings))
    assert found.precision is not None
    assert found.precision >= floor
    assert found.recall == pytest.approx(reached.max())


@given(seed=st.integers(0, 200), ratio=st.floats(0.2, 30))
def test_no_threshold_costs_less(seed: int, ratio: float) -> None:
    p, is_positive = scored(seed)

    def cost(is_predicted: Any) -> float:
        missed, false = is_positive & ~is_predicted, ~is_positive & is_predicted
        return float(ratio * missed.sum() + false.sum())

    found = choose_margin(margins(p), is_positive, Decision(metric="cost", cost_ratio=ratio))
    others = [cost(p > t) for t in np.unique(p)]
    assert cost(margins(p) > found) <= min(others) + 1e-9


def test_a_precision_that_no_threshold_reaches_is_a_message_with_the_most() -> None:
    p, is_positive = np.array([0.1, 0.2, 0.9, 0.95]), np.array([True, True, False, False])
    settings = Decision(metric="recall_at_precision", at_least=0.9)
    with pytest.raises(ConfigError, match=r"no threshold reaches precision 0.9 .* is 0.5000"):
        choose_margin(margins(p), is_positive, settings)


@given(threshold=st.floats(0.01, 0.99), seed=st.integers(0, 50), positive=st.integers(0, 1))
def test_the_moved_bias_decides_as_the_threshold_does(
    threshold: float, seed: int, positive: int
) -> None:
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2, name="logits"), keras.layers.Softmax()]
    )
    x = np.random.default_rng(seed).normal(0, 2, (200, 4)).astype(np.float32)
    p = np.asarray(model(x))[:, positive].astype(np.float64)
    margin = choose_margin(margins(p), p > 0.5, Decision(metric="fixed", threshold=threshold))
    assume(np.abs(p - threshold).min() > 1e-5)  # float32 may round to either side
    shift_bias(model, positive, -margin)
    decided = np.asarray(model(x)).argmax(axis=1) == positive
    np.testing.assert_array_equal(decided, p > threshold)


def test_a_last_layer_without_a_bias_is_refused() -> None:
    layers = [keras.layers.Dense(2, use_bias=False, name="scores"), keras.layers.Softmax()]
    with pytest.raises(ConfigError, match="scores, has no bias"):
        shift_bias(keras.Sequential([keras.Input((4,)), *layers]), 0, 1.0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"metric": "recall_at_precision"}, "wants at_least"),
        ({"metric": "cost"}, "wants cost_ratio"),
        ({"metric": "fixed"}, "wants threshold"),
        ({"metric": "f1", "threshold": 0.2}, "threshold does not go with metric f1"),
    ],
)
def test_a_decision_asks_for_what_it_needs(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Decision(**settings)


@pytest.mark.parametrize(
    ("names", "positive", "words"),
    [
        (("a", "b", "c"), None, "wanted two classes; the data have 3"),
        (("a", "b"), "c", "'c' is no class; wanted one of a, b"),
    ],
)
def test_classes_that_do_not_fit_are_refused_before_training(
    names: tuple[str, ...], positive: str | None, words: str
) -> None:
    dataset = cast(Any, SimpleNamespace(class_names=names))
    with pytest.raises(ConfigError, match=words):
        check_decision(Decision(positive=positive), dataset)


def test_without_a_positive_sample_the_threshold_stays_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2, name="logits"), keras.layers.Softmax()]
    )
    before = [w.copy() for w in model.get_weights()]
    outputs = {"probabilities": np.full((6, 2), 0.5, np.float32)}
    monkeypatch.setattr(threshold, "predict", lambda *_: outputs)
    parts = {"validation": np.arange(6), "train": np.arange(6)}
    labels = np.zeros(6, np.int64)
    dataset = cast(
        Any, SimpleNamespace(class_names=("no", "yes"), labels=labels, split=parts.__getitem__)
    )
    placed = threshold.place_threshold(model, dataset, Decision())
    assert (placed.threshold, placed.shift, placed.recall) == (0.5, 0.0, None)
    assert "no sample of yes" in caplog.text
    for own, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(own, old)
