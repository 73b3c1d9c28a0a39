"""What another version of Edgeline wrote is refused in one line that says what to do."""

import json
from pathlib import Path

import pytest

from pipeline.artifacts import MANIFEST, read_json, write_json
from pipeline.cli import main
from pipeline.documents.manifest import SCHEMA_FILE
from pipeline.documents.schemas import list_documents, schema_of
from pipeline.documents.stages import StageManifest
from pipeline.errors import ArtifactError
from tests.device.tiny import write_bundle
from tests.documents.stages import seal_stage

FIRST = {  # as the first version wrote it
    "schema": 1, "stage": "data", "version": 6, "seed": 0, "config": {}, "packages": {},
    "inputs": {}, "outside": None, "key": "k", "machine": None, "outputs": {}, "metrics": [],
    "skipped": [],
}  # fmt: skip


def test_a_run_of_an_older_version_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    write_json(tmp_path / "data" / MANIFEST, FIRST)
    assert main(["show", str(tmp_path)]) == 4
    said = capsys.readouterr().err
    assert "not of this version of Edgeline (schema 1; wanted 2); make it again" in said
    assert len(said.splitlines()) == 1


def test_a_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    seal_stage(tmp_path, samples=54_000, loss=0.5)
    found = StageManifest.read(tmp_path / MANIFEST)
    assert [(row.name, row.value) for row in found.metrics] == [("samples", 54_000), ("loss", 0.5)]
    assert isinstance(found.metrics[0].value, int)
    assert read_json(tmp_path / MANIFEST) == found.dump()


def test_a_strange_field_is_named(tmp_path: Path) -> None:
    seal_stage(tmp_path)
    document = read_json(tmp_path / MANIFEST) | {"color": "blue"}
    (tmp_path / MANIFEST).write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="color"):
        StageManifest.read(tmp_path / MANIFEST)


def test_every_field_of_a_document_is_described_for_others() -> None:
    for name, record in list_documents().items():
        schema = schema_of(record)
        assert schema["additionalProperties"] is False, name
        assert schema["description"], name


def test_a_manifest_names_its_schema(tmp_path: Path) -> None:
    assert read_json(write_bundle(tmp_path / "tiny") / MANIFEST)["$schema"] == SCHEMA_FILE
