"""Times of a bundle's files: measured by this program's runner, and honest about what fails."""

import json
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.device.bench import bench, table
from tests.device.tiny import seal, write_bundle


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bench") / "tiny")


def test_every_file_is_timed_and_the_median_is_below_the_tail(tiny: Path) -> None:
    rows = bench(tiny, runtime="litert", threads=1, limit_s=0.01)
    assert [row["format"] for row in rows] == ["float32", "int8", "int16x8"]
    for row in rows:
        assert 0 < row["p50_ms"] <= row["p95_ms"]
        assert row["calls"] >= 30
    assert "litert" in table(rows)


def test_json_is_one_document(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(tiny), "--runtime", "litert", "--json"]) == 0
    assert {row["runtime"] for row in json.loads(capsys.readouterr().out)} == {"litert"}


def test_a_file_that_does_not_run_says_why(tmp_path: Path) -> None:
    broken = write_bundle(tmp_path / "broken")
    (broken / "model_int8.tflite").write_bytes(b"TFL3 no model")
    models = [{"format": "int8", "file": "model_int8.tflite"}]
    seal(broken, {"name": "broken", "ships": "int8", "models": models})
    (row,) = bench(broken, runtime="litert", limit_s=0.01)
    assert row["why"]
    assert row["why"] in table([row])


def test_nothing_from_the_bundle_is_executed(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "hostile")
    (bundle / "run_on_device.py").write_text("raise SystemExit('executed')\n")
    models = json.loads((bundle / "manifest.json").read_text())["models"]
    seal(bundle, {"name": "hostile", "ships": "int8", "models": models})
    assert all("why" not in row for row in bench(bundle, runtime="litert", limit_s=0.01))


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--runtime", "lite"], "did you mean 'litert'"),
        (["--runtime", "browser"], "it is not timed here"),
        (["--threads", "0"], "wanted 1 or more"),
    ],
)
def test_a_wrong_argument_is_refused(
    tiny: Path, more: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", str(tiny), *more]) == 2
    assert text in capsys.readouterr().err


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    assert main(["bench", str(tmp_path)]) == 4
