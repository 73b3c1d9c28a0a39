"""Points of tables and series: what is found can be measured, and fools more than chance does."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.harden.run_attack import model_inputs, noise, outputs_of
from pipeline.harden.threat_model import Choice, Part, PerturbationSet, choose_categories
from pipeline.samples import KINDS
from pipeline.samples.columns import splice_columns
from tests.device.lenient import prepare_input
from tests.harden import fakes

SAME = 1e-6  # the TensorFlow and the NumPy form of one float32 column
MOVED = {"amount": {"change": 5.0, "low": 3.0}, "age": {"change": 2.5}, "score": {}}


def losses(answers: Any, labels: Any) -> Any:
    return -np.log(answers[np.arange(len(labels)), labels] + 1e-12)


@pytest.mark.parametrize(
    ("how", "norm"),
    [("standard", "linf"), ("robust", "l2"), ("quantile", "linf"), ("piecewise", "linf")],
)
def test_a_found_row_is_one_that_could_have_been_measured(how: str, norm: str) -> None:
    data = fakes.rows(how=how)
    threat, samples, found = fakes.attacked(data, fakes.network(data), columns=MOVED, norm=norm)
    clean, raw = samples.x, samples.given["features"]
    age = raw[:, 1]
    assert (found[:, 2] == clean[:, 2]).all()  # nobody said that the category can be changed
    assert np.abs(found - clean)[:, 0].max() <= 5 + 1e-4
    assert found[:, 0].min() >= min(3.0, clean[:, 0].min())
    assert set(np.abs(found[:, 1] - age)) <= {0.0, 1.0, 2.0}  # whole years, and 2.5 is two
    assert found[:, 1].min() >= age.min()
    assert found[:, 1].max() <= age.max()
    unknown = np.isnan(raw[:, 3])
    assert unknown.any()
    seen = np.where(np.isnan(raw), np.nan, found).astype(np.float32)
    inputs = model_inputs(threat, samples, found)["features"]
    np.testing.assert_allclose(inputs, prepare_input(seen, data.preprocess.inputs[0]), atol=SAME)


@pytest.mark.parametrize("kind", ["pgd", "fgsm"])
def test_an_attack_on_rows_is_stronger_than_noise(kind: str) -> None:
    data = fakes.rows()
    model = fakes.network(data)
    threat, samples, found = fakes.attacked(data, model, kind=kind, columns=MOVED)
    worse, noisy, clean = (
        losses(outputs_of(model, threat, samples, x=x), samples.labels).mean()
        for x in (found, noise(threat, samples, 3), samples.x)
    )
    assert worse > noisy + 0.05
    assert worse > clean + 0.05


def test_what_is_left_out_stays_to_the_bit() -> None:
    data = fakes.rows()
    threat, samples, found = fakes.attacked(data, fakes.network(data), columns={"amount": {}})
    others = [1, 2, 3]
    np.testing.assert_array_equal(found[:, others], samples.x[:, others])
    assert (found[:, 0] != samples.x[:, 0]).mean() > 0.9
    assert threat.is_masked


def test_only_the_asked_classes_move() -> None:
    data = fakes.rows()
    model = fakes.network(data)
    threat, samples, found = fakes.attacked(data, model, columns=MOVED, classes=("class1",))
    moved = (found != samples.x).any(axis=1)
    assert moved[samples.labels == 1].mean() > 0.9
    assert not moved[samples.labels == 0].any()
    drawn = (noise(threat, samples, 1) != samples.x).any(axis=1)
    assert not drawn[samples.labels == 0].any()


def test_the_greedy_category_is_the_worst_one() -> None:
    data = fakes.rows()
    model = fakes.network(data)
    threat, samples, found = fakes.attacked(data, model, columns={"kind": {"to": ("a", "c", "d")}})
    assert set(np.unique(found[:, 2])) <= {0.0, 1.0, 2.0, 3.0}
    assert not (found[:, 2] == 1)[samples.x[:, 2] != 1].any()  # b is not among what it can become
    tried = []
    for code in (0, 2, 3):
        x = samples.x.copy()
        x[:, 2] = code
        tried.append(losses(outputs_of(model, threat, samples, x=x), samples.labels))
    own = losses(outputs_of(model, threat, samples, x=samples.x), samples.labels)
    worst = losses(outputs_of(model, threat, samples, x=found), samples.labels)
    np.testing.assert_allclose(worst, np.maximum(own, np.max(tried, axis=0)), rtol=1e-4)


def test_numbers_move_around_the_chosen_category() -> None:
    data = fakes.rows()
    model = fakes.network(data)
    both = {"kind": {}, "amount": {"change": 5.0}}
    threat, samples, found = fakes.attacked(data, model, columns=both)
    _, _, one = fakes.attacked(data, model, columns={"kind": {}})
    np.testing.assert_array_equal(found[:, 2], one[:, 2])
    worse = losses(outputs_of(model, threat, samples, x=found), samples.labels).mean()
    assert worse > losses(outputs_of(model, threat, samples, x=one), samples.labels).mean()


def test_greedy_choice_never_lowers_the_loss() -> None:
    def model(x: Any, training: bool) -> Any:
        return tf.stack([tf.zeros(len(x)), x[:, 0] * x[:, 1]], axis=1)

    x = tf.constant(np.random.default_rng(0).integers(-2, 3, (40, 2)), tf.float32)
    labels = tf.zeros(40, tf.int32)
    choices = (Choice(0, (-2.0, 2.0)), Choice(1, (-2.0, 2.0)))
    found = choose_categories(model, x, labels, choices=choices)
    assert (np.prod(found, axis=1) >= np.prod(x, axis=1)).all()


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 3.0))
def test_possible_points_are_whole_in_range_and_not_farther(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    radius = np.array([0.0, 2.0, 3.7], np.float32)
    low, high = np.array([-9, -4.5, -4.5], np.float32), np.array([9, 4.5, 4.5], np.float32)
    whole = np.array([True, True, False])
    entry = {"name": "x", "kind": "table", "shape": [3], "columns": None}
    threat = PerturbationSet(
        {"inputs": [entry]}, (Part(entry, (3,), True, radius, low, high, whole),), "linf"
    )
    x = rng.normal(0, 5, (20, 3)).astype(np.float32)
    x[:, :2] = np.round(x[:, :2])
    moved = (x + share * rng.uniform(-1, 1, (20, 3)) * 4).astype(np.float32)
    found = np.asarray(threat.possible(tf.constant(moved), tf.constant(x)))
    np.testing.assert_array_equal(found[:, 0], x[:, 0])
    np.testing.assert_array_equal(found[:, 1], np.round(found[:, 1]))
    inside = np.clip(moved, np.minimum(low, x), np.maximum(high, x))
    assert (np.abs(found - x) <= np.abs(inside - x) + 2e-3).all()
    assert (found >= np.minimum(low, x) - 1e-6).all()
    assert (found <= np.maximum(high, x) + 1e-6).all()


@pytest.mark.parametrize("how", ["quantile", "piecewise"])
@pytest.mark.parametrize("moved", [[], [0], [1, 2], [3], [0, 1, 2, 3]])
def test_a_spliced_table_is_the_whole_table(how: str, moved: list[int]) -> None:
    data = fakes.rows(how=how)
    entry, raw = data.preprocess.inputs[0], data.read(np.arange(50))["features"]
    other = raw.copy()
    other[:, moved] = data.read(np.arange(50, 100))["features"][:, moved]
    base = KINDS["columns"].encode(tf, tf.constant(raw), entry)
    found = splice_columns(tf, tf.constant(other), base, entry=entry, moved=moved)
    np.testing.assert_array_equal(found, KINDS["columns"].encode(tf, tf.constant(other), entry))


@pytest.mark.parametrize("relative", [False, True])
def test_series_move_by_deviations_in_the_open_channels(relative: bool) -> None:
    data = fakes.series(relative=relative)
    model = fakes.network(data)
    threat, samples, found = fakes.attacked(data, model, epsilon=0.5, channels=("count",))
    raw = samples.given["series"]
    change = np.abs(found - samples.x)
    within = np.std(raw[..., 0], axis=1)
    radius = 0.5 * (np.median(within) if relative else raw[..., 0].std())
    assert change[..., 1].max() == 0
    assert change[..., 0].max() == np.floor(radius)  # counts stay whole
    assert found[..., 0].min() >= raw[..., 0].min()
    worse, clean = (
        losses(outputs_of(model, threat, samples, x=x), samples.labels).mean()
        for x in (found, samples.x)
    )
    assert worse > clean
    seen = np.where(np.isnan(raw), np.nan, found).astype(np.float32)
    inputs = model_inputs(threat, samples, found)["series"]
    np.testing.assert_allclose(inputs, prepare_input(seen, data.preprocess.inputs[0]), atol=1e-5)


def test_two_inputs_move_together_and_come_apart_again() -> None:
    one, two = fakes.rows(60), fakes.series(60)
    entries = [entry.dump() for data in (one, two) for entry in data.preprocess.inputs]
    raw = one.read(np.arange(60)) | two.read(np.arange(60))
    data = fakes.dataset(entries, raw, two.labels)
    model = fakes.network(data)
    threat, samples, found = fakes.attacked(data, model, columns={"amount": {"change": 3.0}})
    assert samples.x.shape == (60, 4 + 24)
    assert np.abs(found - samples.x)[:, 0].max() == pytest.approx(3.0)
    assert (found[:, 1:4] == samples.x[:, 1:4]).all()
    assert (found[:, 4:] != samples.x[:, 4:]).mean() > 0.5
    inputs = model_inputs(threat, samples, samples.x)
    for entry in entries:
        own = prepare_input(raw[entry["name"]], entry)
        np.testing.assert_allclose(inputs[entry["name"]], own, atol=1e-5)
    alone, _, part = fakes.attacked(data, model, inputs=("series",))
    assert [p.name for p in alone.parts] == ["series"]
    assert part.shape == (60, 12, 2)


def test_a_search_is_the_same_twice() -> None:
    data = fakes.rows()
    first, second = (fakes.attacked(data, fakes.network(data), columns=MOVED)[2] for _ in range(2))
    assert first.tobytes() == second.tobytes()
