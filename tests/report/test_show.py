"""`edgeline show`: the figures of a run, as they are written."""

from pathlib import Path

import pytest

from pipeline.artifacts import write_json
from pipeline.errors import ArtifactError
from pipeline.report.show import WIDTH, show
from tests.documents.stages import seal_stage


def test_a_run_is_told_with_its_gates_and_what_to_try(tmp_path: Path) -> None:
    folder = tmp_path / "gate"
    folder.mkdir()
    seal_stage(folder, samples=54_000.0, loss=0.123456, seconds=3.21)
    gate = {
        "name": "bytes",
        "value": 900,
        "limit": 100,
        "direction": "at most",
        "passed": False,
        "remediation": "Try [a, b] and {c}.",
    }
    write_json(
        folder / "verdict.json",
        {"schema": 2, "passed": False, "ships": "int8", "gates": {"int8": [gate]}},
    )
    text = show(tmp_path)
    assert "samples 54,000  loss 0.1235" in text
    assert "nothing ships: int8 fails" in text
    assert "FAILS  bytes 900 (limit 100)  Try [a, b] and {c}." in text
    assert max(map(len, text.splitlines())) <= max(WIDTH, len(str(tmp_path)))


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="neither a run folder"):
        show(tmp_path)
