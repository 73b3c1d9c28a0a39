"""The C library of the shipped file: compiled here, and compared with Python on all samples."""

from pathlib import Path

from pipeline.arrays import Array, only
from pipeline.device.code_parity import compare_library
from pipeline.device.compiled import (
    NO_COMPILER,
    PLAIN_FLAGS,
    compile_library,
    describe_compiler,
    find_compiler,
)
from pipeline.device.measure import run_file
from pipeline.device_code.parts import UnsupportedError
from pipeline.documents.files import FileEntry
from pipeline.documents.parity import DeviceCode
from pipeline.documents.preprocess import Preprocess
from pipeline.ondevice.sanitize import remove_squeezing
from pipeline.verify.held import Held

ITEM = "device/"  # how `skipped` names the library


def measure_device_code(
    name: str,
    held: Held,
    path: Path,
    *,
    preprocess: Preprocess,
    entry: FileEntry,
    raw_outputs: Array,
    work: Path,
    skipped: dict[str, str],
) -> DeviceCode | None:
    """Return how far the C library is from Python; None, and the reason in `skipped`: not made.

    Args:
        name: of the model.
        held: the samples.
        path: of the shipped .tflite file.
        preprocess: contents of preprocess.json, with the rules of the file.
        entry: of that file.
        raw_outputs: (N, ...), its outputs for the samples.
        work: folder that the library is compiled in.
        skipped: gets the reason.

    Raises:
        PipelineError: the library does not compile, or does not run.
    """
    compiler = find_compiler()
    work.mkdir(parents=True, exist_ok=True)
    try:
        program = compile_library(
            work, name, preprocess, file=entry, compiler=[compiler or ""], flags=PLAIN_FLAGS
        )
    except UnsupportedError as error:
        skipped[ITEM] = str(error)
        return None
    except OSError:
        skipped[ITEM] = f"not compared: {NO_COMPILER}"
        return None
    bare = None
    if entry.format in (preprocess.detector or {}):
        bare = only(run_file(path, remove_squeezing(preprocess), held.raw).raw_outputs)
    found = compare_library(
        program, preprocess, held.raw, file=entry, outputs=raw_outputs, unsqueezed=bare
    )
    return DeviceCode(
        file=entry.file,
        compiler=describe_compiler(str(compiler)),
        samples=len(found.differs),
        disagreements=int(found.differs.sum()),
        inputs=dict(found.worst),
    )
