"""What holds for every family, or for one of them alone."""

from typing import Any

import keras
import numpy as np
import pytest

from pipeline.config.model_schema import Funnel
from pipeline.models import MODELS, budget
from pipeline.models.mlp import widths
from pipeline.tasks import TASKS
from tests.conftest import make_spec

PICTURE = [{"name": "image", "shape": [16, 16, 1], "dtype": "float32"}]
SERIES = [{"name": "series", "shape": [12, 3], "dtype": "float32"}]
TABLE = [{"name": "table", "shape": [9], "dtype": "float32"}]
TEXT = [{"name": "text", "shape": [10], "dtype": "int32", "vocabulary": 30, "pool": "mean"}]

PICTURE_NETS = ["cnn", "ds_cnn", "resnet8", "mobilenet"]


def made(inputs: list[dict[str, Any]], **model: Any) -> Any:
    spec = make_spec(model, inputs, {"task": "classification", "units": 3})
    return MODELS[spec.model.kind](keras, spec)


@pytest.mark.parametrize("kind", PICTURE_NETS)
@pytest.mark.parametrize("inputs", [SERIES, TABLE, [*PICTURE, *TABLE]])
def test_a_picture_net_takes_one_picture(kind: str, inputs: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="wanted one picture"):
        made(inputs, kind=kind)


@pytest.mark.parametrize("kind", ["cnn1d", "rnn", "transformer"])
@pytest.mark.parametrize("inputs", [TABLE, [*SERIES, *TABLE]])
def test_a_net_over_steps_takes_one_input_with_steps(
    kind: str, inputs: list[dict[str, Any]]
) -> None:
    with pytest.raises(ValueError, match="wanted "):
        made(inputs, kind=kind)


@pytest.mark.parametrize("kind", ["cnn1d", "rnn", "transformer", "mlp", "perceptron"])
@pytest.mark.parametrize("inputs", [PICTURE, SERIES, TEXT])
def test_the_same_seed_gives_the_same_weights(kind: str, inputs: list[dict[str, Any]]) -> None:
    one, two = made(inputs, kind=kind), made(inputs, kind=kind)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("kind", sorted(MODELS.keys() - {"application", "file"}))
def test_the_outputs_have_the_names_and_shapes_of_the_spec(kind: str, task: str) -> None:
    """They are the names of the .tflite files' signatures, too."""
    score = "reconstruction" if kind == "autoencoder" else "forecast"
    output = {"task": task, "units": 2} | ({"score": score} if task == "anomaly" else {})
    inputs = PICTURE if kind in PICTURE_NETS else SERIES
    spec = make_spec({"kind": kind}, inputs, output)
    model = MODELS[kind](keras, spec)
    assert list(model.output_names) == [made.name for made in spec.outputs]
    assert [x.shape[1:] for x in model.outputs] == [made.shape for made in spec.outputs]


@pytest.mark.parametrize("cell", ["simple", "lstm", "gru"])
def test_both_directions_start_differently(cell: str) -> None:
    net = made(SERIES, kind="rnn", cell=cell, units=[4], direction="bidirectional")
    both = net.get_layer(f"{cell}_1")
    forward, backward = both.forward_layer.get_weights(), both.backward_layer.get_weights()
    assert not np.array_equal(forward[0], backward[0])


def test_backward_reads_a_text_from_its_end(rng: np.random.Generator) -> None:
    settings = {"kind": "rnn", "units": [4], "embedding": 5}
    backward, forward = made(TEXT, direction="backward", **settings), made(TEXT, **settings)
    forward.set_weights(backward.get_weights())
    x = rng.integers(0, 30, (4, 10))
    np.testing.assert_allclose(backward(x), forward(x[:, ::-1]), rtol=1e-5)


def test_what_stands_after_a_texts_end_decides_nothing(rng: np.random.Generator) -> None:
    net = made(TEXT, kind="transformer", width=8, heads=2)
    for weight in net.trainable_weights:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    x = rng.integers(1, 30, (4, 10))
    x[:, 6:] = 0
    before = np.asarray(net(x))
    table = net.get_layer("embedding_text")
    (vectors,) = table.get_weights()
    vectors[0] = 7 * rng.normal(size=vectors.shape[1])
    table.set_weights([vectors])
    np.testing.assert_allclose(net(x), before, atol=1e-5)


