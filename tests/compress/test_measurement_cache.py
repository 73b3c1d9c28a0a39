"""Kept measurements: used where they hold and were not touched, else forgotten."""

from pathlib import Path

import pytest

from pipeline.compress import measurement_cache as cache
from pipeline.documents.ladder import Ladder, Refusal
from tests.documents.stages import seal_stage

MEASURED = {"int8": Refusal(quantizer="ai-edge", refused="0.0")}


@pytest.fixture
def previous(tmp_path: Path) -> Path:
    folder = tmp_path / "compress"
    folder.mkdir()
    choice = {"metric_drop": 0.01}
    Ladder(key="k", choice=choice, measured=MEASURED, rungs=()).write(folder / cache.LADDER)
    seal_stage(folder)
    return folder


def test_another_choice_uses_them(previous: Path) -> None:
    found = cache.load_measurements(previous, key="k", choice={"metric_drop": 0.02})
    assert found == MEASURED


def test_the_same_choice_was_forced_and_measures(previous: Path) -> None:
    assert cache.load_measurements(previous, key="k", choice={"metric_drop": 0.01}) == {}


def test_another_key_forgets_them(previous: Path) -> None:
    assert cache.load_measurements(previous, key="other", choice={}) == {}


def test_a_changed_file_is_not_used_and_named(
    previous: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = (previous / cache.LADDER).read_text()
    (previous / cache.LADDER).write_text(text.replace("0.0", "0.1"))
    assert cache.load_measurements(previous, key="k", choice={}) == {}
    assert cache.LADDER in caplog.text


def test_a_first_run_has_none(tmp_path: Path) -> None:
    assert cache.load_measurements(None, key="k", choice={}) == {}
    assert cache.load_measurements(tmp_path, key="k", choice={}) == {}


def test_the_key_changes_with_bytes_settings_and_makers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"a")
    first = cache.key_of({"reference": path}, {"io": "int8"})
    assert cache.key_of({"reference": path}, {"io": "int8"}) == first
    assert cache.key_of({"reference": path}, {"io": "uint8"}) != first
    path.write_bytes(b"b")
    assert cache.key_of({"reference": path}, {"io": "int8"}) != first
    path.write_bytes(b"a")
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99")
    assert cache.key_of({"reference": path}, {"io": "int8"}) != first
