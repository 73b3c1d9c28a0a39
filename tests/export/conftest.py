"""Small models, and their files, made once: the conversions share one worker process."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.documents.recipe import FileRecipe
from pipeline.documents.spec import SpecInput
from pipeline.export.make import make_file
from pipeline.worker import client
from tests.conftest import make_spec, model_settings

CNN = {
    "model": model_settings(
        kind="cnn", filters=[4, 8], padding="valid", pool="average", dense=[8], dropout=0.1
    ),
    "inputs": [{"name": "image", "shape": [12, 12, 1], "dtype": "float32"}],
    "output": {"task": "classification", "units": 5},
}
STRIDED = CNN | {
    "model": model_settings(
        kind="cnn", filters=[4, 8], strides=2, pool="none", head="global_average", dense=[]
    ),
}
TABLE = {
    "model": model_settings(kind="mlp", units=[8], batch_norm=True),
    "inputs": [{"name": "features", "shape": [30], "dtype": "float32"}],
    "output": {"task": "classification", "units": 2},
}
VALUE = TABLE | {"output": {"task": "regression", "units": 1}}
TWO = TABLE | {"inputs": [*TABLE["inputs"], {"name": "aux", "shape": [3], "dtype": "float32"}]}
WORDS = TABLE | {
    "model": model_settings(kind="mlp", units=[8], batch_norm=True, embedding=4),
    "inputs": [
        {"name": "mode", "shape": [2], "dtype": "int32", "vocabulary": 7, "pool": "flatten"},
        *TABLE["inputs"],
        {"name": "text", "shape": [12], "dtype": "int32", "vocabulary": 20, "pool": "mean"},
    ],
}
SPECS: dict[str, Any] = {
    "cnn": CNN,
    "strided": STRIDED,
    "table": TABLE,
    "value": VALUE,
    "two": TWO,
    "words": WORDS,
}
SAMPLES = 64
DARKEST = 0.7  # of the calibration images: none reaches white


@dataclass(frozen=True)
class Made:
    """A model on disk, with what its conversion needs."""

    folder: Path
    inputs: dict[str, np.ndarray]
    reference: np.ndarray
    """What the Keras model answers to the inputs."""

    def file(self, form: str, *, io: str = "int8", name: str | None = None, **recipe: Any) -> Path:
        path = self.folder / (name or f"{form}_{io}_{recipe.get('clipping', '')}.tflite")
        if not path.exists():
            make_file(
                path,
                form,
                recipe=FileRecipe(**recipe),
                models=self.folder,
                spec=self.folder / "spec.json",
                calibration=self.folder / "calibration.npz",
                io=io,
                work=self.folder / "work",
            )
        return path


def make(spec: dict[str, Any], folder: Path, *, uneven: float = 0.2) -> Made:
    """Save an untrained model, its spec and calibration samples; `uneven` is added to weights."""
    import keras

    from pipeline.models import MODELS
    from pipeline.models.save import save_keras

    folder.mkdir()
    described = make_spec(**({"seed": 7} | spec))
    keras.utils.clear_session()
    model = MODELS[described.model.kind](keras, described)
    generator = np.random.Generator(np.random.Philox(1))
    model.set_weights(
        [
            w + uneven * np.abs(generator.standard_normal(w.shape, np.float32))
            for w in model.get_weights()
        ]
    )
    inputs = {e.name: _samples(e, generator) for e in described.inputs}
    save_keras(model, folder / "model.keras")
    described.write(folder / "spec.json")
    np.savez(folder / "calibration.npz", **inputs)
    return Made(folder, inputs, np.asarray(model(inputs, training=False)))


def make_given(
    net: Any, folder: Path, inputs: dict[str, Any], *, scale: float = 1.0, offset: float = 0.0
) -> Made:
    """Save a classifier that no builder of ours made, as a run on its file would."""
    import keras

    from pipeline.models.adopt import adopt_model
    from pipeline.models.save import save_keras

    folder.mkdir()
    shapes = [(name, x.shape[1:], str(x.dtype)) for name, x in inputs.items()]
    spec = make_spec(
        {"kind": "file", "path": "given.keras"},
        [{"name": n, "shape": list(s), "dtype": kind} for n, s, kind in shapes],
        {"task": "classification", "units": net.output_shape[-1]},
        seed=3,
        adoption={"scale": scale, "offset": offset},
    )
    model = adopt_model(keras, net, spec, target=None)
    layers = {"architecture": keras.saving.serialize_keras_object(model)}
    save_keras(model, folder / "model.keras")
    spec.model_copy(update=layers).write(folder / "spec.json")
    np.savez(folder / "calibration.npz", **inputs)
    return Made(folder, inputs, np.asarray(model(inputs, training=False)))


def _samples(entry: SpecInput, generator: np.random.Generator) -> Any:
    shape = (SAMPLES, *entry.shape)
    if entry.dtype == "int32":
        return generator.integers(0, entry.vocabulary, shape, dtype=np.int32)
    if len(entry.shape) == 3:
        return DARKEST * generator.random(shape, dtype=np.float32)
    return generator.standard_normal(shape, dtype=np.float32)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Made]]:
    """Name -> model; files are made when a test first asks for them."""
    root = tmp_path_factory.mktemp("models")
    yield {name: make(spec, root / name) for name, spec in SPECS.items()}
    client.stop()
