"""What people and others give a device: one line for what is wrong, and the rest is answered."""

import contextlib
import io
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts import read_json
from pipeline.ondevice import bounds, interpreter
from pipeline.ondevice.assemble import PROGRAM_FILE
from tests.device.test_sound import audio_entry
from tests.device.tiny import INPUTS, remake, write_bundle

LIMITED = (
    "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30)); "
    "resource.setrlimit(resource.RLIMIT_CPU, (20, 20)); sys.argv = sys.argv[1:]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


def run(
    bundle: Path, *arguments: object, given: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the device's program with 1 GB of memory and 20 s of processor time."""
    command = [sys.executable, "-c", LIMITED, PROGRAM_FILE, "--bundle", bundle, *arguments]
    return subprocess.run(list(map(str, command)), input=given, capture_output=True, check=False)


def refused(done: subprocess.CompletedProcess[bytes], words: str) -> None:
    """Check that there is one line, and exit code 2."""
    said = done.stderr.decode().replace(
        "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n", ""
    )
    assert done.returncode == 2, said
    assert len(said.splitlines()) == 1, said
    assert words in said


def header(shape: tuple[int, ...], dtype: str = "<f4") -> bytes:
    """Return the start of a .npy that declares a shape."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()


def inflating(path: Path, name: str, shape: tuple[int, ...]) -> None:
    """Write a small .npz of which a member inflates to an array of a shape."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file,
        file.open(f"{name}.npy", "w", force_zip64=True) as stream,
    ):
        stream.write(header(shape))
        for _ in range(4 * int(np.prod(shape)) >> 20):
            stream.write(bytes(1 << 20))


def png(path: Path, width: int, height: int) -> None:
    """Write a picture of a size, as its head says; it holds next to nothing."""
    parts = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), zlib.compress(bytes(100))
    chunks = [(b"IHDR", parts[0]), (b"IDAT", parts[1]), (b"IEND", b"")]
    content = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


def cut_png(path: Path) -> None:
    """Write half of a picture."""
    whole = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(noise).save(whole, "PNG")
    path.write_bytes(whole.getvalue()[:2000])


def many_samples(path: Path) -> None:
    """Write a TIFF that declares 278 values a pixel, of which Pillow logs a line."""
    whole = io.BytesIO()
    Image.new("RGB", (4, 4)).save(whole, "TIFF")
    content = bytearray(whole.getvalue())
    place = content.index(b"\x15\x01\x03\x00")  # SamplesPerPixel, one short
    content[place + 8 : place + 10] = (278).to_bytes(2, "little")
    path.write_bytes(content)


def array(path: Path, values: object) -> None:
    np.save(path, np.asarray(values))


