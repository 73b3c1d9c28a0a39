"""Models trained elsewhere are read in every form, and nothing stored in them is run."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.export import worker
from pipeline.models.given import read_model

X = np.random.Generator(np.random.Philox(0)).random((4, 6, 6, 1), np.float32)


@pytest.fixture(scope="module", autouse=True)
def _worker() -> Iterator[None]:
    yield
    worker.stop()


def net(namespace: Any, *, code: bool = False) -> Any:
    layers = namespace.layers
    x = first = layers.Input((6, 6, 1))
    x = layers.BatchNormalization()(layers.Conv2D(3, 3, activation="relu")(x))
    x = layers.Lambda(lambda t: t)(x) if code else x
    model = namespace.Model(first, layers.Dense(2, activation="softmax")(layers.Flatten()(x)))
    generator = np.random.Generator(np.random.Philox(1))
    model.set_weights(
        [generator.random(w.shape).astype(np.float32) + 0.1 for w in model.get_weights()]
    )
    return model


def _keras(path: Path, **options: Any) -> tuple[Any, Path]:
    model = net(keras, **options)
    model.save(path / "m.keras")
    return model, path / "m.keras"


def _h5(path: Path, **options: Any) -> tuple[Any, Path]:
    import tf_keras

    model = net(tf_keras, **options)
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(path / "m.h5")
    return model, path / "m.h5"


def _saved_model(path: Path, **options: Any) -> tuple[Any, Path]:
    import tf_keras

    model = net(tf_keras, **options)
    model.save(path / "m", save_format="tf")
    return model, path / "m"


FORMS: dict[str, Callable[..., tuple[Any, Path]]] = {
    "keras": _keras,
    "h5": _h5,
    "SavedModel": _saved_model,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_answers(form: str, tmp_path: Path) -> None:
    model, path = FORMS[form](tmp_path)
    found = read_model(path, tmp_path / "work")
    assert isinstance(found, keras.Model)
    np.testing.assert_allclose(np.asarray(found(X)), np.asarray(model(X)), atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("form", FORMS)
def test_code_in_a_model_is_refused(form: str, tmp_path: Path) -> None:
    _, path = FORMS[form](tmp_path, code=True)
    with pytest.raises(ConfigError, match="Lambda"):
        read_model(path, tmp_path / "work")


def test_a_graph_without_layers_says_what_is_wanted(tmp_path: Path) -> None:
    net(keras).export(tmp_path / "graph", verbose=False)
    with pytest.raises(ConfigError, match=r"no SavedModel of Keras 2.*Wanted a \.keras file"):
        read_model(tmp_path / "graph", tmp_path / "work")


def test_weights_alone_say_what_is_wanted(tmp_path: Path) -> None:
    net(keras).save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(ConfigError, match="weights without layers; wanted a whole model"):
        read_model(tmp_path / "m.weights.h5", tmp_path / "work")


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_what_is_no_model_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pickle.dumps({"not": "a model"}))
    with pytest.raises(ConfigError, match=r"^model\.path: .*m\."):
        read_model(tmp_path / name, tmp_path / "work")
