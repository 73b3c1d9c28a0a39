"""Schedules against their formulas, optimizers against theirs in NumPy, what is left undecayed."""

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import TypeAdapter

from pipeline.config.schema import AdamW, Optimizer, Schedule
from pipeline.train import schedule

PEAK, STEPS, EPOCHS = 0.5, 4, 10


def rate_of(**settings: Any) -> Any:
    section = TypeAdapter(Schedule).validate_python(settings)
    return schedule.learning_rate(keras, section, peak=PEAK, steps_an_epoch=STEPS, epochs=EPOCHS)


def optimizer_of(rate: Any = 0.1, **settings: Any) -> Any:
    section = TypeAdapter(Optimizer).validate_python(settings)
    return schedule.optimizer(keras, section, rate)


@pytest.mark.parametrize(("warmup", "total"), [(0, 10), (4, 20)])
def test_cosine_equals_its_formula(warmup: int, total: int) -> None:
    rate = schedule.cosine(keras, peak=0.5, warmup_steps=warmup, total_steps=total)
    for at in range(total + 1):
        done = (at - warmup) / (total - warmup)
        wanted = 0.5 * at / warmup if at < warmup else 0.25 * (1 + math.cos(math.pi * done))
        assert float(rate(at)) == pytest.approx(wanted, abs=1e-6)


def test_weight_decay_leaves_biases_and_scales_alone() -> None:
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2), keras.layers.BatchNormalization()]
    )
    for weight in model.trainable_weights:
        weight.assign(tf.ones_like(weight))
    optimizer = schedule.optimizer(keras, AdamW(weight_decay=0.5), 0.1)
    optimizer.build(model.trainable_variables)
    zeros = [tf.zeros_like(v) for v in model.trainable_variables]
    optimizer.apply_gradients(zip(zeros, model.trainable_variables, strict=True))
    changed = {v.path.split("/")[-1]: float(np.asarray(v).max()) for v in model.trainable_variables}
    assert changed.pop("kernel") == pytest.approx(1 - 0.1 * 0.5)
    assert set(changed.values()) == {1.0}


def test_step_equals_its_formula() -> None:
    rate = rate_of(kind="step", epochs=3, factor=0.1)
    for at in range(STEPS * EPOCHS):
        assert float(rate(at)) == pytest.approx(PEAK * 0.1 ** (at // (3 * STEPS)))


def test_a_step_that_never_comes_changes_nothing() -> None:
    assert rate_of(kind="step", epochs=10) == PEAK


def test_exponential_equals_its_formula() -> None:
    rate = rate_of(kind="exponential", factor=0.8)
    for at in range(STEPS * EPOCHS):
        assert float(rate(at)) == pytest.approx(PEAK * 0.8 ** (at / STEPS), rel=1e-5)


def test_one_cycle_equals_its_formula() -> None:
    rate, total = rate_of(kind="one_cycle", rise=0.25, start=20.0, end=100.0), STEPS * EPOCHS
    rising, first, last = total // 4, PEAK / 20, PEAK / 2000
    for at in range(total):
        if at < rising:
            wanted = first + (PEAK - first) * (1 - math.cos(math.pi * at / rising)) / 2
        else:
            done = (at - rising) / (total - rising)
            wanted = last + (PEAK - last) * (1 + math.cos(math.pi * done)) / 2
        assert float(rate(at)) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("kind", ["constant", "step", "exponential", "cosine"])
def test_every_schedule_rises_evenly_in_warm_up(kind: str) -> None:
    rate = rate_of(kind=kind, warmup_epochs=2.0)
    for at in range(2 * STEPS):
        assert float(rate(at)) == pytest.approx(PEAK * at / (2 * STEPS), abs=1e-7)
    assert float(rate(2 * STEPS)) == pytest.approx(PEAK)


def test_a_plateau_begins_at_the_peak() -> None:
    assert rate_of(kind="plateau") == PEAK


def adam(w: Any, g: Any, state: dict[str, Any], t: int, decay: float = 0.0) -> Any:
    m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * g
    v = state["v"] = 0.999 * state.get("v", 0) + 0.001 * g**2
    return (1 - 0.1 * decay) * w - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)


def sgd(w: Any, g: Any, state: dict[str, Any], t: int) -> Any:
    v = state["v"] = 0.8 * state.get("v", 0) - 0.1 * g
    return w + v


def nesterov(w: Any, g: Any, state: dict[str, Any], t: int) -> Any:
    v = state["v"] = 0.8 * state.get("v", 0) - 0.1 * g
    return w + 0.8 * v - 0.1 * g


def rmsprop(w: Any, g: Any, state: dict[str, Any], t: int) -> Any:
    v = state["v"] = 0.7 * state.get("v", 0) + 0.3 * g**2
    return w - 0.1 * g / np.sqrt(v + 1e-7)


def lion(w: Any, g: Any, state: dict[str, Any], t: int) -> Any:
    m = state.get("m", np.zeros_like(g))
    state["m"] = 0.99 * m + 0.01 * g
    return (1 - 0.1 * 0.5) * w - 0.1 * np.sign(0.9 * m + 0.1 * g)


def muon(w: Any, g: Any, state: dict[str, Any], t: int) -> Any:
    m = state["m"] = 0.9 * state.get("m", 0) + g
    x = (g + 0.9 * m).T  # of Nesterov; wide
    x = x / np.linalg.norm(x)
    for _ in range(5):  # Jordan et al. 2024: towards U V^T of the singular value decomposition
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (1 - 0.1 * 0.5) * w - 0.1 * 0.2 * math.sqrt(max(w.shape)) * x.T


FORMULAS: dict[str, tuple[dict[str, Any], Any]] = {
    "adam": ({"kind": "adam"}, adam),
    "adamw": ({"weight_decay": 0.5}, lambda *a: adam(*a, decay=0.5)),
    "sgd": ({"kind": "sgd", "momentum": 0.8}, sgd),
    "nesterov": ({"kind": "sgd", "momentum": 0.8, "nesterov": True}, nesterov),
    "rmsprop": ({"kind": "rmsprop", "rho": 0.7}, rmsprop),
    "lion": ({"kind": "lion", "weight_decay": 0.5}, lion),
    "muon": ({"kind": "muon", "weight_decay": 0.5, "momentum": 0.9}, muon),
}


@pytest.mark.parametrize("shape", [(3,), (2, 2, 1, 3)])
def test_muon_moves_what_is_no_matrix_as_adamw_does(
    shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    start, found = rng.normal(size=shape).astype(np.float32), []
    for kind in ("muon", "adamw"):
        weight, made = keras.Variable(start), optimizer_of(kind=kind, weight_decay=0.5)
        made.build([weight])
        for t in range(1, 6):
            made.apply([tf.constant(start) * t - 1], [weight])
        found.append(np.asarray(weight))
    np.testing.assert_allclose(*found, rtol=1e-5)


@pytest.mark.parametrize("name", FORMULAS)
def test_an_optimizer_makes_the_steps_of_its_formula(name: str, rng: np.random.Generator) -> None:
    settings, formula = FORMULAS[name]
    start = rng.normal(size=(3, 2)).astype(np.float32)
    weight, made = keras.Variable(start, name="kernel"), optimizer_of(**settings)
    made.build([weight])
    wanted, state = start.astype(np.float64), {}
    for t in range(1, 6):
        g = rng.normal(size=(3, 2)).astype(np.float32)
        made.apply([tf.constant(g)], [weight])
        wanted = formula(wanted, g.astype(np.float64), state, t)
    np.testing.assert_allclose(np.asarray(weight), wanted, rtol=1e-4, atol=1e-5)
