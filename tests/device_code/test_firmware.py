"""The library in a program of its own: two models in one, C++ around it, names, sanitizers."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipeline.bundle.device_code import write_device_code
from pipeline.device.compiled import FLAGS, compile_library, find_compiler, run_library
from pipeline.device_code.library import make_library
from pipeline.device_code.model_array import make_model_array
from pipeline.device_code.parts import UnsupportedError
from pipeline.documents.preprocess import Preprocess
from pipeline.ondevice.prepare import prepare_inputs
from pipeline.ondevice.quantize import quantize
from tests.device_code.cases import CASES
from tests.device_code.test_library import COUNT, detail_of, draw_outputs
from tests.documents.manifests import make_manifest

pytestmark = pytest.mark.skipif(find_compiler() is None, reason="no C compiler here")
MODEL = bytes(range(256)) * 2 + b"\x07"
TWO = """
#include "columns.h"
#include "columns_model.h"
#include "image.h"
#include "image_model.h"
#include <stdio.h>
int main(void) {
  static columns_input a;
  static image_input b;
  columns_raw row = {0};
  image_raw frame = {0};
  const float cells[6] = {1.0f, 2.0f, 0.5f, 0.25f, 1.0f, -3.0f};
  static const unsigned char pixels[3 * 5 * 3];
  row.class_ = cells;
  frame.image = pixels;
  frame.image_height = 3;
  frame.image_width = 5;
  if (columns_preprocess(&row, &a) != COLUMNS_OK) return 1;
  if (image_preprocess(&frame, &b) != IMAGE_OK) return 2;
  if (columns_class__category(1, "b b") != 1.0f) return 3;
  if (columns_class__category(1, "?") != -1.0f) return 4;
  if (((size_t)columns_model | (size_t)image_model) % 16 != 0) return 5;
  printf("%d %d %s", b.image[0], (int)sizeof columns_model, columns_labels[2]);
  return 0;
}
"""


def build(folder: Path, *names: str) -> list[str]:
    """Write the libraries of some cases, their models too; return the names of the sources."""
    for name in names:
        case = CASES[name]
        files = make_library(name, case.preprocess, case.file)
        files |= make_model_array(name, "model_int8.tflite", MODEL)
        for file, text in files.items():
            (folder / file).write_text(text)
    return [f"{name}{part}.c" for name in names for part in ("", "_model")]


def test_two_models_live_in_one_program(tmp_path: Path) -> None:
    sources = build(tmp_path, "columns", "image")
    (tmp_path / "main.c").write_text(TWO)
    compiler = str(find_compiler())
    command = [compiler, *FLAGS, "-o", "main", "main.c", *sources, "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, check=True, text=True)
    assert done.stdout == f"-128 {len(MODEL)} " + CASES["columns"].preprocess.labels[2]  # type: ignore[index]


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")
@pytest.mark.parametrize("name", ["columns", "image_detector", "value", "sound"])
def test_the_header_serves_c_plus_plus(name: str, tmp_path: Path) -> None:
    build(tmp_path, name)
    (tmp_path / "main.cc").write_text(f'#include "{name}.h"\n#include "{name}_model.h"\n')
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
    subprocess.run(["g++", *flags, "main.cc"], cwd=tmp_path, check=True)


@pytest.mark.skipif(shutil.which("nm") is None, reason="no nm here")
def test_every_symbol_that_others_see_begins_with_the_models_name(tmp_path: Path) -> None:
    sources = build(tmp_path, *CASES)
    subprocess.run([str(find_compiler()), "-c", *sources], cwd=tmp_path, check=True)
    for name in CASES:
        objects = [f"{name}.o", f"{name}_model.o"]
        done = subprocess.run(
            ["nm", "-g", "--defined-only", *objects], cwd=tmp_path, capture_output=True, text=True
        )
        symbols = [line.split()[-1] for line in done.stdout.splitlines() if len(line.split()) == 3]
        assert f"{name}_preprocess" in symbols
        assert all(symbol.startswith(f"{name}_") for symbol in symbols)


def test_the_library_takes_no_memory_at_run_time(tmp_path: Path) -> None:
    for name in CASES:
        text = (tmp_path / build(tmp_path, name)[0]).read_text()
        assert not any(word in text for word in ("malloc", "calloc", "stdlib", "alloca"))


def test_a_large_camera_image_is_resized_as_in_python(tmp_path: Path) -> None:
    case = CASES["image"]
    program = compile_library(
        tmp_path, "big", case.preprocess, file=case.file, compiler=[str(find_compiler())]
    )
    rng = np.random.default_rng(5)
    sizes = [(480, 640), (479, 333), (8, 640), (480, 1), (9, 8), (481, 640), (480, 641)]
    images = [rng.integers(0, 256, (*size, 3)).astype(np.uint8) for size in sizes]
    outputs = draw_outputs(case, len(images), 1)
    found = run_library(
        [program], case.preprocess, {"image": images}, file=case.file, outputs=outputs
    )
    assert found.status.tolist() == [0, 0, 0, 0, 0, 4, 4]  # larger than the buffers
    detail = detail_of(case.file.inputs[0])
    for image, ours in zip(images[:5], found.inputs["image"], strict=False):
        wanted = quantize(prepare_inputs({"image": image[None]}, case.preprocess)["image"], detail)
        np.testing.assert_array_equal(ours, wanted[0])


def test_what_the_library_cannot_do_is_said() -> None:
    case = CASES["table"]
    told = case.preprocess.dump() | {"labels": ["only", "two"]}
    with pytest.raises(UnsupportedError, match="3 outputs for 2 classes"):
        make_library("m", Preprocess.model_validate(told), case.file)


def test_a_bundle_has_the_library_of_its_shipped_model(tmp_path: Path) -> None:
    case = CASES["table"]
    told = {"name": "my-model", "ships": "int8", "models": [case.file.dump()]}
    manifest = make_manifest(told | {"preprocess": case.preprocess.dump()})
    (tmp_path / manifest.shipped_model.file).write_bytes(MODEL)
    write_device_code(tmp_path, manifest)
    names = {path.name for path in (tmp_path / "device").iterdir()}
    assert names >= {"my_model.h", "my_model.c", "my_model_model.h", "my_model_model.c"}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_sanitizers_find_nothing_on_random_samples(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    flags = (*FLAGS, "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    program = compile_library(
        tmp_path,
        name,
        case.preprocess,
        file=case.file,
        compiler=[str(find_compiler())],
        flags=flags,
    )
    count = 10 * COUNT
    outputs = draw_outputs(case, count, 3)
    has_detector = (case.preprocess.detector or {}).get(case.file.format) is not None
    found = run_library(
        [program], case.preprocess, case.sample(count, 4), file=case.file, outputs=outputs,
        unsqueezed=outputs if has_detector else None,
    )  # fmt: skip
    assert len(found.status) == count
