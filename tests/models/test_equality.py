"""A network from outside outputs as taken in what the given one does, before and after a save."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.documents.spec import Spec
from pipeline.errors import ConfigError
from pipeline.models.adopt import adopt_model
from pipeline.models.equality import check_equality, check_saved_state
from pipeline.models.save import START, save_keras
from tests.conftest import IMAGE, make_spec

L = keras.layers
DIGITS = 10


def spec(**adoption: Any) -> Spec:
    output = {"task": "classification", "units": DIGITS}
    file = {"kind": "file", "path": "given.keras"}
    return make_spec(file, [IMAGE], output, adoption=adoption)


def network(*layers: Any, dtype: str | None = None) -> Any:
    keras.utils.set_random_seed(4)
    with_input = [keras.Input((8, 8, 1)), L.Conv2D(4, 3, activation="relu", dtype=dtype)]
    return keras.Sequential([*with_input, *layers])


ENDS = {
    "softmax": lambda: [L.Flatten(), L.Dense(DIGITS, activation="softmax")],
    "logits": lambda: [L.Flatten(), L.Dense(DIGITS)],
    "flattened softmax": lambda: [
        L.GlobalAveragePooling2D(keepdims=True),
        L.Conv2D(DIGITS, 1, activation="softmax"),
        L.Flatten(),
    ],
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_a_network_that_is_taken_in_outputs_the_same(digits: Any, end: str, scale: float) -> None:
    given = network(*ENDS[end]())
    described = spec(scale=scale)
    adopted = adopt_model(keras, given, described, target=None)
    check_equality(given, adopted, described, dataset=digits)


def test_half_precision_is_no_difference(digits: Any) -> None:
    given = network(L.Flatten(), L.Dense(DIGITS, dtype="float32"), dtype="mixed_float16")
    check_equality(given, adopt_model(keras, given, spec(), target=None), spec(), dataset=digits)


def test_a_difference_is_told_with_both_values_and_its_layer(digits: Any) -> None:
    given = network(L.BatchNormalization(name="norm"), L.Flatten(), L.Dense(DIGITS))
    adopted = adopt_model(keras, given, spec(), target=None)
    adopted.get_layer("norm").gamma.assign(np.full(4, 3.0))
    with pytest.raises(ConfigError, match=r"\[0\..*\] for validation sample .* layer norm \(Batch"):
        check_equality(given, adopted, spec(), dataset=digits)


def test_probabilities_that_no_softmax_gives_are_refused(digits: Any) -> None:
    """A mean of softmaxes would get a softmax of its own."""
    given = network(L.Conv2D(DIGITS, 1, activation="softmax"), L.GlobalAveragePooling2D())
    adopted = adopt_model(keras, given, spec(), target=None)
    with pytest.raises(ConfigError, match=r"model\.head: replace"):
        check_equality(given, adopted, spec(), dataset=digits)


def with_architecture(model: Any) -> Spec:
    layers = {"architecture": keras.saving.serialize_keras_object(model)}
    return spec().model_copy(update=layers)


def test_state_that_setting_weights_loses_is_found(digits: Any, tmp_path: Path) -> None:
    statistics = L.Normalization(name="statistics")
    statistics.adapt(np.random.default_rng(0).normal(3, 2, (50, 8, 8, 1)))
    x = keras.Input((8, 8, 1), name="image")
    y = L.Dense(DIGITS, activation="softmax")(L.Flatten()(statistics(x)))
    model = keras.Model(x, y)
    save_keras(model, tmp_path / START)
    with pytest.raises(ConfigError, match=r"built again .* begins at layer statistics \(Normal"):
        check_saved_state(model, with_architecture(model), digits, folder=tmp_path)
    adopted = adopt_model(keras, model, spec(), target=None)
    save_keras(adopted, tmp_path / START)
    check_saved_state(adopted, with_architecture(adopted), digits, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [START]
