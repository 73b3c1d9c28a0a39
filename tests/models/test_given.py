"""Models trained elsewhere are read in every form, and nothing stored in them is run."""

import io
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.models import given
from pipeline.models.given import read_model
from pipeline.worker import client

X = np.random.Generator(np.random.Philox(0)).random((4, 6, 6, 1), np.float32)


@pytest.fixture(scope="module", autouse=True)
def _worker() -> Iterator[None]:
    yield
    client.stop()


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


def test_weights_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    model = net(keras)
    kernel, bias = model.layers[1].get_weights()
    kernel[0, 0, 0, :2] = np.nan, np.inf
    model.layers[1].set_weights([kernel, bias])
    model.save(tmp_path / "m.keras")
    with pytest.raises(ConfigError, match=r"layer conv2d\w* holds 2 weights that are NaN or infin"):
        read_model(tmp_path / "m.keras", tmp_path / "work")


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_what_is_no_model_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(pickle.dumps({"not": "a model"}))
    with pytest.raises(ConfigError, match=r"^model\.path: .*m\."):
        read_model(tmp_path / name, tmp_path / "work")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return suffix -> bytes of a whole model."""
    folder = tmp_path_factory.mktemp("whole")
    layers = [keras.Input((6,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(3)]
    model, found = keras.Sequential(layers), {}
    for suffix in (".keras", ".h5"):
        model.save(folder / f"net{suffix}")
        found[suffix] = (folder / f"net{suffix}").read_bytes()
    return found


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Change some bytes; of an archive those of its members, whose checksums then hold."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: bytearray(archive.read(name)) for name in archive.namelist()}
    except zipfile.BadZipFile:
        whole = bytearray(content)
        whole[rng.integers(len(whole))] ^= 255
        start = rng.integers(len(whole) // 2) if rng.random() < 0.5 else 0
        for place in rng.integers(start, start + 2000, 8):
            whole[place % len(whole)] = rng.integers(256)
        return bytes(whole)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, member in members.items():
            for place in rng.integers(0, len(member), rng.integers(0, 6)):
                member[place] = rng.integers(32, 126)
            archive.writestr(name, bytes(member))
    return made.getvalue()


@pytest.mark.parametrize("suffix", [".keras", pytest.param(".h5", marks=pytest.mark.slow)])
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    whole: dict[str, bytes],
    suffix: str,
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(given, "LIMIT_S", 20.0)
    path, refused = tmp_path / f"net{suffix}", 0
    for _ in range(50):
        path.write_bytes(damaged(whole[suffix], rng))
        try:
            read_model(path, tmp_path / "work")
        except ConfigError:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_file_that_was_cut_short_is_refused(
    whole: dict[str, bytes], suffix: str, share: float, tmp_path: Path
) -> None:
    path = tmp_path / f"net{suffix}"
    path.write_bytes(whole[suffix][: int(share * len(whole[suffix]))])
    with pytest.raises(ConfigError, match=r"cut short|no HDF5 file"):
        read_model(path, tmp_path / "work")


@pytest.mark.filterwarnings("ignore:Skipping invalid path")
def test_an_archive_writes_nowhere(whole: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    path = folder / "net.keras"
    path.write_bytes(whole[".keras"])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../outside.txt", "x")
        archive.writestr(str(tmp_path / "absolute.txt"), "x")
    read_model(path, folder / "work")
    assert not list(tmp_path.glob("*.txt"))
