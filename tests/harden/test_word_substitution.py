"""Substitution of words: few of them, by neighbors alone, and the worst that there are."""

from itertools import product
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.harden.run_attack import Samples, outputs_of
from pipeline.harden.word_substitution import FIRST_WORD, RARE, neighbors
from tests.harden import fakes

Array = np.ndarray[Any, np.dtype[Any]]


def loss_of(model: Any, threat: Any, samples: Samples, x: Array) -> Array:
    answers = outputs_of(model, threat, samples, x=x)
    return -np.log(answers[np.arange(len(x)), samples.labels] + 1e-12)


def linear(size: int = 32) -> Any:
    """Return the mean of the words' vectors, and logits that are linear in it."""
    keras.utils.set_random_seed(4)
    x = keras.Input((8,), dtype="int32", name="text")
    y = keras.layers.Embedding(size, 6, name="embedding_text")(x)
    y = keras.layers.Dense(2, name="logits")(keras.layers.GlobalAveragePooling1D()(y))
    return keras.Model(x, keras.layers.Activation("softmax")(y))


@pytest.mark.parametrize("most", [1, 3])
def test_at_most_so_many_words_change_each_to_a_neighbour(most: int) -> None:
    data = fakes.texts()
    model = fakes.network(data)
    threat, samples, found = fakes.attacked(data, model, tokens=most, candidates=4)
    changed = found != samples.x
    assert found.dtype == np.int32
    assert changed.sum(axis=1).max() == most
    assert (samples.x[changed] >= FIRST_WORD).all()  # not what stands after the end
    for old, new in zip(samples.x[changed], found[changed], strict=True):
        assert new in threat.near_VN[old]
        assert new >= FIRST_WORD
    assert (
        loss_of(model, threat, samples, found) >= loss_of(model, threat, samples, samples.x) - 1e-6
    ).all()


def test_more_words_are_never_weaker() -> None:
    data = fakes.texts()
    model = fakes.network(data)
    losses = []
    for most in (1, 2, 4):
        threat, samples, found = fakes.attacked(data, model, tokens=most, candidates=6)
        losses.append(loss_of(model, threat, samples, found))
    assert (losses[0] <= losses[1] + 1e-6).all()
    assert (losses[1] <= losses[2] + 1e-6).all()
    assert losses[2].mean() > losses[0].mean()


def test_where_first_order_is_exact_the_best_single_word_is_found() -> None:
    data, model = fakes.texts(40), linear()
    threat, samples, found = fakes.attacked(data, model, tokens=1, candidates=5)
    best = loss_of(model, threat, samples, samples.x)
    for place, rank in product(range(8), range(5)):
        tried = samples.x.copy()
        near = threat.near_VN[samples.x[:, place], rank]
        tried[:, place] = np.where(near >= FIRST_WORD, near, samples.x[:, place])
        best = np.maximum(best, loss_of(model, threat, samples, tried))
    np.testing.assert_allclose(loss_of(model, threat, samples, found), best, rtol=1e-4)


def test_neighbors_are_the_nearest_by_angle_and_never_rare() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(300, 5)).astype(np.float32)
    counts = rng.integers(0, 3 * RARE, 300)
    near = neighbors(table, counts, 7)
    common = [k for k in range(FIRST_WORD, 300) if counts[k] >= RARE]
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    for word in common[::17]:
        others = [k for k in common if k != word]
        order = sorted(others, key=lambda k: -float(unit[word] @ unit[k]))
        assert set(near[word]) == set(order[:7])
    rare = np.flatnonzero(counts < RARE)
    assert not near[rare].any()
    assert not near[:FIRST_WORD].any()
    assert not np.isin(near, rare).any()


def test_a_network_without_vectors_of_words_gets_a_message() -> None:
    data = fakes.texts()
    x = keras.Input((8,), name="text")
    model = keras.Model(x, keras.layers.Dense(2, name="logits")(x))
    with pytest.raises(ConfigError, match="has no embedding of text"):
        fakes.attacked(data, model, tokens=1)


def test_too_few_frequent_words_get_a_message() -> None:
    with pytest.raises(ConfigError, match="fewer than 2 words"):
        neighbors(np.ones((5, 2), np.float32), np.ones(5, np.int64), 3)
