"""The Kotlin file of a bundle: compiled, run on the JVM, and compared with Python's decisions."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipeline.arrays import Array
from pipeline.device_code.constants import c_symbol
from pipeline.device_code.parts import UnsupportedError
from pipeline.device_code.phone import kotlin_name, make_kotlin
from pipeline.ondevice.decide import ABSTAIN
from tests.device_code.cases import CASES, Case, case, rows, tensor
from tests.device_code.test_library import Expected, draw_outputs, expect

COUNT = 500
ELEVEN = [
    {"encoding": "standard", "low": -9.0, "high": 9.0, "offset": 0.1 * i, "scale": 0.3 + i}
    | {"impute_value": 0.5}
    for i in range(11)
]
OWN = {
    "eleven": case(
        [{"name": "x", "kind": "columns", "shape": [11], "columns": ELEVEN}],
        [tensor("x", [11], "int8", 0.03, -5)], {"x": rows(11, odd=0.0)},
    ),
    "row_anomaly": case(
        [{"name": "x", "kind": "columns", "shape": [11], "columns": ELEVEN}],
        [tensor("x", [11])], {"x": rows(11)}, output=tensor("y", [11]), labels=["good", "bad"],
        anomaly={"score": "reconstruction", "threshold": 0.25, "input_range": [-1.5, 2.0]},
    ),
    "price": case(
        [{"name": "x", "kind": "columns", "shape": [11], "columns": ELEVEN}],
        [tensor("x", [11], "uint8", 0.03, 120)], {"x": rows(11)}, labels=None,
        output=tensor("y", [1], "int16", 0.02, 7), target={"offset": 12.5, "scale": 3.25},
    ),
}  # fmt: skip
NAMES = ["table", "table_float32", "table_refuses", "columns", "numbers", "intervals", "codes"]
KOTLIN = {name: CASES[name] for name in NAMES} | OWN
MAIN = """
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

fun main(arguments: Array<String>) {
    val folder = arguments[0]
CALLS
}

fun hex(buffer: ByteBuffer): String {
    val copy = buffer.duplicate()
    copy.clear()
    val bytes = ByteArray(copy.capacity())
    copy.get(bytes)
    return bytes.joinToString("") { "%02x".format(it) }
}
"""
RUN = """
    run {
        val data = ByteBuffer.wrap(File("$folder/NAME.bin").readBytes())
        data.order(ByteOrder.LITTLE_ENDIAN)
        val out = StringBuilder()
        while (data.hasRemaining()) {
            val row = FloatArray(WIDTH) { data.getFloat() }
            val output = PACKAGE.OBJECT.newOutput()
            for (i in 0 until output.capacity()) output.put(i, data.get())
            try {
                val input = PACKAGE.OBJECT.preprocess(row)
                val found = PACKAGE.OBJECT.decode(input, output)
                out.append("0 ${hex(input.MEMBER)} ${found.why} FIELDS\\n")
            } catch (error: PACKAGE.Refused) {
                out.append("${error.status}\\n")
            }
        }
        File("$folder/NAME.txt").writeText(out.toString())
    }
"""
needs_kotlin = pytest.mark.skipif(
    shutil.which("kotlinc") is None or shutil.which("java") is None, reason="no kotlinc here"
)


def member_of(one: Case) -> str:
    return {"class": "class_"}.get(one.file.inputs[0].name, one.file.inputs[0].name)


def call(name: str, one: Case) -> str:
    """Return the lines of the program that run one case."""
    fields = '${found.decision} ${found.probability.joinToString(",")}'
    if one.preprocess.labels is None:
        fields = "${if (found.abstains) -1 else 0} ${found.value}"
    (entry,) = one.preprocess.inputs
    columns = entry.columns or entry.shape
    width = len(columns) if entry.columns else int(np.prod(entry.shape))
    words = {"PACKAGE": c_symbol(name), "OBJECT": kotlin_name(name), "WIDTH": str(width)}
    text = RUN
    for key, value in (words | {"MEMBER": member_of(one), "FIELDS": fields, "NAME": name}).items():
        text = text.replace(key, value)
    return text


def feed(one: Case, raw: dict[str, list[Array]], outputs: Array) -> bytes:
    (rows_,) = raw.values()
    parts = [x.astype("<f4").tobytes() + y.tobytes() for x, y in zip(rows_, outputs, strict=True)]
    return b"".join(parts)


@needs_kotlin
@pytest.mark.slow
def test_kotlin_decides_as_python_does_on_every_row(tmp_path: Path) -> None:
    calls, wanted = [], {}
    for name, one in KOTLIN.items():
        for file, text in make_kotlin(name, one.preprocess, one.file).items():
            (tmp_path / file).write_text(text)
        raw, outputs = one.sample(COUNT, 0), draw_outputs(one, COUNT, 1)
        (tmp_path / f"{name}.bin").write_bytes(feed(one, raw, outputs))
        wanted[name] = expect(one, raw, outputs, outputs)
        calls.append(call(name, one))
    (tmp_path / "Main.kt").write_text(MAIN.replace("CALLS", "".join(calls)))
    files = sorted(path.name for path in tmp_path.glob("*.kt"))
    built = subprocess.run(
        ["kotlinc", *files, "-d", "classes", "-nowarn"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    library = next(Path("/usr/share").glob("**/kotlin-stdlib.jar"))
    path = f"{tmp_path / 'classes'}:{library}"
    subprocess.run(["java", "-cp", path, "MainKt", str(tmp_path)], check=True)
    for name, one in KOTLIN.items():
        lines = (tmp_path / f"{name}.txt").read_text().splitlines()
        assert len(lines) == COUNT, name
        for line, row in zip(lines, wanted[name], strict=True):
            check(one, line.split(" "), row)


def check(one: Case, found: list[str], wanted: Expected) -> None:
    """Compare a line of the program with what Python made of the sample."""
    assert int(found[0]) == wanted.status
    if wanted.status:
        return
    (values,) = wanted.inputs.values()
    assert found[1] == values.tobytes().hex()
    assert int(found[2]) == wanted.why
    labels, decision = one.preprocess.labels, wanted.decision["decision"]
    if labels is None:
        assert float(found[4]) == pytest.approx(decision, rel=1e-12)
        return
    assert (ABSTAIN if found[3] == "-1" else labels[int(found[3])]) == decision
    chances = [chance for _, chance in wanted.decision["top"]]
    assert [float(x) for x in found[4].split(",")] == pytest.approx(chances, rel=1e-6)


@pytest.mark.parametrize("name", ["image", "sound", "words", "forecast", "table_abstains"])
def test_what_no_form_gives_has_no_kotlin_file(name: str) -> None:
    with pytest.raises(UnsupportedError):
        make_kotlin(name, CASES[name].preprocess, CASES[name].file)
