"""The audit's attacks: they stay in their ball, find what is there, and expose broken defences."""

import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.audit import gradient_attack, soundness
from pipeline.audit.gradient_attack import (
    CURVE,
    AttackBudget,
    add_noise,
    attack_by_gradients,
    unbounded_radius,
)
from pipeline.audit.images import (
    Images,
    attack_reference,
    changed_rate,
    gradient_checks,
    search_checks,
    search_images,
)
from pipeline.audit.square import search
from pipeline.audit.whitebox import LOSSES, WhiteBox, auto_pgd, box_of, integrated_gradients
from pipeline.harden.attacks import pgd
from pipeline.harden.ball import Ball
from pipeline.models.blocks import logits_model
from pipeline.models.save import save_keras
from tests.documents.preprocess import preprocess_of

Array = np.ndarray[Any, np.dtype[Any]]
L = keras.layers
BY = AttackBudget("linf", 0.1, 10, 1, 200, 7)
SAMPLES, SIZE = 150, 8
ROUNDING = 1e-5


def pictures() -> Images:
    """Bars that lie or stand, a little noisy: easy to tell apart, and easy to attack."""
    generator = np.random.Generator(np.random.Philox(1))
    labels = np.arange(SAMPLES) % 2
    x = np.zeros((SAMPLES, SIZE, SIZE, 1), np.float32)
    for place, label in enumerate(labels):
        part = int(generator.integers(1, SIZE - 2))
        x[place][
            (slice(part, part + 2), slice(None)) if label else (slice(None), slice(part, part + 2))
        ] = 0.3
    x += 0.05 * generator.random(x.shape, np.float32) + 0.3
    preprocess = preprocess_of([{"name": "image", "kind": "image", "shape": list(x.shape[1:])}])
    return Images(x, labels, preprocess)


def net(before: Callable[[Any], Any] = lambda x: x, temperature: float = 1.0) -> Any:
    """A small convolution, trained on what `before` lets through; its logits over a temperature."""
    keras.utils.set_random_seed(3)
    given = keras.Input((SIZE, SIZE, 1), name="image")
    x = L.Conv2D(8, 3, activation="relu")(before(given))
    x = L.Dense(2, name="scores")(L.Flatten()(x))
    logits = L.Rescaling(1 / temperature, name="logits")(x)
    model = keras.Model(given, L.Softmax(name="probabilities")(logits))
    fitted = keras.Model(given, x)
    seen = pictures()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    fitted.compile(keras.optimizers.Adam(0.02), loss)
    fitted.fit(seen.x, seen.labels, epochs=15, batch_size=50, verbose=0, shuffle=False)
    return model


class Stairs(L.Layer):  # type: ignore[misc]
    """Rounds its input to a few steps: the gradient is zero everywhere."""

    def call(self, x: Any) -> Any:
        return tf.round(x * 8) / 8


class Shattered(L.Layer):  # type: ignore[misc]
    """Adds a wave too small to matter and steep enough to turn every gradient."""

    def call(self, x: Any) -> Any:
        return x + 0.002 * tf.sin(4000.0 * x)


class Chance(L.Layer):  # type: ignore[misc]
    """Answers by chance, in use as in training."""

    def call(self, x: Any) -> Any:
        return x + tf.random.normal(tf.shape(x), stddev=0.3)


def failures(model: Any, by: AttackBudget = BY) -> set[str]:
    """Return the checks that fail when a model is attacked as the reference is."""
    seen, box = pictures(), box_of(model)

    def judge(x: Array) -> Array:
        return seen.is_correct(box.outputs(x))

    attacked = attack_by_gradients(
        box, judge, seen.x, labels=seen.labels, by=by, purpose="reference"
    )
    robust, queries, _ = search_images(
        lambda x, labels, budget: search(box.outputs, x, labels, **vars(budget)),
        seen, attacked.robust, by=by, purpose="reference",
    )  # fmt: skip
    rows = gradient_checks(attacked, seen, by, on="reference")
    rows += search_checks(attacked.robust, robust, queries, on="reference")
    rows.append(soundness.of_repetition(changed_rate(box.outputs, seen.x), "reference"))
    return {row.name for row in rows if not row.passed}


