"""The bench runs: what it is made of moves, and nobody runs it daily."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pipeline.artifacts import read_json, write_json
from tests.bench import chain, hardening, quantizing, reliability, speed, suite, tables
from tests.conftest import COUNTED
from tests.documents.manifests import make_manifest
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
    "data": {"name": "digits", "test": 360}, "parameters": 900, "macs": 12_000_000,
    "bytes_gzip": 1500, "arena_bytes": None, "litert": {"p50_ms": 0.25, "p95_ms": 0.5},
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


def test_a_config_whose_set_is_not_here_is_left_out_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "configs").mkdir()
    here = Path("configs/cancer_perceptron.yaml").read_text()
    there = here.replace("bundled, name: breast_cancer", "csv, path: none.csv, label: x")
    (tmp_path / "configs" / "absent.yaml").write_text(there)
    (tmp_path / "configs" / "later.yaml").write_text(here)
    for folder in ("ROOT", "RESULTS", "WORK"):
        monkeypatch.setattr(suite, folder, tmp_path)
    monkeypatch.setattr(suite, "run", lambda *asked: RUN)
    for clock in ([], ["--clock"]):
        monkeypatch.setattr(sys, "argv", ["suite", *clock])
        suite.main()
        said = capsys.readouterr().out
        assert f"{'absent':<24} left out: " in said
        assert "none.csv" in said
        assert f"{'later':<24} seed 0  " in said


def test_times_are_taken_anew_of_the_bundles_that_still_ship_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "RESULTS", tmp_path)
    monkeypatch.setattr(suite, "WORK", tmp_path)
    monkeypatch.setattr(suite, "clocked", lambda bundle, ships: {"p50_ms": 0.125})
    config = Path("configs/digits_cnn.yaml")
    runs = [RUN | {"seed": seed, "file_sha256": "one"} for seed in range(3)]
    (tmp_path / "quality").mkdir()
    write_json(
        tmp_path / "quality" / "digits_cnn.json", {"runs": [*runs, {"failed": "exit 3", "seed": 3}]}
    )
    for name, sha256 in {"digits_cnn": "one", "digits_cnn_seed1": "another"}.items():
        (tmp_path / "exported" / name).mkdir(parents=True)
        shipped = {"name": name, "ships": "int8", "models": [{"format": "int8", "sha256": sha256}]}
        make_manifest(shipped).write(tmp_path / "exported" / name / "manifest.json")
    times = [row.get("litert") for row in suite.timed_again(config)["runs"]]
    assert times == [{"p50_ms": 0.125}, RUN["litert"], RUN["litert"], None]
    assert read_json(tmp_path / "quality" / "digits_cnn.json")["runs"][0]["litert"] == times[0]


@pytest.mark.parametrize("name", tables.published())
def test_a_published_figure_is_of_a_config_that_ships_and_says_its_source(name: str) -> None:
    assert (suite.ROOT / "configs" / f"{name}.yaml").exists()
    for row in tables.published()[name]:
        assert set(row) == {"figure", "value", "note", "source"}
        assert row["figure"] in {*tables.SHOWN, tables.ROBUST}
        assert 0 < row["value"] < 1
        assert len(row["note"]) > 5
        assert len(row["source"]) > 15


def test_published_figures_stand_beside_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    (tmp_path / "quality").mkdir()
    for name, row in {
        "adult_mlp": RUN | {"metric": "auc", "metrics": {"accuracy": 0.8512}},
        "fashion_cnn": RUN,
        "fashion_robust": RUN,
        "digits_cnn": RUN,
    }.items():
        result = {"config": name, "form": suite.FORM, "runs": [row]}
        write_json(tmp_path / "quality" / f"{name}.json", result)
    made = tables.quality()
    assert (
        "| 0.859 accuracy, here 0.8512 (NBTree, without the rows that lack a value) [1] |" in made
    )
    assert "<br>0.922 (2 convolutions, 113 K parameters, float) [2]<br>0.949 (Res" in made
    assert made.count("\n1. Kohavi 1996") == made.count("\n2. the list of the set") == 1
    assert "| 0.6547 under attack (proven for every change" in made
    assert "4. " not in made


def test_a_table_is_made_of_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    runs = [RUN, RUN | {"seed": 1, "value": 0.92}, {"seed": 2, "failed": "exit 2"}]
    (tmp_path / "quality").mkdir()
    write_json(
        tmp_path / "quality" / "own.json", {"config": "own", "form": suite.FORM, "runs": runs}
    )
    text = "before\n<!-- quality -->\nold\n<!-- /quality -->\nafter\n"
    made = tables.with_tables(text)
    assert "old" not in made
    assert "| `own` | 360 of digits | accuracy | **0.9100 ± 0.0100** | 0.9100 ± 0.0000 |" in made
    assert made.startswith("before\n")
    assert made.endswith("<!-- /quality -->\nafter\n")
    assert tables.with_tables(made) == made


def test_footprint_and_parity_tell_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    assert tables.parity() == tables.NOTHING
    (tmp_path / "quality").mkdir()
    npu = {"target": "ethos-u55-128", "sram_bytes": 4096, "latency_ms_estimate": 0.125}
    for name, row in {
        "a": RUN,
        "b": RUN | {"metric_drop": 0.03, "agreement": 0.9, "npu": npu},
    }.items():
        write_json(
            tmp_path / "quality" / f"{name}.json",
            {"config": name, "form": suite.FORM, "runs": [row]},
        )
    assert "| fall of the metric | 0.0200 | 0.0300 (`b`) |" in tables.parity()
    assert "| answers that count as the same | 94.50 % | 90.00 % (`b`) |" in tables.parity()
    first, second = tables.footprint().splitlines()[2:]
    assert first.startswith("| `a` | 900 | 12.00 M | 2.0 kB | 1.5 kB | – | – | – | – | 0.250 ms |")
    assert "| ethos-u55-128 | 4.1 kB | 0.125 ms | 0.250 ms | 0.500 ms |" in second


CASES = """
def test_all(counted):
    counted("kills", 3)
    counted("kills")

def test_none():
    pass

def test_bad(counted):
    counted("faults", 9)
    raise AssertionError
"""


def test_what_tests_count_is_added_up_and_a_failure_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import counted\n")
    (tmp_path / "test_it.py").write_text(CASES)
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={tmp_path / 'tests.xml'}"]
    options = ["-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path)]
    where = {"cwd": suite.ROOT, "env": os.environ | {"PYTHONPATH": str(suite.ROOT)}}
    done = subprocess.run([*command, *options, tmp_path], check=False, capture_output=True, **where)
    assert done.returncode == 1, done.stdout
    found = reliability.added([tmp_path / "tests.xml"] * 2)
    assert found.counts == {"kills": 4}
    assert found.outcomes == {"passed": 2, "failed": 1}
    assert found.failed == ["test_it::test_bad"]


def test_whoever_counts_is_found_and_told_in_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = reliability.counting()
    assert "tests/e2e/test_kills.py" in files
    assert "tests/train/test_loop.py" not in files
    assert set(tables.TRIED) == set(COUNTED)
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    found = reliability.Found(outcomes=Counter(passed=2))
    write_json(tmp_path / "reliability.json", reliability.result(found))
    assert tables.reliability().endswith("Tests of these files: 2 passed.\n")


def test_the_readme_shows_what_the_results_say() -> None:
    for page in tables.PAGES:
        assert tables.with_tables(page.read_text()) == page.read_text()


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
