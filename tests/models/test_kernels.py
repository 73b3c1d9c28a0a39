"""Which weights are made small: kernels of every family, and nothing else."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.config.export_schema import Cluster, Compress, Prune
from pipeline.errors import ConfigError
from pipeline.models import MODELS
from pipeline.models.kernels import (
    check_sizes,
    compressible_kernels,
    describe_kernels,
    make_kernels_trainable,
)
from pipeline.models.save import load_keras, save_keras
from pipeline.train.weight_constraints import made_small
from tests.conftest import make_spec
from tests.export.test_families import FAMILIES

L = keras.layers
# What stays: biases, statistics, positions, recurrent and normalizing vectors, tables of constants.
STAYS = ("bias", "gamma", "beta", "moving_mean", "moving_variance", "seed_generator_state")


@pytest.fixture(autouse=True)
def fresh() -> None:
    keras.utils.clear_session()


@pytest.mark.parametrize("name", [*FAMILIES])
def test_every_kernel_of_every_family_is_taken_but_depthwise_ones(name: str) -> None:
    spec = make_spec(**FAMILIES[name])
    model = MODELS[spec.model.kind](keras, spec)
    found = {weight.path for weight in compressible_kernels(model)}
    others = {weight.path for weight in model.weights} - found
    assert found
    for path in others:
        layer, weight = path.split("/")[-2:]
        assert weight in STAYS or layer.startswith("depthwise") or layer == "mask", path
    assert not any(path.split("/")[-1] in STAYS for path in found)


def test_attention_of_keras_and_separable_kernels_are_taken() -> None:
    x = inputs = keras.Input((6, 8))
    x = L.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = L.SeparableConv1D(4, 3, name="separable")(x)
    names = {weight.path for weight in compressible_kernels(keras.Model(inputs, x))}
    assert {path.rsplit("/", 1)[-1] for path in names} == {"kernel", "pointwise_kernel"}
    assert len(names) == 5


def test_what_was_frozen_learns_and_a_table_of_constants_does_not(tmp_path: Path) -> None:
    inner = keras.Sequential([keras.Input((4, 2)), L.Dense(5, name="inner")])
    inner.trainable = False
    table = L.Embedding(7, 2, trainable=False, name="table")
    save_keras(
        keras.Sequential([keras.Input((4,)), table, inner, L.Dense(3, name="head")]),
        tmp_path / "m.keras",
    )
    model = load_keras(tmp_path / "m.keras")
    weights = make_kernels_trainable(model)
    assert [weight.path.split("/")[-2] for weight in weights] == ["inner", "head"]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(np.ones((2, 4), np.int32)) ** 2)
    assert all(g is not None for g in tape.gradient(loss, [w.value for w in weights]))


def compress(**settings: Any) -> Compress:
    kinds = {"prune": Prune, "cluster": Cluster}
    return Compress(**{name: kinds[name](**value) for name, value in settings.items()})


@pytest.mark.parametrize(
    ("units", "settings", "message"),
    [
        (
            3,
            {"cluster": {"clusters": 12}},
            r"cluster\.clusters: .*kernel.*has 12 weights, which 12",
        ),
        (3, {"prune": {"sparsity": 0.99}}, r"prune\.sparsity: .*12 weights, 0\.99 leaves none"),
        (None, {"prune": {"sparsity": 0.5}}, "has no dense, convolutional"),
    ],
)
def test_too_few_weights_are_said(units: int | None, settings: Any, message: str) -> None:
    net = [keras.Input((4,)), L.Rescaling(2.0) if units is None else L.Dense(units)]
    with pytest.raises(ConfigError, match=message):
        check_sizes(keras.Sequential(net), compress(**settings))
    check_sizes(keras.Sequential(net), compress())


def test_enough_weights_pass() -> None:
    net = keras.Sequential([keras.Input((4,)), L.Dense(2), L.Dense(40)])
    check_sizes(net, compress(cluster={"clusters": 79}, prune={"sparsity": 0.98}))


def test_what_is_known_of_a_kernel_is_counted(rng: np.random.Generator) -> None:
    model = keras.Sequential([keras.Input((4,)), L.Dense(6)])
    values = rng.choice(np.array([0.0, 1.0, 2.0], np.float32), size=(4, 6))
    model.weights[0].assign(values)
    (row,) = describe_kernels(model)
    assert (row.weights, row.zeros) == (24, int((values == 0).sum()))
    assert row.values == len(np.unique(values))


def test_only_what_is_small_is_held(rng: np.random.Generator) -> None:
    net = [keras.Input((4,)), L.Dense(6, name="a"), L.Dense(6, name="b"), L.Dense(6)]
    model = keras.Sequential(net)
    plain, sparse, tied = compressible_kernels(model)
    sparse.assign(sparse.value * (rng.random((6, 6)) < 0.5))
    tied.assign(rng.choice(np.array([1.0, 2.0], np.float32), size=(6, 6)))
    assert [constraint.weight for constraint in made_small([plain, sparse, tied], 2)] == [
        sparse,
        tied,
    ]
    assert [constraint.weight for constraint in made_small([plain, sparse, tied], None)] == [sparse]
