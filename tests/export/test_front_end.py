"""A network from outside is converted by its copy, or by Keras 3 where it has none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.arrays import only
from pipeline.compress.ladder import least_float
from pipeline.device.measure import run_file
from pipeline.documents.ladder import MadeFile, Refusal
from pipeline.documents.recipe import Quantizer
from pipeline.errors import ArtifactError, ConversionError
from pipeline.export.inspect import inspect
from pipeline.models.adopt import adopt_model
from pipeline.worker.client import request
from tests.conftest import make_spec
from tests.documents.preprocess import preprocess_of
from tests.export.conftest import Made, make

L = keras.layers


def _picture() -> Any:
    x = first = keras.Input((8, 8, 1))
    x = L.Conv2D(4, 3, activation="silu")(x)
    x = (x + 3.0) * 0.5
    return keras.Model(first, L.Dense(3)(L.GlobalMaxPooling2D()(x)))


def _series() -> Any:
    x = first = keras.Input((8, 3))
    x = L.Bidirectional(L.GRU(4, return_sequences=True))(x)
    x = L.LayerNormalization()(x + L.MultiHeadAttention(2, 4)(x, x))
    return keras.Model(first, L.Dense(3)(L.GlobalAveragePooling1D()(x)))


def _no_copy() -> Any:
    x = first = keras.Input((8, 8, 1))
    x = keras.ops.maximum(L.Conv2D(4, 3)(x), 0.1)
    return keras.Model(first, L.Dense(3)(L.Flatten()(x)))


NETS: dict[str, tuple[Callable[[], Any], list[int], str]] = {
    "picture": (_picture, [8, 8, 1], "tf_keras copy"),
    "series": (_series, [8, 3], "tf_keras copy"),
    "no copy": (_no_copy, [8, 8, 1], "Keras 3"),
}


@pytest.fixture(
    scope="module",
    params=[pytest.param(n, marks=[pytest.mark.slow] * (n == "series")) for n in NETS],
)
def given(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    net, shape, way = NETS[request.param]
    spec: dict[str, Any] = {
        "seed": 5,
        "model": {"kind": "file", "path": "given.keras"},
        "adoption": {"reset_weights": True},
        "inputs": [{"name": "x", "shape": shape, "dtype": "float32"}],
        "output": {"task": "classification", "units": 3},
    }
    keras.utils.clear_session()
    model = adopt_model(keras, net(), make_spec(**spec), target=None)
    spec["architecture"] = keras.saving.serialize_keras_object(model)
    return make(spec, tmp_path_factory.mktemp("given") / "net", uneven=0.05), way


def _run(made: Made, path: Path) -> Any:
    kind = "image" if made.inputs["x"].ndim == 4 else "series"
    entry = {"kind": kind, "shape": list(made.inputs["x"].shape[1:]), "columns": []}
    preprocess = preprocess_of([entry if kind == "series" else entry | {"columns": None}])
    return only(run_file(path, preprocess, made.inputs, prepared=True).outputs)


def test_the_way_is_chosen_by_what_works_and_said(given: Any) -> None:
    made, way = given
    found = request(
        "front_end", model=str(made.folder / "model.keras"), spec=str(made.folder / "spec.json")
    )
    assert found["name"] == way
    assert (found["why"] is None) == (way == "tf_keras copy")


def test_the_float_file_answers_as_the_network(given: Any) -> None:
    made, _ = given
    np.testing.assert_allclose(_run(made, made.file("float32")), made.reference, atol=1e-5)


def test_it_comes_to_full_integers(given: Any) -> None:
    made, _ = given
    answers: dict[str, Any] = {}

    def attempt(rung: str, quantizer: Quantizer) -> MadeFile | Refusal:
        try:
            path = made.file("int8", name=f"int8_{quantizer}.tflite", quantizer=quantizer)
            outputs = _run(made, path)
        except (ConversionError, ArtifactError) as error:
            return Refusal(quantizer=quantizer, refused=str(error))
        answers[quantizer] = outputs
        return MadeFile(quantizer=quantizer, float_ops=len(inspect(path, "int8").float_ops_left))

    found = least_float("int8", attempt)
    assert isinstance(found, MadeFile), found
    assert found.float_ops == 0
    assert np.abs(answers[found.quantizer] - made.reference).mean() < 0.03  # of probabilities
