"""Mixed precision: the tensor that breaks a net is found, and gets 16 bits; the rest keeps 8."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.export import mixed
from pipeline.export.inspect import inspect
from pipeline.tasks.metrics import sqnr_db
from pipeline.worker import client
from tests.export.conftest import Made, make_given
from tests.export.test_equalize import answers, same

L = keras.layers
FAR = 400.0  # what is added to small numbers, and taken off again


def lost_in_a_sum() -> Any:
    """Return a net that adds a large number, and takes it off: eight bits lose what was there."""
    keras.utils.set_random_seed(4)
    x = keras.Input((12,), name="x")
    small = L.Dense(16, activation="tanh", name="small")(x)
    large = L.Dense(16, name="large", kernel_initializer="zeros")(x)
    there = L.Add(name="there")([small, large])
    back = L.Subtract(name="back")([there, large])
    hidden = L.Dense(16, activation="relu", name="hidden")(back)
    model = keras.Model(x, L.Dense(4, activation="softmax", name="last")(hidden))
    model.get_layer("large").set_weights([np.zeros((12, 16)), np.full(16, FAR)])
    return model


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    x = np.random.default_rng(2).normal(size=(64, 12)).astype(np.float32)
    yield make_given(lost_in_a_sum(), tmp_path_factory.mktemp("lost") / "model", {"x": x})
    client.stop()


def test_the_tensor_that_breaks_a_net_is_found_and_widened(lost: Made) -> None:
    x = lost.inputs["x"]
    plain = answers(lost.file("int8", name="plain.tflite"), x)
    path = lost.file("int8", name="mixed.tflite", int16_fraction=0.3)
    widened = answers(path, x)
    assert same(lost, plain) < 0.8
    assert same(lost, widened) > 0.95
    assert sqnr_db(lost.reference, widened) > 10 + sqnr_db(lost.reference, plain)
    assert inspect(path, "int8").float_ops_left == ()
    calibration = str(lost.folder / "calibration.npz")
    asked = str(lost.file("float32")), calibration, "wide", 0.3, "channel", {}
    wide = mixed.most_sensitive(*asked)
    assert any("there" in name for name in wide)
    assert not any("hidden" in name and "back" not in name for name in wide)


@pytest.mark.parametrize("granularity", ["channel", "tensor"])
def test_or_it_stays_in_float(lost: Made, granularity: str) -> None:
    x, made = lost.inputs["x"], {"granularity": granularity}
    plain = answers(lost.file("int8", name=f"plain_{granularity}.tflite", **made), x)
    path = lost.file("int8", name=f"islands_{granularity}.tflite", float_fraction=0.1, **made)
    found = answers(path, x)
    assert same(lost, found) > 0.95
    assert sqnr_db(lost.reference, found) > 10 + sqnr_db(lost.reference, plain)
    left = inspect(path, "int8").float_ops_left
    assert {"ADD", "SUB"} <= {row.op for row in left}
    assert len(left) < sum(inspect(path, "float32").ops.values()) / 2
    assert all("float32" in row.why for row in left)


def test_the_same_file_twice(lost: Made) -> None:
    one, two = (lost.file("int8", name=f"{n}.tflite", int16_fraction=0.3) for n in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("name", ["cnn", "strided", "table", "value", "two", "words"])
def test_other_nets_get_files_that_run_and_are_no_worse(models: dict[str, Made], name: str) -> None:
    made = models[name]
    path = made.file("int8", name="int8_mixed.tflite", int16_fraction=0.3)
    assert inspect(path, "int8").float_ops_left == ()
    if len(made.inputs) == 1:
        (x,) = made.inputs.values()
        plain = sqnr_db(made.reference, answers(made.file("int8"), x))
        assert sqnr_db(made.reference, answers(path, x)) > plain - 1.0


def test_too_many_operations_are_refused(
    models: dict[str, Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mixed, "MOST", 1)
    made = models["strided"]
    paths = str(made.file("float32")), str(made.folder / "calibration.npz")
    with pytest.raises(PipelineError, match="too many to try each"):
        mixed.most_sensitive(*paths, "float", 0.5, "channel", {"image": (0.0, 1.0)})


def test_a_share_of_all_is_every_operation_that_gains(models: dict[str, Made]) -> None:
    made = models["cnn"]
    paths = str(made.file("float32")), str(made.folder / "calibration.npz")
    some, more = (
        set(mixed.most_sensitive(*paths, "wide", share, "channel", {})) for share in (0.1, 1.0)
    )
    assert some < more