@pytest.fixture(scope="module")
def plain() -> Any:
    return net()


def test_an_honest_net_passes_every_check(plain: Any) -> None:
    assert failures(plain) == set()
    assert failures(plain, AttackBudget("l2", 0.8, 10, 1, 200, 7)) == set()


def test_a_gradient_that_is_zero_is_found_out() -> None:
    found = failures(net(Stairs()))
    assert {"an unbounded attack always succeeds", "gradients find what a search finds"} <= found


def test_gradients_that_lead_astray_are_found_out() -> None:
    assert "gradients find what a search finds" in failures(net(Shattered()))


def test_a_defence_by_chance_is_found_out() -> None:
    assert "the same input has the same output" in failures(net(Chance()))


def test_saturated_logits_hide_nothing_from_the_margin(plain: Any) -> None:
    """Logits a thousand times as large have no cross-entropy gradient in float32."""
    seen, cold = pictures(), net(temperature=1e-3)
    one, other = (
        attack_by_gradients(b := box_of(m), lambda x, b=b: seen.is_correct(b.outputs(x)), seen.x,
                  labels=seen.labels, by=BY,
                  purpose="reference")
        for m in (plain, cold)
    )  # fmt: skip
    slack = soundness.slack(SAMPLES)
    assert other.masks["cross_entropy/0"].mean() > one.masks["cross_entropy/0"].mean() + slack
    assert other.robust.mean() == pytest.approx(one.robust.mean(), abs=slack)
    assert failures(cold) <= {"noise is weaker than the attack"}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.1), ("l2", 0.7), ("linf", 1.0)])
def test_an_attack_stays_in_its_ball_and_raises_the_loss(
    plain: Any, loss: Any, norm: Any, epsilon: float
) -> None:
    seen, box = pictures(), box_of(plain)
    seed, before = np.array([1, 2], np.int32), seen.x.copy()
    ball = Ball(norm, epsilon)
    asked = {"ball": ball, "steps": 10, "loss": loss, "seed": seed}
    found = auto_pgd(box, seen.x, seen.labels, **asked)
    np.testing.assert_array_equal(seen.x, before)
    np.testing.assert_array_equal(auto_pgd(box, seen.x, seen.labels, **asked), found)
    change = (found - seen.x).reshape(SAMPLES, -1)
    size = np.abs(change).max(axis=1) if norm == "linf" else np.linalg.norm(change, axis=1)
    assert (size <= epsilon + ROUNDING).all()
    assert 0 <= found.min() <= found.max() <= 1
    clean, raised = (box.gradient(x, seen.labels, loss)[0] for x in (seen.x, found))
    assert (raised >= clean - ROUNDING).mean() > 0.99


def test_it_is_as_strong_as_plain_projected_gradients(plain: Any) -> None:
    seen, box, logits = pictures(), box_of(plain), logits_model(keras, plain)

    def model(x: Any, training: bool) -> Any:
        return logits({"image": x}, training=training)

    for epsilon in (0.03, 0.06, 0.1):
        seed = np.array([1, 2], np.int32)
        asked: dict[str, Any] = {"ball": Ball("linf", epsilon), "steps": 20, "seed": seed}
        theirs = pgd(model, tf.constant(seen.x), tf.constant(seen.labels), **asked).numpy()
        ours = auto_pgd(box, seen.x, seen.labels, loss="cross_entropy", **asked)
        slack = soundness.slack(SAMPLES)
        held = [seen.is_correct(box.outputs(x)).mean() for x in (ours, theirs)]
        assert held[0] <= held[1] + slack


