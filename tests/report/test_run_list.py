"""`edgeline list`: every run and bundle has one row, whatever state it is in."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli
from pipeline.artifacts import write_json
from pipeline.device.browser import missing_parts
from pipeline.report.run_list import Row, list_runs, page, text
from tests.device.devtools import chromium
from tests.device.tiny import write_bundle
from tests.documents.stages import seal_stage

needs_browser = pytest.mark.skipif(missing_parts() is not None, reason="no Chromium")


def judged(folder: Path, parity: Any, *, passes: bool, accuracy: float) -> Path:
    """Write a run folder up to its report."""
    for name in ("train", "verify", "export", "audit", "gate", "report"):
        (folder / name).mkdir(parents=True)
    write_json(folder / "verify" / "parity.json", parity)
    gate = {
        "name": "bytes", "value": 900, "limit": 100, "direction": "at most", "passed": passes,
        "remediation": None if passes else "Smaller.",
    }  # fmt: skip
    verdict = {"schema": 2, "passed": passes, "ships": "int8", "gates": {"int8": [gate]}}
    write_json(folder / "gate" / "verdict.json", verdict)
    (folder / "report" / "report.html").write_text("<title>a run</title>")
    seal_stage(folder / "train")
    seal_stage(folder / "verify", int8=accuracy, float32=1.0)
    seal_stage(folder / "export", int8=31_072, float32=97_620)
    seal_stage(folder / "audit", robust_accuracy=0.5)
    seal_stage(folder / "gate")
    seal_stage(folder / "report")
    return folder


@pytest.fixture
def world(tmp_path: Path, documents: dict[str, Any]) -> Path:
    runs, exported = tmp_path / "runs", tmp_path / "exported"
    exported.mkdir()
    judged(runs / "good", documents["parity"], passes=True, accuracy=0.75)
    judged(runs / "bad <b>", documents["parity"], passes=False, accuracy=0.25)
    (runs / "short" / "train").mkdir(parents=True)
    seal_stage(runs / "short" / "train")
    judged(runs / "torn", documents["parity"], passes=True, accuracy=0.5)
    (runs / "torn" / "gate" / "verdict.json").write_text("{")
    (runs / "data").mkdir()
    write_bundle(exported / "good")
    write_bundle(exported / "alone")
    return tmp_path


def rows_of(world: Path) -> dict[str, Row]:
    return {row.name: row for row in list_runs(world / "runs", world / "exported")}


def test_each_run_and_each_bundle_has_one_row(world: Path) -> None:
    rows = rows_of(world)
    outcomes = {name: row.outcome for name, row in rows.items()}
    assert outcomes == {
        "good": "published", "bad <b>": "fails", "short": "not judged", "torn": "unreadable",
        "alone": "published",
    }  # fmt: skip
    assert (rows["good"].value, rows["good"].bytes) == (0.75, 31_072)
    assert rows["good"].robust_accuracy == 0.5
    assert rows["bad <b>"].detail == "bytes"
    assert rows["short"].value is None
    assert "verdict.json" in rows["torn"].detail


def test_folders_that_are_not_there_are_an_empty_list(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "runs", tmp_path / "exported") == []
    assert "edgeline run CONFIG" in text([])


def test_the_command_prints_rows_and_writes_the_page(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world)
    assert cli.main(["list", "--html", "runs.html", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in rows} == set(rows_of(world))
    written = (world / "runs.html").read_text()
    assert 'href="runs/good/report/report.html"' in written
    assert "bad <b>" not in written
    assert "bad &lt;b&gt;" in written
    assert cli.main(["list", "--html", "none/runs.html"]) == 2


def test_version_and_help_are_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["version"]) == 0
    assert capsys.readouterr().out.startswith("edgeline ")
    with pytest.raises(SystemExit) as ended:
        cli.main(["help", "config", "show"])
    assert ended.value.code == 0
    assert "usage: edgeline config show" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        cli.main(["help", "lst"])
    assert ended.value.code == 2


SHOWN = (
    "[...document.querySelectorAll('tbody tr')]"
    ".filter((row) => !row.hidden).map((row) => row.cells[0].innerText)"
)


@needs_browser
def test_the_page_filters_and_sorts(world: Path) -> None:
    file = world / "runs.html"
    file.write_text(page(list_runs(world / "runs", world / "exported"), world))
    with chromium() as tab:
        tab.send("Page.navigate", url=file.as_uri())
        tab.until("document.querySelectorAll('tbody tr').length === 5")
        tab.press("value")
        assert tab.ask(SHOWN)[:2] == ["bad <b>", "alone"]
        tab.press("value")
        measured = tab.ask(SHOWN)[:3]
        assert measured == ["good", "alone", "bad <b>"]
        assert set(tab.ask(SHOWN)[3:]) == {"short", "torn"}  # what was not measured comes last
        tab.ask("outcome.value = 'fails', outcome.dispatchEvent(new Event('change'))")
        assert tab.ask(SHOWN) == ["bad <b>"]
        assert tab.text("count") == "1 of 5"
        tab.ask("filter.value = 'good', filter.dispatchEvent(new Event('input'))")
        assert tab.ask(SHOWN) == []
        assert tab.said == []
