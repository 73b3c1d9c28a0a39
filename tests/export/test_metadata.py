"""Metadata in a file: Android's tools find labels and normalization, and the model is the same."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers.encode
import flatbuffers.number_types as kinds
import flatbuffers.table
import numpy as np
import pytest

from pipeline.arrays import only
from pipeline.device.measure import run_file
from pipeline.device.runtimes import why_missing
from pipeline.export.equalize import Graph
from pipeline.export.metadata import IDENTIFIER, NAME
from pipeline.worker.client import request
from tests.documents.preprocess import entry_of, preprocess_of
from tests.export.conftest import Made

IMAGE = {"name": "image", "kind": "image", "shape": [12, 12, 1], "offset": 3.0, "scale": 1 / 128}
TABLE = {"name": "features", "kind": "columns", "shape": [30]}
DESCRIBED = {"name": "pets", "description": "what it is", "versions": "edgeline 9"}


class Table:
    """A table of the schema, by the numbers of its fields."""

    def __init__(self, content: bytes, place: int | None = None) -> None:
        start = flatbuffers.encode.Get(kinds.UOffsetTFlags.packer_type, content, 0)
        self.own = flatbuffers.table.Table(bytearray(content), start if place is None else place)

    def _at(self, slot: int) -> int:
        offset = self.own.Offset(4 + 2 * slot)
        assert offset
        return int(self.own.Pos + offset)

    def text(self, slot: int) -> str:
        return bytes(self.own.String(self._at(slot))).decode()

    def table(self, slot: int) -> "Table":
        return Table(bytes(self.own.Bytes), self.own.Indirect(self._at(slot)))

    def tables(self, slot: int) -> list["Table"]:
        offset = self.own.Offset(4 + 2 * slot)
        first = self.own.Vector(offset)
        places = [first + 4 * i for i in range(self.own.VectorLen(offset))]
        return [Table(bytes(self.own.Bytes), self.own.Indirect(place)) for place in places]

    def floats(self, slot: int) -> list[float]:
        offset = self.own.Offset(4 + 2 * slot)
        found = np.frombuffer(
            bytes(self.own.Bytes), "<f4", self.own.VectorLen(offset), self.own.Vector(offset)
        )
        return [float(x) for x in found]

    def byte(self, slot: int) -> int:
        return int(self.own.Get(kinds.Uint8Flags, self._at(slot)))


def stamped(
    made: Made, folder: Path, entry: dict[str, Any], labels: list[str] | None
) -> tuple[Path, Path]:
    """Return the int8 file without and with metadata."""
    plain, path = made.file("int8"), folder / "model_int8.tflite"
    shutil.copyfile(plain, path)
    preprocess = preprocess_of([entry], labels=labels).dump()
    request("add_metadata", file=str(path), described=DESCRIBED | {"preprocess": preprocess})
    return plain, path


def document(path: Path) -> Table:
    model = Graph(path.read_bytes()).model
    names = {bytes(e.name).decode(): e.buffer for e in model.metadata}
    content = bytes(model.buffers[names[NAME]].data)
    assert content[4:8] == IDENTIFIER
    return Table(content)


def test_labels_and_normalization_are_where_the_schema_has_them(
    models: dict[str, Made], tmp_path: Path
) -> None:
    _, path = stamped(models["cnn"], tmp_path, IMAGE, list("abcde"))
    found = document(path)
    texts = [found.text(slot) for slot in (0, 1, 2, 7)]
    assert texts == ["pets", "what it is", "edgeline 9", "1.0.0"]
    (graph,) = found.tables(3)
    (shown,), (answered,) = graph.tables(2), graph.tables(3)
    assert shown.text(0) == "image"
    assert shown.table(3).byte(0) == 2  # ImageProperties
    assert shown.table(3).table(1).byte(0) == 2  # gray
    (unit,) = shown.tables(4)
    assert unit.byte(0) == 1  # NormalizationOptions
    assert (unit.table(1).floats(0), unit.table(1).floats(1)) == ([3.0], [128.0])
    (labels,) = answered.tables(6)
    assert (labels.text(0), labels.byte(2)) == ("labels.txt", 2)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt").decode().split() == list("abcde")
        packed = json.loads(archive.read("preprocess.json"))["inputs"]
        assert packed == [entry_of(IMAGE).dump()]
        stored = {info.compress_type for info in archive.infolist()}
    assert stored == {zipfile.ZIP_STORED}  # Android's reader takes no other


def test_a_value_has_no_labels(models: dict[str, Made], tmp_path: Path) -> None:
    _, path = stamped(models["value"], tmp_path, TABLE, None)
    (graph,) = document(path).tables(3)
    assert graph.tables(3)[0].text(0) == "value"
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["preprocess.json"]


@pytest.mark.parametrize("runtime", ["litert", "tflite-runtime"])
def test_the_model_answers_as_before(models: dict[str, Made], tmp_path: Path, runtime: str) -> None:
    if why_missing(runtime) is not None:
        pytest.skip(str(why_missing(runtime)))
    plain, path = stamped(models["cnn"], tmp_path, IMAGE, list("abcde"))
    shown: dict[str, Any] = {"preprocess": preprocess_of([]), "raw": models["cnn"].inputs}
    answers = [
        only(run_file(file, **shown, prepared=True, runtime=runtime).outputs)
        for file in (plain, path)
    ]
    np.testing.assert_array_equal(*answers)


def test_a_compiler_takes_it_and_the_same_facts_give_the_same_bytes(
    models: dict[str, Made], tmp_path: Path
) -> None:
    (tmp_path / "again").mkdir()
    _, path = stamped(models["cnn"], tmp_path, IMAGE, list("abcde"))
    _, again = stamped(models["cnn"], tmp_path / "again", IMAGE, list("abcde"))
    assert path.read_bytes() == again.read_bytes()
    out = str(tmp_path / "vela.tflite")
    found = request("compile_file", int8=str(path), out=out, target="ethos-u55-128")
    assert found["cpu_ops"] == 0