ARRAYS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "declared": ("a.npy", lambda p: p.write_bytes(header((1 << 40, INPUTS)))),
    "cut": ("a.npy", lambda p: p.write_bytes(header((9, INPUTS)))),
    "negative": ("a.npy", lambda p: p.write_bytes(header((-1, INPUTS)))),
    "objects": ("a.npy", lambda p: p.write_bytes(header((1, INPUTS), "|O"))),
    "none": ("a.npy", lambda p: array(p, np.zeros((0, INPUTS), np.float32))),
    "one number": ("a.npy", lambda p: array(p, np.float32(1))),
    "NaN": ("a.npy", lambda p: array(p, np.full((2, INPUTS), np.nan))),
    "infinity": ("a.npy", lambda p: array(p, np.full((2, INPUTS), np.inf))),
    "complex": ("a.npy", lambda p: array(p, np.ones((2, INPUTS), complex))),
    "words": ("a.npy", lambda p: array(p, np.full((2, INPUTS), "x"))),
    "no bytes": ("a.npy", lambda p: p.write_bytes(b"")),
    "inflates": ("a.npz", lambda p: inflating(p, "x", (1 << 26, INPUTS))),
    "no archive": ("a.npz", lambda p: p.write_bytes(b"PK\x03\x04")),
    "other name": ("a.npz", lambda p: np.savez(p, y=np.zeros((1, INPUTS)))),
    "no table": ("a.csv", lambda p: p.write_text("a,b\n")),
    "empty table": ("a.csv", lambda p: p.write_text("")),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_wrong_arrays_are_one_line(tiny_bundle: Path, tmp_path: Path, name: str) -> None:
    file, write = ARRAYS[name]
    write(tmp_path / file)
    refused(run(tiny_bundle, tmp_path / file), str(tmp_path / file))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    entry = {
        "name": "x", "kind": "image", "shape": [2, 2, 1], "offset": 0.0, "scale": 1.0,
        "color": "gray", "raw_dtype": "uint8", "sanitize": None,
        "background": [255, 255, 255], "value_range": None,
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("pictures")
    flat = write_bundle(folder / "flat")
    return remake(flat, folder / "image", inputs=[entry])


PICTURES: dict[str, Callable[[Path], object]] = {
    "absurd": lambda p: png(p, 60_000, 60_000),
    "wide": lambda p: png(p, 2_000_000_000, 1),
    "large": lambda p: png(p, 9_000, 9_000),
    "cut": cut_png,
    "samples a pixel": many_samples,
    "no picture": lambda p: p.write_bytes(b"text"),
    "empty": lambda p: p.write_bytes(b""),
    "head alone": lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_wrong_pictures_are_one_line(pictures: Path, tmp_path: Path, name: str) -> None:
    PICTURES[name](tmp_path / "a.png")
    refused(run(pictures, tmp_path / "a.png"), str(tmp_path / "a.png"))


def test_pixels_that_are_no_numbers_are_one_line(pictures: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((1, 2, 2, 1), np.nan))
    refused(run(pictures, tmp_path / "a.npy"), "uint8")


def test_a_damaged_picture_is_a_value_error_whatever_its_decoder_raises(
    pictures: Path, tmp_path: Path
) -> None:
    whole = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(whole, "TIFF")
    from pipeline.ondevice.document import read_document
    from pipeline.ondevice.files import prefix_errors, read_samples

    entries = read_document(str(pictures / "preprocess.json")).inputs
    rng, file = np.random.default_rng(0), tmp_path / "a.tiff"
    for _ in range(300):
        content = bytearray(whole.getvalue())
        for place in rng.integers(0, len(content), 4):
            content[place] = rng.integers(256)
        file.write_bytes(bytes(content))
        with contextlib.suppress(ValueError, OSError), prefix_errors(str(file)):
            read_samples(str(file), entries)


def test_a_wrong_file_does_not_hide_the_outputs_of_the_others(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    for name, count in (("a", 1), ("b", 2)):
        np.save(tmp_path / f"{name}.npy", np.zeros((count, INPUTS), np.float32))
    (tmp_path / "wrong.npy").write_bytes(b"")
    files = [tmp_path / f"{name}.npy" for name in ("a", "wrong", "b", "missing")]
    done = run(tiny_bundle, *files)
    assert done.returncode == 2
    assert [line.partition(":")[0] for line in done.stdout.decode().splitlines()] == [
        str(files[0]), str(files[2]), str(files[2]),
    ]  # fmt: skip
    assert done.stderr.count(b"error: ") == 2
    done = run(tiny_bundle, "--json", *files)
    assert (len(json.loads(done.stdout)), done.returncode) == (3, 2)


def test_standard_input_is_an_input(tiny_bundle: Path) -> None:
    stream = io.BytesIO()
    np.save(stream, np.zeros((2, INPUTS), np.float32))
    table = b"0,0,0,0\n0,0,0,0\n"
    told = [run(tiny_bundle, "-", given=given) for given in (stream.getvalue(), table)]
    assert [done.returncode for done in told] == [0, 0]
    assert told[0].stdout == told[1].stdout
    assert told[0].stdout.startswith(b"-: ")
    refused(run(tiny_bundle, "-", given=b""), "error: -: ")


def test_a_wide_table_takes_no_square_of_its_width(tiny_bundle: Path, tmp_path: Path) -> None:
    many = 20_000
    column = {"kind": "number", "encoding": "standard", "impute_value": 0.0, "low": 0.0}
    column |= {"high": 1.0, "offset": 0.0, "scale": 1.0}
    entry = {
        "name": "x", "kind": "columns", "shape": [many], "raw_dtype": "float32", "missing": [""],
        "strip": " ", "delimiter": ",", "number_format": "plain", "sanitize": None,
        "columns": [column | {"name": f"c{i}"} for i in range(many)],
    }  # fmt: skip
    document = read_json(tiny_bundle / "preprocess.json") | {"inputs": [entry]}
    (folder := tmp_path / "wide").mkdir()
    for name in ("manifest.json", "model_int8.tflite"):
        (folder / name).write_bytes((tiny_bundle / name).read_bytes())
    (folder / "preprocess.json").write_text(json.dumps(document))
    row = ",".join("0" for _ in range(many))
    text = ",".join(f"c{i}" for i in range(many)) + f"\n{row}\n{row}\n"
    (tmp_path / "a.csv").write_text(text)
    done = run(folder, tmp_path / "a.csv")
    assert b"cannot be run" in done.stderr, done.stderr  # the model is a small one: it was read


def test_a_long_recording_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    from pipeline.ondevice.sound_files import read_sound

    entry = audio_entry()
    assert entry
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 0, b"WAVE", b"fmt ", 16, 1, 1, 100, 100, 1, 8)
    size = 4 << 20
    (tmp_path / "a.wav").write_bytes(head + struct.pack("<4sI", b"data", size) + bytes(size))
    with pytest.raises(ValueError, match="cut it"):
        read_sound(str(tmp_path / "a.wav"), 16000)


def test_an_interpreter_for_another_numpy_is_one_line_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old_lite.py").write_text(
        "import sys\nsys.stderr.write('A module that was compiled using NumPy 1.x cannot be run')\n"
        "raise ImportError('numpy.core.multiarray failed to import')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(interpreter.MODULES, "litert", ("old_lite", "old-lite"))
    with pytest.raises(ValueError, match=r"built for NumPy 1, .*; pip install 'numpy<2'") as error:
        interpreter.load_interpreter("model.tflite", runtime="litert")
    assert len(str(error.value).splitlines()) == 1
    assert capfd.readouterr().err == ""


def test_bounds_hold_for_what_is_read_in_order(tmp_path: Path) -> None:
    whole = np.arange(24.0).reshape(2, 3, 4)
    np.savez_compressed(tmp_path / "a.npz", c=whole, f=np.asfortranarray(whole))
    for values in bounds.read_arrays(str(tmp_path / "a.npz")).values():
        np.testing.assert_array_equal(values, whole)
