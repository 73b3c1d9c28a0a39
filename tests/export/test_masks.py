"""A Transformer with a mask of a billion: int8 breaks it, and a finite mask repairs it."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.arrays import only
from pipeline.device.measure import run_file
from pipeline.export.equalize import Graph, equalized_file
from pipeline.export.make import float32_file
from pipeline.models.adopt import adopt_model
from pipeline.models.save import save_keras
from pipeline.tasks.metrics import sqnr_db
from tests.conftest import make_spec
from tests.documents.preprocess import preprocess_of
from tests.export.conftest import Made, make

L = keras.layers
STEPS, WIDTH = 8, 8


def _billion(flag: Any) -> Any:
    return L.Rescaling(1e9, -1e9)(flag)


def _product(flag: Any) -> Any:
    return (1.0 - flag) * -1e9


FORMS = {"rescaled": _billion, "product": _product}


def attention(form: str) -> Any:
    """Return a net whose last channel says which steps count."""
    x = first = keras.Input((STEPS, 4))
    flag = L.Reshape((1, STEPS))(L.Dense(1, use_bias=False, name="flag")(x))
    query, key, value = (L.Dense(WIDTH, name=name)(x) for name in ("query", "key", "value"))
    scores = L.Dot(axes=2)([query, key])
    shares = L.Softmax(name="shares")(L.Add(name="masked")([scores, FORMS[form](flag)]))
    y = L.Flatten()(L.Dot(axes=(2, 1))([shares, value]))
    return keras.Model(first, L.Dense(3)(y))


@pytest.fixture(scope="module", params=FORMS)
def masked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    spec: dict[str, Any] = {
        "seed": 5,
        "model": {"kind": "file", "path": "given.keras"},
        "adoption": {"reset_weights": True},
        "inputs": [{"name": "x", "shape": [STEPS, 4], "dtype": "float32"}],
        "output": {"task": "classification", "units": 3},
    }
    keras.utils.clear_session()
    net = adopt_model(keras, attention(request.param), make_spec(**spec), target=None)
    spec["architecture"] = keras.saving.serialize_keras_object(net)
    made = make(spec, tmp_path_factory.mktemp("masked") / "net", uneven=0.3)
    inputs = made.inputs["x"].copy()
    inputs[..., 3] = np.arange(STEPS) < np.random.default_rng(0).integers(
        2, STEPS, (len(inputs), 1)
    )
    net.set_weights(keras.models.load_model(made.folder / "model.keras").get_weights())
    net.get_layer("flag").set_weights([np.array([[0], [0], [0], [1]], np.float32)])
    save_keras(net, made.folder / "model.keras")
    np.savez(made.folder / "calibration.npz", x=inputs)
    return Made(made.folder, {"x": inputs}, np.asarray(net({"x": inputs}, training=False)))


def answers(made: Made, file: Path) -> Any:
    return only(run_file(file, preprocess_of([]), made.inputs, prepared=True).outputs)


def test_a_mask_of_a_billion_breaks_int8_and_correction_repairs_it(masked: Made) -> None:
    broken, repaired = (
        answers(masked, masked.file("int8", name=f"{correct}.tflite", correct=correct))
        for correct in (False, True)
    )
    assert sqnr_db(masked.reference, broken) < 20
    assert sqnr_db(masked.reference, repaired) > 25


def test_the_float_file_answers_as_before_and_reaches_less_far(masked: Made) -> None:
    files = masked.folder / "model.keras", masked.folder / "spec.json"
    plain = float32_file(*files, masked.folder / "work")
    finite = Path(equalized_file(str(plain), str(masked.folder / "calibration.npz")))
    np.testing.assert_allclose(answers(masked, finite), answers(masked, plain), atol=1e-4)
    reach = [farthest(Graph(file.read_bytes())) for file in (plain, finite)]
    assert reach[0] >= 1e9
    assert reach[1] < 1e3


def farthest(graph: Graph) -> float:
    """Return the largest constant of a float file."""
    found = []
    for index, tensor in enumerate(graph.graph.tensors):
        data = graph.model.buffers[tensor.buffer].data
        if tensor.type == 0 and data is not None and len(data) > 0:
            found.append(float(np.abs(graph.values(index, np.float32)).max()))
    return max(found)
