"""The bench runs: what it is made of moves, and nobody runs it daily."""

from pathlib import Path

import pytest

from tests.bench import chain, drops, hardening, quantizing, speed
from tests.e2e.chain import write_config


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_bench_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "IMAGES", 512)
    monkeypatch.setattr(speed, "TURNS", 1)
    dataset = speed.made(tmp_path)
    for row in (speed.reading(dataset), speed.measuring(dataset, tmp_path)):
        assert row["ratio"] > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_bench_of_hardening_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"IMAGES": 4096, "ATTACKED": 64, "BY_ART": 128, "STEPS": 2}.items():
        monkeypatch.setattr(hardening, name, value)
    monkeypatch.setattr(speed, "IMAGES", 4096)
    dataset = speed.made(tmp_path)
    found = hardening.rows(dataset, speed._spec("CNN 16-32-64-10"))
    costs = [row["ratio"] for row in found if row["name"].startswith("cost")]
    assert len(costs) == len(hardening.MODES)
    assert all(1 < ratio < 20 for ratio in costs)


def test_ten_rungs_are_climbed() -> None:
    assert len(quantizing.BY_LADDER) == 10


def test_a_config_that_fails_is_a_line_with_its_reason(tmp_path: Path) -> None:
    row = {"name": "x", "family": "mlp", "drop": None, "error": "no such file"}
    assert drops.line(row) == f"{'x':<24} no such file"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_folder_of_pictures_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "TURNS", 1)
    assert speed.reading_folder(tmp_path, 200)["ratio"] > 0


@pytest.mark.slow
def test_the_bench_of_the_chain_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "SAMPLES", 500)
    found = chain.rows(write_config(tmp_path), (1, 2))
    assert [row["name"].split(",")[0] for row in found] == [
        "the chain",
        "the chain again",
        "data of 2 times the data",
        "data of 2 times the data",
        "train of 2 times the data",
        "train of 2 times the data",
    ]
    assert all(row["rates"] for row in found)
