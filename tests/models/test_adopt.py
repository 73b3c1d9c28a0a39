"""A network from outside answers as it did, whatever it was built of."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.documents.spec import Spec, SpecInput
from pipeline.documents.target import Target
from pipeline.errors import ConfigError
from pipeline.models import graph
from pipeline.models.adopt import adopt_model, reconstructs_input
from pipeline.models.blocks import logits_model
from tests.conftest import IMAGE, make_spec

CLASSES = 3
L = keras.layers
NEAR = 1e-6  # float32 kernels may add up in another order


def spec(task: str = "classification", units: int = CLASSES, **adoption: Any) -> Spec:
    output = {"task": task, "units": units}
    file = {"kind": "file", "path": "given.keras"}
    return make_spec(file, [IMAGE], output, seed=3, adoption=adoption)


def plain(*ending: Any) -> Any:
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [keras.Input((8, 8, 1)), L.Conv2D(4, 3, activation="silu"), L.Flatten(), *ending]
    )


def residual() -> Any:
    """Return a net with an inner model that is called twice, arithmetic, and a shared layer."""
    keras.utils.set_random_seed(2)
    x = first = keras.Input((8, 8, 1))
    inner = keras.Sequential(
        [L.Conv2D(4, 3, padding="same"), L.BatchNormalization(), L.Dropout(0.5), L.ReLU()]
    )
    x = inner(L.Conv2D(4, 1, name="logits")(x), training=False)
    x = (x + inner(x)) * 0.5 - 1.0
    return keras.Model(first, L.Dense(CLASSES, activation="softmax")(L.GlobalAveragePooling2D()(x)))


def samples() -> Any:
    return np.random.Generator(np.random.Philox(0)).random((5, 8, 8, 1), np.float32)


def answers(model: Any) -> Any:
    return np.asarray(model([samples()], training=False))


def softmax(x: Any) -> Any:
    return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)


def beside(x: Any) -> Any:
    return np.concatenate([1 - x, x], axis=1)


def summed() -> Any:
    """Return a net whose scores are a sum, by an operation and not by a layer."""
    keras.utils.set_random_seed(3)
    x = keras.Input((8, 8, 1))
    flat = L.Flatten()(x)
    return keras.Model(x, L.Dense(CLASSES)(flat) + L.Dense(CLASSES)(flat))


ENDINGS: dict[str, tuple[Callable[[], Any], int, Callable[[Any], Any]]] = {
    "a softmax in the layer": (lambda: plain(L.Dense(3, activation="softmax")), 3, lambda x: x),
    "a softmax of its own": (lambda: plain(L.Dense(3), L.Softmax()), 3, lambda x: x),
    "an activation of its own": (
        lambda: plain(L.Dense(3), L.Activation("softmax")),
        3,
        lambda x: x,
    ),
    "scores": (lambda: plain(L.Dense(3)), 3, softmax),
    "scores of a pooling": (
        lambda: plain(L.Reshape((12, 12)), L.GlobalAveragePooling1D(), L.Dense(3), L.Dropout(0.1)),
        3,
        softmax,
    ),
    "a sigmoid": (lambda: plain(L.Dense(1, activation="sigmoid")), 2, beside),
    "a sigmoid of its own": (lambda: plain(L.Dense(1), L.Activation("sigmoid")), 2, beside),
    "one score": (lambda: plain(L.Dense(1)), 2, lambda x: beside(1 / (1 + np.exp(-x)))),
    "a sum of scores": (summed, 3, softmax),
    "an inner model": (residual, 3, lambda x: x),
    "a softmax that is flattened": (
        lambda: plain(L.Reshape((1, 144)), L.Conv1D(3, 1, activation="softmax"), L.Flatten()),
        3,
        lambda x: x,
    ),
    "a softmax that is reshaped twice": (
        lambda: plain(L.Dense(3), L.Reshape((1, 3)), L.Softmax(), L.Dropout(0.2), L.Reshape((3,))),
        3,
        lambda x: x,
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_it_answers_as_it_did_with_a_softmax_over_logits(ending: str) -> None:
    make, units, expected = ENDINGS[ending]
    model = make()
    found = adopt_model(keras, model, spec(units=units), target=None)
    np.testing.assert_allclose(answers(found), expected(answers(model)), atol=NEAR)
    logits = answers(logits_model(keras, found))
    np.testing.assert_allclose(softmax(logits), answers(found), atol=NEAR)
    assert [layer.name for layer in found.layers][-2:] == ["logits", "probabilities"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_spec_alone_builds_it_and_its_twin(ending: str) -> None:
    import tf_keras

    make, units, _ = ENDINGS[ending]
    found = adopt_model(keras, make(), described := spec(units=units), target=None)
    layers = {"architecture": keras.saving.serialize_keras_object(found)}
    described = Spec.model_validate_json(described.model_copy(update=layers).model_dump_json())
    built = graph.build(keras, described)
    built.set_weights(found.get_weights())
    np.testing.assert_array_equal(answers(built), answers(found))
    twin = graph.build(tf_keras, described, batch_size=1, unroll=True)
    for layer in (layer for layer in found.layers if layer.weights):
        twin.get_layer(layer.name).set_weights(layer.get_weights())
    one_by_one = np.concatenate([np.asarray(twin([x[None]])) for x in samples()])
    np.testing.assert_allclose(one_by_one, answers(found), atol=1e-5)


@pytest.mark.parametrize("axis", [-1, None, (1, 3)])
def test_adapted_statistics_stay_when_weights_are_set(axis: Any) -> None:
    keras.utils.set_random_seed(5)
    given = L.Normalization(axis=axis)
    given.adapt(40 + 9 * samples())
    model = keras.Sequential([keras.Input((8, 8, 1)), given, L.Flatten(), L.Dense(3)])
    found = adopt_model(keras, model, described := spec(), target=None)
    np.testing.assert_allclose(answers(found), softmax(answers(model)), atol=NEAR)
    layers = {"architecture": keras.saving.serialize_keras_object(found)}
    built = graph.build(keras, Spec.model_validate(described.model_dump() | layers))
    built.set_weights(found.get_weights())
    np.testing.assert_allclose(answers(built), answers(found), atol=NEAR)


def test_a_quantity_comes_in_the_unit_of_training() -> None:
    model = plain(L.Dense(1))
    target = Target(offset=40.0, scale=5.0)
    found = adopt_model(keras, model, spec("regression", 1), target=target)
    np.testing.assert_allclose(answers(found) * 5.0 + 40.0, answers(model), atol=1e-4)


def test_layers_alone_begin_anew_the_same_every_time() -> None:
    model = residual()
    one, two = (adopt_model(keras, model, spec(reset_weights=True), target=None) for _ in range(2))
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(answers(one) - answers(model)).max() > NEAR
    other = spec(reset_weights=True).model_copy(update={"seed": 4})
    assert (
        np.abs(answers(adopt_model(keras, model, other, target=None)) - answers(one)).max() > NEAR
    )


@pytest.mark.parametrize("head", ["replace", "add"])
@pytest.mark.parametrize("ending", ["a softmax of its own", "an inner model", "a sigmoid"])
def test_a_new_head_stands_on_what_was_learned(head: str, ending: str) -> None:
    model = ENDINGS[ending][0]()
    found = adopt_model(keras, model, spec(units=7, head=head), target=None)
    assert found.output_shape == (None, 7)
    kept = [w for layer in found.layers if layer.name != "logits" for w in layer.get_weights()]
    own = model.get_weights()
    assert len(kept) == (len(own) if head == "add" else len(own) - 2)
    for a, b in zip(kept, own, strict=False):
        np.testing.assert_array_equal(a, b)


def test_it_is_shown_what_it_was_trained_to_see() -> None:
    model = plain(L.Dense(3, activation="softmax"))
    found = adopt_model(keras, model, spec(scale=2.0, offset=-1.0), target=None)
    shown = np.asarray(model([2 * samples() - 1], training=False))
    np.testing.assert_allclose(answers(found), shown, atol=NEAR)


def test_a_net_that_reconstructs_input_is_known() -> None:
    assert reconstructs_input(plain(L.Dense(64), L.Reshape((8, 8, 1))))
    assert not reconstructs_input(plain(L.Dense(64)))


class Subclassed(keras.Model):  # type: ignore[misc]
    """A model without a graph of layers."""

    def call(self, x: Any) -> Any:
        return x


REFUSED = {
    r"takes \[\[9, 9, 1\]\] and the data gives \[\[8, 8, 1\]\]": lambda: keras.Sequential(
        [keras.Input((9, 9, 1)), L.Flatten(), L.Dense(3)]
    ),
    r"outputs \[5\] numbers and the data asks for \[3\]": lambda: plain(L.Dense(5)),
    "ends with relu; wanted a softmax": lambda: plain(L.Dense(3, activation="relu")),
    "has no graph of layers": Subclassed,
    "takes ids of words or categories": lambda: keras.Sequential(
        [keras.Input((8, 8, 1)), L.Embedding(9, 2), L.Flatten(), L.Dense(CLASSES)]
    ),
    r"layer hidden \(Masking\) hides steps": lambda: keras.Sequential(
        [keras.Input((8, 8, 1)), L.Reshape((8, 8)), L.Masking(name="hidden"), L.LSTM(CLASSES)]
    ),
    "wanted one output; came 2": lambda: keras.Model(
        (x := keras.Input((8, 8, 1))), [L.Flatten()(x), L.Flatten()(x)]
    ),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_does_not_fit_is_refused_with_what_was_wanted(said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        adopt_model(keras, REFUSED[said](), spec(), target=None)


def test_a_quantity_without_a_dense_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no Dense layer with bias"):
        adopt_model(keras, plain(L.Dense(1, activation="tanh")), spec("regression", 1), target=None)


@pytest.mark.parametrize("names", [("b", "a"), ("a", "b"), ("x", "y")])
def test_inputs_are_told_apart_by_name_where_the_network_has_the_datas(
    names: tuple[str, str],
) -> None:
    keras.utils.set_random_seed(5)
    first, second = (keras.Input((4,), name=name) for name in names)
    model = keras.Model([first, second], L.Dense(CLASSES)(L.Subtract()([first, 3 * second])))
    inputs = tuple(SpecInput(name=name, shape=(4,), dtype="float32") for name in ("a", "b"))
    wanted = spec().model_copy(update={"inputs": inputs})
    made = adopt_model(keras, model, wanted, target=None)
    assert [tensor.name for tensor in made.inputs] == ["a", "b"]
    x = np.random.Generator(np.random.Philox(0)).random((2, 5, 4), np.float32)
    given = dict(zip(("a", "b"), x, strict=True))
    own = [given.get(name, x[place]) for place, name in enumerate(names)]
    np.testing.assert_allclose(
        np.asarray(made(given, training=False)), softmax(np.asarray(model(own))), atol=NEAR
    )