@pytest.mark.parametrize(("kind", "inputs"), [("cnn", PICTURE), ("cnn1d", SERIES)])
def test_the_head_drops_what_the_dense_layers_would_read(
    kind: str, inputs: list[dict[str, Any]]
) -> None:
    settings: dict[str, Any] = {"kind": kind, "dense": [7], "batch_norm": False}
    net, plain = made(inputs, **settings, head_dropout=0.5), made(inputs, **settings)
    dropped, dense = net.get_layer("head_dropout"), net.get_layer("dense_1")
    assert (dropped.rate, dense.input) == (0.5, dropped.output)
    assert "head_dropout" not in [layer.name for layer in plain.layers]
    x = np.ones((2, *net.input_shape[1:]), np.float32)
    for one, other in zip(net.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(net(x, training=False), plain(x, training=False))
    assert np.abs(net(x, training=True) - plain(x, training=True)).max() > 0


def test_patches_are_the_steps_of_a_picture() -> None:
    net = made(PICTURE, kind="transformer", patch=4)
    assert net.get_layer("steps").output.shape[1:] == (16, 32)
    assert made(PICTURE, kind="transformer").get_layer("rows").output.shape[1:] == (16, 16)


def test_a_funnel_goes_from_first_to_last_by_one_factor() -> None:
    assert widths(Funnel(first=64, last=16, layers=3)) == (64, 32, 16)
    assert widths(Funnel(first=10, last=10, layers=1)) == (10,)
    assert widths((5, 4)) == (5, 4)


def test_known_nets_have_their_known_sizes() -> None:
    """MLPerf Tiny's ResNet-8 and DS-CNN (arXiv:2106.07597); LeNet-5; the 784-256-256-10 net."""

    def parameters(shape: list[int], outputs: int, **model: Any) -> int:
        x = {"name": "x", "shape": shape, "dtype": "float32"}
        spec = make_spec(model, [x], {"task": "classification", "units": outputs})
        net = MODELS[spec.model.kind](keras, spec)
        return sum(int(np.prod(w.shape)) for w in net.trainable_weights)

    stacks = 3 * 9 * 16 + 2 * 9 * 16 * 16 + 9 * 16 * 32 + 9 * 32 * 32 + 9 * 32 * 64 + 9 * 64 * 64
    shortcuts, norms = 16 * 32 + 32 + 32 * 64 + 64, 2 * (3 * 16 + 2 * 32 + 2 * 64)
    assert parameters([32, 32, 3], 10, kind="resnet8") == stacks + shortcuts + norms + 650
    ds_cnn = 40 * 64 + 4 * (9 * 64 + 64 * 64) + 9 * 2 * 64 + 64 * 12 + 12
    assert parameters([49, 10, 1], 12, kind="ds_cnn") == ds_cnn
    lenet = {"filters": [6, 16], "kernel_size": 5, "padding": ["same", "valid"]}
    lenet |= {"pool": "average", "dense": [120, 84], "batch_norm": False, "activation": "tanh"}
    # 61,706 with every map of C3 reading all six of S2, as is done since.
    assert parameters([28, 28, 1], 10, kind="cnn", **lenet) == 61_706
    assert parameters([28, 28, 1], 10, kind="mlp", units=[256, 256]) == 269_322


def test_macs_of_recurrence_and_attention_equal_the_hand_count() -> None:
    lstm = made(SERIES, kind="rnn", units=[4], direction="bidirectional")
    assert budget.macs(lstm) == 2 * 12 * (3 * 16 + 4 * 16) + 8 * 3
    net = made(SERIES, kind="transformer", width=8, heads=2, blocks=1, feed_forward=16)
    attention = 12 * 4 * 8 * 8 + 2 * 12 * 12 * 8
    assert budget.macs(net) == 12 * 3 * 8 + attention + 2 * 12 * 8 * 16 + 8 * 3
