"""The bench runs: what it is made of moves, and nobody runs it daily."""

from pathlib import Path

import pytest

from pipeline.artifacts import write_json
from tests.bench import chain, hardening, quantizing, speed, suite, tables
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


RUN = {
    "seed": 0, "metric": "accuracy", "reference": 0.91, "value": 0.9, "bytes": 2000,
    "rung": "int8", "seconds": 60.0, "ships": "int8", "metric_drop": 0.01, "agreement": 0.99,
    "float_ops": 0, "robust": None, "npu": None, "baseline": {"name": "tree", "value": 0.8},
    "data": {"name": "digits", "test": 360},
}  # fmt: skip


def test_a_config_that_fails_is_a_line_with_its_reason() -> None:
    assert (
        suite.line("x", {"seed": 0, "failed": "exit 3: gate"}) == f"{'x':<24} seed 0  exit 3: gate"
    )


def test_what_holds_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def run(path: Path, config: object, seed: int, data: object) -> dict[str, object]:
        asked.append(seed)
        return RUN | {"seed": seed}

    monkeypatch.setattr(suite, "RESULTS", tmp_path)
    monkeypatch.setattr(suite, "run", run)
    config = tmp_path / "own.yaml"
    config.write_text(Path("configs/digits_cnn.yaml").read_text())
    for seeds in (1, 3, 3):
        found = suite.measured(config, None, seeds=seeds, again=False)
    assert [row["seed"] for row in found["runs"]] == asked == [0, 1, 2]
    config.write_text(config.read_text() + "\n")
    suite.measured(config, None, seeds=1, again=False)
    assert asked == [0, 1, 2, 0]


def test_a_table_is_made_of_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    runs = [RUN, RUN | {"seed": 1, "value": 0.92}, {"seed": 2, "failed": "exit 2"}]
    (tmp_path / "quality").mkdir()
    write_json(tmp_path / "quality" / "own.json", {"config": "own", "runs": runs})
    text = "before\n<!-- quality -->\nold\n<!-- /quality -->\nafter\n"
    made = tables.with_tables(text)
    assert "old" not in made
    assert "| `own` | 360 of digits | accuracy | **0.9100 ± 0.0100** | 0.9100 ± 0.0000 |" in made
    assert made.startswith("before\n")
    assert made.endswith("<!-- /quality -->\nafter\n")
    assert tables.with_tables(made) == made


def test_the_readme_shows_what_the_results_say() -> None:
    assert tables.with_tables(tables.README.read_text()) == tables.README.read_text()


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