def test_a_larger_part_of_epsilon_never_leaves_more(plain: Any) -> None:
    seen, box = pictures(), box_of(plain)
    by = AttackBudget("linf", 0.05, 10, 2, 0, 7)
    attacked = attack_by_gradients(
        box,
        lambda x: seen.is_correct(box.outputs(x)),
        seen.x,
        labels=seen.labels,
        by=by,
        purpose="a",
    )
    held = [
        attacked.at(share).mean() for share in (*CURVE, unbounded_radius(seen.x, by) / by.epsilon)
    ]
    slack = soundness.slack(SAMPLES)
    assert all(b <= a + slack for a, b in itertools.pairwise(held))
    assert (attacked.robust <= attacked.at(1.0)).all()
    assert set(attacked.examples) == {f"{loss}/{i}" for loss in LOSSES for i in range(2)}


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.1), ("l2", 0.7)])
def test_noise_is_as_large_as_the_attack_may_be(norm: Any, epsilon: float) -> None:
    x = np.full((5, 4, 4, 1), 0.5, np.float32)
    change = (add_noise(x, AttackBudget(norm, epsilon, 1, 1, 0, 3)) - x).reshape(5, -1)
    size = np.abs(change).max(axis=1) if norm == "linf" else np.linalg.norm(change, axis=1)
    np.testing.assert_allclose(size, epsilon, rtol=1e-4)


def test_saliency_adds_up_to_the_lead(plain: Any) -> None:
    seen, box = pictures(), box_of(plain)
    answered = box.outputs(seen.x).argmax(axis=1)
    found = integrated_gradients(box, seen.x, answered)
    lead, black = (-box.gradient(x, answered, "margin")[0] for x in (seen.x, 0 * seen.x))
    whole = found.reshape(SAMPLES, -1).sum(axis=1)
    assert np.abs(whole - (lead - black)).max() < 0.05 * np.abs(lead - black).max()


def test_a_reference_is_attacked_from_its_file(plain: Any, tmp_path: Any) -> None:
    save_keras(plain, tmp_path / "model.keras")
    seen = pictures()
    known = attack_reference(tmp_path / "model.keras", seen, BY)
    own = known.metrics
    assert (known.robust <= known.gradients.robust).all()
    assert (known.gradients.robust <= known.gradients.clean).all()
    assert own.robust_accuracy <= own.white_box_accuracy <= own.noise_accuracy
    assert own.noise_accuracy <= own.clean_accuracy
    again = attack_reference(tmp_path / "model.keras", seen, BY)
    assert again.metrics == own


def test_a_box_answers_as_its_model_whatever_the_number_of_samples(plain: Any) -> None:
    box: WhiteBox = box_of(plain)
    x = np.random.Generator(np.random.Philox(2)).random((300, SIZE, SIZE, 1), np.float32)
    wanted = np.asarray(plain(x, training=False))
    for count in (1, 31, 257, 300):
        np.testing.assert_allclose(box.outputs(x[:count]), wanted[:count], atol=1e-5)
        losses, is_wrong, gradient = box.gradient(x[:count], np.zeros(count, int), "margin")
        assert len(losses) == len(is_wrong) == len(gradient) == count


def test_an_unbounded_attack_goes_on_where_a_few_steps_leave_some(
    plain: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, box, told = pictures(), box_of(plain), {}

    def judge(x: Array) -> Array:
        return seen.is_correct(box.outputs(x))

    monkeypatch.setattr(gradient_attack, "UNBOUNDED_STEPS", 1)  # the random start alone
    for again in (1, 20):
        monkeypatch.setattr(gradient_attack, "MORE_STEPS", again)
        by = AttackBudget("linf", 0.1, 1, 1, 0, 7)
        found = attack_by_gradients(
            box, judge, seen.x, labels=seen.labels, by=by, purpose="reference"
        )
        told[again] = found.at(unbounded_radius(seen.x, by) / by.epsilon).mean()
    assert told[20] == 0 < told[1]
