"""A model with two outputs of different rank, from the network to parity: names all the way."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.arrays import Array, Arrays, only
from pipeline.device.measure import RunResult, run_file
from pipeline.device.runtimes import why_missing
from pipeline.documents.preprocess import Preprocess
from pipeline.models.predict import predict
from pipeline.ondevice.outputs import golden_name
from pipeline.tasks import TASKS
from pipeline.tasks.task import Output, Target, Task
from pipeline.verify.parity import compare
from pipeline.verify.runtimes import compare_runtimes
from pipeline.worker import client
from tests.conftest import IMAGE, make_spec
from tests.documents.preprocess import preprocess_of
from tests.export.conftest import Made

SAMPLES, CLASSES = 40, 4


def _score(targets: Arrays, outputs: Arrays) -> float:
    """Return how many are right: of the pictures and of the pixels, in equal parts."""
    parts = [(outputs[name].argmax(axis=-1) == targets[name]).mean() for name in targets]
    return float(np.mean(parts))


def _decisions(outputs: Arrays) -> Array:
    """Return the class of the picture and of each pixel, a row a sample (N, 1 + 64)."""
    parts = [outputs[name].argmax(axis=-1).reshape(SAMPLES, -1) for name in sorted(outputs)]
    return np.concatenate(parts, axis=1)


TWO: Task = replace(
    TASKS["classification"],
    metric="right",
    score=_score,
    metrics=lambda targets, outputs: {"right": _score(targets, outputs)},
    decisions=_decisions,
    agree=lambda a, b, targets: (a == b).mean(axis=1),
    ranking=None,
    targets=(
        Target(name="mask", dtype="int64", shape=(8, 8)),
        Target(name="probabilities", dtype="int64"),
    ),
    outputs=(
        Output(name="mask", meaning="probability of each class of a pixel"),
        Output(name="probabilities", meaning="probability of each class"),
    ),
)


class Held:
    """A dataset of random pictures, as `predict` reads one."""

    def __init__(self, preprocess: Preprocess, raw: dict[str, Array]) -> None:
        self.preprocess, self.raw, self.sample_bytes = preprocess, raw, 64

    def read(self, positions: Array) -> dict[str, Array]:
        return {name: values[positions] for name, values in self.raw.items()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Yield a network with a map and a vector at its end, its spec and calibration samples."""
    import keras

    from pipeline.documents.spec import SpecOutput
    from pipeline.models.save import save_keras

    keras.utils.set_random_seed(3)
    x = image = keras.Input((8, 8, 1), name="image")
    x = keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="conv")(x)
    mask = keras.layers.Conv2D(CLASSES, 1, name="mask_logits")(x)
    mask = keras.layers.Softmax(name="mask")(mask)
    pooled = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    whole = keras.layers.Dense(CLASSES, name="whole_logits")(pooled)
    whole = keras.layers.Softmax(name="probabilities")(whole)
    model = keras.Model({"image": image}, [mask, whole], name="two")
    folder = tmp_path_factory.mktemp("two") / "net"
    folder.mkdir()
    output = {"task": "classification", "units": CLASSES}
    spec = make_spec({"kind": "file", "path": "given.keras"}, [IMAGE], output)
    shapes = {"mask": (8, 8, CLASSES), "probabilities": (CLASSES,)}
    outputs = tuple(SpecOutput(name=n, shape=s, meaning="tested") for n, s in shapes.items())
    layers = {"outputs": outputs, "architecture": keras.saving.serialize_keras_object(model)}
    spec.model_copy(update=layers).write(folder / "spec.json")
    save_keras(model, folder / "model.keras")
    inputs = {"image": np.random.default_rng(0).random((SAMPLES, 8, 8, 1), np.float32)}
    np.savez(folder / "calibration.npz", **inputs)
    yield Made(folder, inputs, np.zeros(0))
    client.stop()


@pytest.fixture(scope="module")
def preprocess() -> Preprocess:
    entry = {"name": "image", "kind": "image", "shape": [8, 8, 1], "scale": 1 / 255, "offset": 0.0}
    return preprocess_of([entry])


@pytest.fixture(scope="module")
def reference(made: Made, preprocess: Preprocess) -> dict[str, Array]:
    """Return the outputs of the network, as `verify` asks for them."""
    from pipeline.models.save import load_keras

    held: Any = Held(preprocess, raw(made))
    return predict(load_keras(made.folder / "model.keras"), held, np.arange(SAMPLES))


def raw(made: Made) -> dict[str, Array]:
    return {"image": np.round(255 * made.inputs["image"]).astype(np.uint8)}


def run(made: Made, preprocess: Preprocess, form: str, runtime: str = "litert") -> RunResult:
    return run_file(made.file(form), preprocess, raw(made), runtime=runtime)


def test_the_network_predicts_each_output_by_its_name(reference: dict[str, Array]) -> None:
    assert {name: values.shape for name, values in reference.items()} == {
        "mask": (SAMPLES, 8, 8, CLASSES),
        "probabilities": (SAMPLES, CLASSES),
    }


@pytest.mark.parametrize("form", ["float32", "int8"])
def test_a_file_has_the_outputs_of_the_network(
    made: Made, preprocess: Preprocess, reference: dict[str, Array], form: str
) -> None:
    """Each with its own scale: the map and the vector are not mixed up, and near the network's."""
    found = run(made, preprocess, form)
    assert found.outputs.keys() == found.raw_outputs.keys() == reference.keys()
    for name, wanted in reference.items():
        assert found.raw_outputs[name].dtype == np.dtype(form)
        assert np.abs(found.outputs[name] - wanted).max() < {"float32": 1e-5, "int8": 0.05}[form]


def test_parity_compares_output_by_output(
    made: Made, preprocess: Preprocess, reference: dict[str, Array]
) -> None:
    targets = {name: values.argmax(axis=-1) for name, values in reference.items()}
    outputs = run(made, preprocess, "int8").outputs
    options: dict[str, Any] = {"class_names": None, "layers": (), "seed": 0}
    parity = compare(TWO, targets, reference, other=outputs, **options)
    assert parity.agreement > 0.9
    assert parity.metric_drop == pytest.approx(1 - _score(targets, outputs))
    turned = {**outputs, "mask": outputs["mask"][..., ::-1]}
    other = compare(TWO, targets, reference, other=turned, **options)
    assert other.output_sqnr_db < parity.output_sqnr_db - 10  # the worst of the outputs counts
    assert other.metric_drop > 0.2


@pytest.mark.parametrize("runtime", ["litert-builtin", "tflite-runtime", "tflite-micro", "browser"])
def test_every_runtime_gives_both(
    made: Made, preprocess: Preprocess, reference: dict[str, Array], runtime: str
) -> None:
    if (missing := why_missing(runtime)) is not None:
        pytest.skip(missing)
    results = {name: run(made, preprocess, "int8", name) for name in ("litert", runtime)}
    targets = {name: values.argmax(axis=-1) for name, values in reference.items()}
    rows = compare_runtimes(TWO, targets, reference, results=results)
    steps = rows[runtime].max_abs_lsb
    assert steps is not None
    assert steps <= 2


def test_what_makes_sense_of_one_output_says_so_of_two(reference: dict[str, Array]) -> None:
    with pytest.raises(ValueError, match="wanted one output or target; came 2: mask, probabilit"):
        only(reference)
    with pytest.raises(ValueError, match="came 2"):
        TASKS["classification"].decisions(reference)
    names = [golden_name("int8", name, reference) for name in reference]
    assert names == ["int8.mask", "int8.probabilities"]
    assert golden_name("int8", "value", {"value": None}) == "int8"
