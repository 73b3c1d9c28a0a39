"""The C source: it compiles, and holds the file's bytes, aligned."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.export.c_source import write_c_source

PROGRAM = """
#include "model_int8.h"
#include <cstdio>
int main() {
  std::fwrite(g_model_int8, 1, g_model_int8_size, stdout);
  return reinterpret_cast<std::uintptr_t>(g_model_int8) % 16;
}
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here")
def test_the_compiled_source_holds_the_files_bytes(tmp_path: Path) -> None:
    model = tmp_path / "model_int8.tflite"
    model.write_bytes(bytes(range(256)) * 3 + b"\x7f")
    assert write_c_source(model, tmp_path) == ["model_int8.cc", "model_int8.h"]
    (tmp_path / "main.cc").write_text(PROGRAM)
    flags = ["-std=c++11", "-Wall", "-Wextra", "-Werror", "-o", "main"]
    subprocess.run(["g++", *flags, "main.cc", "model_int8.cc"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "main"], capture_output=True, check=False)
    assert (done.stdout, done.returncode) == (model.read_bytes(), 0)
