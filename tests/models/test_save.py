"""Saved models: the same bytes, and nothing that runs."""

import zipfile
from pathlib import Path

import keras
import pytest

from pipeline.errors import ArtifactError
from pipeline.models.save import load_keras, save_keras


def small() -> keras.Model:
    keras.utils.clear_session()
    return keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, kernel_initializer="ones", name="dense")],
        name="small",
    )


def test_bytes_do_not_depend_on_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_keras(small(), tmp_path / "a.keras")
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("time.localtime", lambda *a: (2033, 5, 18, 3, 33, 20, 2, 138, 0))
    save_keras(small(), tmp_path / "b.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


def test_weights_survive(tmp_path: Path) -> None:
    save_keras(small(), tmp_path / "a.keras")
    assert (load_keras(tmp_path / "a.keras").get_weights()[0] == 1).all()


def test_a_lambda_layer_is_refused(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)])
    model.save(tmp_path / "a.keras")
    with pytest.raises(ArtifactError, match="safely"):
        load_keras(tmp_path / "a.keras")


@pytest.mark.parametrize("size", [0, 10, 500])
def test_a_truncated_file_is_one_message(tmp_path: Path, size: int) -> None:
    save_keras(small(), tmp_path / "a.keras")
    content = (tmp_path / "a.keras").read_bytes()
    (tmp_path / "a.keras").write_bytes(content[:size])
    with pytest.raises(ArtifactError, match=r"a\.keras"):
        load_keras(tmp_path / "a.keras")


def test_no_entry_carries_a_date(tmp_path: Path) -> None:
    save_keras(small(), tmp_path / "a.keras")
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}
