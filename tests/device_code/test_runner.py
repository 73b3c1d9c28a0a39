"""The runner for tflite-micro, and files of build systems: compiled with what stands for them."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.bundle.device_code import write_device_code
from pipeline.bundle.readme import readme
from pipeline.device.compiled import compile_library, find_compiler, run_library
from pipeline.documents.manifest import Manifest
from tests.device_code.cases import CASES
from tests.documents.manifests import make_manifest

STUB = Path(__file__).parents[1] / "bundle" / "micro"
MODEL = bytes(range(256)) * 2 + b"\x07"
ROW = (0.25, -1.5, 3.0, 0.125)
MAIN = """
#include <cstdio>
#include "m_runner.h"
static m::Runner runner;
int main() {
  const float values[4] = {0.25f, -1.5f, 3.0f, 0.125f};
  const float wrong[4] = {0.25f, -1.5f, 3.0f, 0.0f / 0.0f};
  m_raw raw = {values};
  m_raw bad = {wrong};
  m_result result = {};
  if (runner.Decide(raw, &result) != M_FAILED) return 1;  // before Begin
  if (!runner.Begin() || !runner.Begin()) return 2;
  for (int i = 0; i < 3; ++i) {
    if (runner.Decide(raw, &result) != M_OK) return 3;
  }
  if (runner.Decide(bad, &result) != M_NO_NUMBER) return 4;
  std::printf("%d %.6f", result.decision, static_cast<double>(result.probability[0]));
  return 0;
}
"""
needs_cmake = pytest.mark.skipif(shutil.which("cmake") is None, reason="no cmake here")
needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")
pytestmark = pytest.mark.skipif(find_compiler() is None, reason="no C compiler here")


def bundle(folder: Path, ops: dict[str, int], **changes: Any) -> Manifest:
    """Write the device/ folder of a bundle."""
    case = CASES["table"]
    model = case.file.dump() | {"ops": ops} | changes
    told = {"name": "m", "ships": model["format"], "models": [model]}
    manifest = make_manifest(told | {"preprocess": case.preprocess.dump()})
    (folder / manifest.shipped_model.file).write_bytes(MODEL)
    write_device_code(folder, manifest)
    return manifest


@needs_gxx
@pytest.mark.parametrize("state", [False, True])
def test_the_runner_allocates_once_resets_state_and_decides(tmp_path: Path, state: bool) -> None:
    ops = {"FULLY_CONNECTED": 1} | ({"UNIDIRECTIONAL_SEQUENCE_LSTM": 1} if state else {})
    bundle(tmp_path, ops)
    folder = tmp_path / "device"
    (folder / "main.cc").write_text(MAIN)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{STUB}", "-I."]
    flags += ["-DMODEL_KEEPS_STATE"] if state else []
    subprocess.run(["g++", *flags, "-c", "main.cc", "m_runner.cc"], cwd=folder, check=True)
    subprocess.run(
        [str(find_compiler()), "-std=c99", "-c", "m.c", "m_model.c"], cwd=folder, check=True
    )
    objects = ["main.o", "m_runner.o", "m.o", "m_model.o"]
    subprocess.run(["g++", "-o", "main", *objects, "-lm"], cwd=folder, check=True)
    done = subprocess.run([folder / "main"], capture_output=True, text=True)
    assert done.returncode == 0
    decision, probability = done.stdout.split()
    found = library_alone(tmp_path)
    assert (int(decision), float(probability)) == (found[0], pytest.approx(found[1], abs=1e-6))


def library_alone(folder: Path) -> tuple[int, float]:
    """Return what the library decides where the model gives its input back, as the stub does."""
    case = CASES["table"]
    program = compile_library(
        folder, "m", case.preprocess, file=case.file, compiler=[str(find_compiler())]
    )
    raw = {"x": [np.array(ROW, np.float32)]}
    zeros = np.zeros((1, 3), np.int8)
    prepared = run_library([program], case.preprocess, raw, file=case.file, outputs=zeros)
    given = prepared.inputs["x"][:, :3]
    found = run_library([program], case.preprocess, raw, file=case.file, outputs=given)
    return int(found.decisions[0]), float(found.probabilities[0, 0])


@needs_gxx
def test_the_program_of_the_readme_compiles(tmp_path: Path) -> None:
    manifest = bundle(tmp_path, {"FULLY_CONNECTED": 1})
    program = re.findall(r"```cpp\n(.*?)```", readme(manifest), re.DOTALL)[0]
    assert "runner.Decide" in program
    (tmp_path / "device/main.cc").write_text(program)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", f"-I{STUB}", "-fsyntax-only"]
    subprocess.run(["g++", *flags, "main.cc"], cwd=tmp_path / "device", check=True)


@needs_gxx
def test_without_tflite_micro_beside_it_the_runner_is_empty(tmp_path: Path) -> None:
    bundle(tmp_path, {"FULLY_CONNECTED": 1})
    command = ["g++", "-std=c++17", "-Werror", "-fsyntax-only", "m_runner.cc"]
    subprocess.run(command, cwd=tmp_path / "device", check=True)


@pytest.mark.parametrize(
    ("ops", "changes"),
    [({"GELU": 1}, {}), ({"FULLY_CONNECTED": 1}, {"format": "dynamic"}),
     ({"FULLY_CONNECTED": 1}, {"bytes": 5 << 20})],
)  # fmt: skip
def test_what_tflite_micro_cannot_run_has_no_runner(
    ops: dict[str, int], changes: dict[str, Any], tmp_path: Path
) -> None:
    bundle(tmp_path, ops, **changes)
    names = {path.name for path in (tmp_path / "device").iterdir()}
    assert "m.c" in names
    assert not any("runner" in name for name in names)
    assert "runner" not in (tmp_path / "device/CMakeLists.txt").read_text()
    assert ("m_model.c" in names) == ("bytes" not in changes)


PROJECT = """
cmake_minimum_required(VERSION 3.13)
project(firmware LANGUAGES C CXX)
add_library(micro INTERFACE)
target_include_directories(micro INTERFACE {stub})
set(TFLITE_MICRO micro)
add_subdirectory(device)
add_executable(main main.cc)
target_link_libraries(main m_runner)
"""
ESPRESSIF = """
cmake_minimum_required(VERSION 3.13)
project(firmware LANGUAGES C CXX)
set(ESP_PLATFORM 1)
function(idf_component_register)
  cmake_parse_arguments(PARSE_ARGV 0 GIVEN "" "INCLUDE_DIRS" "SRCS;REQUIRES")
  add_library(component STATIC ${{GIVEN_SRCS}})
  target_include_directories(component PUBLIC ${{GIVEN_INCLUDE_DIRS}} {stub})
  message(STATUS "requires ${{GIVEN_REQUIRES}}")
  set(COMPONENT_LIB component PARENT_SCOPE)
