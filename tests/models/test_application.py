"""Networks of keras.applications: weights come in, gray is shown as color, errors say what."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.config.model_schema import Application
from pipeline.documents.spec import Adoption, Spec
from pipeline.errors import ConfigError
from pipeline.models.adopt import adopt_model
from pipeline.models.application import APPLICATIONS, application
from tests.conftest import make_spec

SHAPE = [32, 32, 1]


def settings(**given: Any) -> Application:
    return Application(kind="application", name="MobileNetV3Small", width=0.35, **given)


def spec(given: Application, adoption: Adoption) -> Spec:
    image = {"name": "image", "shape": SHAPE, "dtype": "float32"}
    output = {"task": "classification", "units": 4}
    return make_spec(given.model_dump(), [image], output, seed=2, adoption=adoption.dump())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the path of somebody's weights, and the network they are of."""
    keras.utils.set_random_seed(0)
    chosen = APPLICATIONS["MobileNetV3Small"]
    model = chosen.make(keras.applications, (32, 32, 3), 0.35, None)
    path = tmp_path_factory.mktemp("weights") / "no_top.weights.h5"
    model.save_weights(path)
    return path, model


def test_given_weights_see_gray_pictures_as_they_saw_color(trained: Any, tmp_path: Path) -> None:
    path, model = trained
    given = settings(weights=str(path))
    found, told = application(given, SHAPE, tmp_path)
    net = adopt_model(keras, found, spec(given, told), target=None)
    gray = np.random.Generator(np.random.Philox(0)).random((2, *SHAPE), np.float32)
    shown = np.repeat(2 * gray - 1, 3, axis=3)
    wanted = np.asarray(model(shown)).mean(axis=(1, 2))
    body = keras.Model(net.inputs, net.get_layer("logits").input)
    np.testing.assert_allclose(np.asarray(body([gray])), wanted, atol=1e-4)


def test_without_weights_it_takes_the_channels_there_are(tmp_path: Path) -> None:
    found, told = application(settings(), SHAPE, tmp_path)
    assert found.input_shape == (None, *SHAPE)
    assert told.reset_weights
    assert not told.triples


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ConfigError, match=r"^model\.weights: .*other\.weights\.h5"):
        application(settings(weights="other.weights.h5"), SHAPE, tmp_path)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="application takes pictures; came"):
        application(settings(), [12, 3], tmp_path)
