"""Budgets against hand counts."""

from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.documents.budget import Budget
from pipeline.documents.spec import Spec
from pipeline.export.inspect import inspect
from pipeline.models import MODELS, budget
from tests.conftest import make_spec
from tests.export.conftest import make_given

CNN = {"kind": "cnn", "filters": [4, 8], "dense": [16], "dropout": 0.1}
MLP = {"kind": "mlp", "units": [16], "activation": "tanh"}


def spec(model: dict, shape: list[int]) -> Spec:
    x = {"name": "x", "shape": shape, "dtype": "float32"}
    return make_spec(model, [x], {"task": "classification", "units": 3})


@pytest.fixture(scope="module")
def cnn() -> keras.Model:
    return MODELS["cnn"](keras, spec(CNN, [8, 8, 1]))


def test_macs_equal_the_hand_count(cnn: keras.Model) -> None:
    by_hand = 8 * 8 * 9 * 1 * 4 + 4 * 4 * 9 * 4 * 8 + 2 * 2 * 8 * 16 + 16 * 3
    assert budget.macs(cnn) == by_hand


def test_parameters_leave_out_the_counters_of_dropout(cnn: keras.Model) -> None:
    by_hand = 9 * 4 + 4 * 4 + 9 * 4 * 8 + 4 * 8 + 32 * 16 + 16 + 16 * 3 + 3
    assert budget.parameters(cnn) == by_hand


def test_peak_is_the_largest_pair_of_neighbors(cnn: keras.Model) -> None:
    first_conv_and_its_pooling = 8 * 8 * 4 + 4 * 4 * 4
    input_and_first_conv = 8 * 8 * 1 + 8 * 8 * 4
    assert budget.peak_activation_bytes(cnn) == max(
        first_conv_and_its_pooling, input_and_first_conv
    )


def test_mlp_ops_name_the_activation_that_is_not_fused() -> None:
    model = MODELS["mlp"](keras, spec(MLP, [5]))
    ops = [budget.op_of(layer) for layer in model.layers]
    assert [op for op in ops if op] == [
        "RESHAPE",
        "FULLY_CONNECTED",
        "TANH",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]


def test_equal_specs_give_equal_weights() -> None:
    first, second = (MODELS["cnn"](keras, spec(CNN, [8, 8, 1])) for _ in range(2))
    assert all(
        (a == b).all() for a, b in zip(first.get_weights(), second.get_weights(), strict=True)
    )


def test_what_cannot_hold_is_told_before_any_training() -> None:
    counted = Budget(parameters=2000, macs=0, peak_activation_bytes=300, layers=(), targets={})
    assert list(budget.beyond(counted, {"bytes": 2000, "arena_bytes": 300})) == []
    assert list(budget.beyond(counted, {"bytes": None, "arena_bytes": None})) == []
    weights, activations = budget.beyond(counted, {"bytes": 1999, "arena_bytes": 299})
    assert weights.startswith("gate.bytes: the weights alone take 2,000 bytes")
    assert activations.startswith("gate.arena_bytes: the activations alone take 300 bytes")


LAYERS = {
    "bilinear": lambda: keras.layers.UpSampling2D(interpolation="bilinear"),
    "nearest": lambda: keras.layers.UpSampling2D(),
    "resizing": lambda: keras.layers.Resizing(5, 5),
    "transposed": lambda: keras.layers.Conv2DTranspose(2, 3),
    "prelu": lambda: keras.layers.PReLU(),
    "leaky": lambda: keras.layers.LeakyReLU(),
    "padding": lambda: keras.layers.ZeroPadding2D(),
    "separable": lambda: keras.layers.SeparableConv2D(2, 3),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_operation_of_a_layer_is_in_the_file(name: str, tmp_path: Path) -> None:
    """What is said before training of an NPU's operations holds for the file."""
    layer, x = LAYERS[name](), np.random.default_rng(0).random((4, 8, 8, 2), np.float32)
    ends = [keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    made = make_given(
        keras.Sequential([keras.Input((8, 8, 2)), layer, *ends]), tmp_path / "m", {"x": x}
    )
    assert budget.op_of(layer) in inspect(made.file("float32"), "float32").ops