endfunction()
add_subdirectory(device)
add_executable(main main.cc)
target_link_libraries(main component -lm)
target_include_directories(main PRIVATE {stub})
"""


@needs_cmake
@needs_gxx
@pytest.mark.parametrize("project", [PROJECT, ESPRESSIF])
def test_the_folder_is_a_library_of_cmake_and_a_component_of_esp_idf(
    project: str, tmp_path: Path
) -> None:
    bundle(tmp_path, {"FULLY_CONNECTED": 1})
    (tmp_path / "CMakeLists.txt").write_text(project.format(stub=STUB))
    (tmp_path / "main.cc").write_text(MAIN)
    made = subprocess.run(
        ["cmake", "-S", ".", "-B", "build"], cwd=tmp_path, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    assert ("requires esp-tflite-micro" in made.stdout) == (project is ESPRESSIF)
    subprocess.run(["cmake", "--build", "build"], cwd=tmp_path, check=True, capture_output=True)
    assert subprocess.run([tmp_path / "build/main"], capture_output=True).returncode == 0


def test_arduino_finds_the_library_by_its_properties(tmp_path: Path) -> None:
    bundle(tmp_path, {"FULLY_CONNECTED": 1})
    lines = (tmp_path / "device/library.properties").read_text().splitlines()
    found = dict(line.split("=", 1) for line in lines)
    wanted = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category"}
    assert wanted | {"url", "architectures", "includes"} == set(found)
    assert (tmp_path / "device" / found["includes"]).is_file()
