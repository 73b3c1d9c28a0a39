"""What stands around a model's C library: the runner for tflite-micro, and files of build systems.

The folder is at once a library for CMake, a component for ESP-IDF and a library for Arduino.
"""

from pathlib import PurePath

from pipeline.device_code.constants import c_symbol
from pipeline.device_code.library import describe_library, environment_for
from pipeline.documents.manifest import ModelFile
from pipeline.documents.preprocess import Preprocess
from pipeline.ondevice.interpreter import keeps_state

MICRO = "tflite-micro"
MICRO_FORMATS = ("float32", "int8", "int16x8")  # that its kernels compute
MICRO_LACKS = ("GELU",)  # that we make
MICRO_NAMES = {  # as tflite-micro's resolver calls what is not its plain name in camel case
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}
BUILD_FILES = ("CMakeLists.txt", "library.properties", "idf_component.yml")


def micro_name(op: str) -> str:
    """Return what tflite-micro's resolver calls an operation, behind `Add`."""
    parts = ("2D" if part == "2D" else part.capitalize() for part in op.split("_"))
    return MICRO_NAMES.get(op, "".join(parts))


def make_firmware(
    name: str, preprocess: Preprocess, file: ModelFile, *, has_array: bool
) -> dict[str, str]:
    """Return file name -> text of the runner and of the build systems' files.

    Args:
        name: of the model.
        preprocess: contents of preprocess.json.
        file: the .tflite file's row of the manifest.
        has_array: whether its bytes lie beside it as an array.

    Raises:
        UnsupportedError: there is no C library for the model.
    """
    prefix = c_symbol(name)
    environment = environment_for(preprocess)
    runs = has_array and file.format in MICRO_FORMATS and not set(MICRO_LACKS) & set(file.ops)
    micro = file.runtimes.get(MICRO)
    context = describe_library(name, preprocess, file) | {
        "operations": [micro_name(op) for op in file.ops] if runs else [],
        "keeps_state": keeps_state(file.ops),
        "arena_bytes": None if micro is None else micro.arena_bytes,
        "arena_version": None if micro is None else micro.version,
        "sources": [f"{prefix}.c", *([f"{prefix}_model.c"] if has_array else [])],
    }
    names = [*BUILD_FILES, *(["runner.h", "runner.cc"] if runs and file.ops else [])]
    texts = {kind: environment.get_template(f"{kind}.j2").render(context) for kind in names}
    return {
        f"{prefix}_{kind}" if PurePath(kind).stem == "runner" else kind: text
        for kind, text in texts.items()
    }
