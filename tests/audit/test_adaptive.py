"""Attacks through the squeezing: it is the device's own, and who knows of it gets further."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audit.adaptive import adaptive_attacks, raw_within, squeezed_unit
from pipeline.audit.gradient_attack import AttackBudget
from pipeline.documents.preprocess import Entry
from tests.device.lenient import prepare_input
from tests.documents.preprocess import entry_of

RULE = {"range": "clip", "limits": None, "levels": None}
seeds = st.integers(0, 10_000)


def image(**rule: Any) -> Entry:
    fields = {
        "name": "x", "kind": "image", "shape": [6, 6, 1], "offset": 0.0, "scale": 1 / 255,
        "raw_dtype": "uint8", "sanitize": RULE | {"median": None, "bit_depth": None} | rule,
    }  # fmt: skip
    return entry_of(fields)


@settings(max_examples=30)
@given(
    seed=seeds,
    median=st.sampled_from([None, 3, 5]),
    depth=st.sampled_from([None, 1, 3, 8]),
    through=st.booleans(),
)
def test_what_is_attacked_is_what_the_device_computes(
    seed: int, median: int | None, depth: int | None, through: bool
) -> None:
    raw = np.random.default_rng(seed).integers(0, 256, (3, 6, 6, 1)).astype(np.uint8)
    entry = image(median=median, bit_depth=depth)
    x = tf.constant(raw.astype(np.float32) / 255)
    found = squeezed_unit(x, entry, through_median=through)
    np.testing.assert_allclose(found, prepare_input(raw, entry), atol=1e-6)


@pytest.mark.parametrize("through", [True, False])
def test_gradients_pass_where_rounding_has_none(through: bool) -> None:
    entry = image(median=3, bit_depth=1)
    x = tf.constant(np.random.default_rng(0).random((2, 6, 6, 1)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(squeezed_unit(x, entry, through_median=through))
    gradient = tape.gradient(total, x).numpy()
    assert gradient.sum() == pytest.approx(2 * 36)  # each output has one value that it follows
    assert (gradient == 1).all() or through


@given(seed=seeds, epsilon=st.floats(0.002, 0.5))
def test_raw_inputs_stay_within_epsilon_and_are_whole(seed: int, epsilon: float) -> None:
    rng = np.random.default_rng(seed)
    clean = rng.integers(0, 256, (2, 6, 6, 1)).astype(np.uint8)
    moved = np.clip(clean / 255 + rng.uniform(-epsilon, epsilon, clean.shape), 0, 1)
    found = raw_within(moved, clean, epsilon)
    assert found.dtype == np.uint8
    assert np.abs(found / 255 - clean / 255).max() <= epsilon + 1e-6
    assert np.abs(found / 255 - moved).max() <= 1 / 255


def digits_net(entry: Entry) -> tuple[Any, Any, Any]:
    """Return logits learnt on squeezed digits in seconds, and held-out digits with labels."""
    import keras
    from sklearn.datasets import load_digits

    keras.utils.set_random_seed(0)
    images, labels = load_digits(return_X_y=True)
    raw = np.round(images.reshape(-1, 8, 8, 1) * 255 / 16).astype(np.uint8)
    x = keras.Input((8, 8, 1), name="x")
    y = keras.layers.Conv2D(16, 3, activation="relu")(x)
    y = keras.layers.Dense(10)(keras.layers.Flatten()(y))
    model = keras.Model({"x": x}, y)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    squeezed = prepare_input(raw, entry)
    model.fit(squeezed[:1500], labels[:1500], epochs=8, batch_size=64, verbose=0)
    return model, raw[1500:], labels[1500:]


@pytest.mark.slow
@pytest.mark.parametrize("rule", [{"bit_depth": 1}, {"median": 3}])
def test_an_attack_that_does_not_know_reports_too_much_robustness(rule: dict[str, int]) -> None:
    entry = image(**rule).model_copy(update={"shape": [8, 8, 1]})
    model, raw, labels = digits_net(entry)
    by = AttackBudget("linf", 0.15, 10, 1, 0, 3)
    bare = entry.model_copy(update={"sanitize": None})
    x = prepare_input(raw, bare)
    found = adaptive_attacks(model, x, labels, entry=entry, by=by)

    def right(images: Any) -> Any:
        return np.asarray(model({"x": prepare_input(images, entry)})).argmax(axis=1) == labels

    held = {name: right(raw_within(x, raw, 0.15)) & right(raw) for name, x in found.items()}
    knowing = np.logical_and.reduce([h for name, h in held.items() if name != "unaware"])
    assert right(raw).mean() > 0.75
    assert knowing.mean() < held["unaware"].mean() - 0.01
