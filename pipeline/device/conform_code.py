"""Conformance of a bundle's C library: golden inputs through its C code, the model and its C code.

tflite-micro's sources come by no package, so that the model itself is run by LiteRT here, between
the compiled preprocessing and the compiled decision.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.arrays import Array, Arrays, only
from pipeline.device.code_parity import compare_library, detail_of
from pipeline.device.compiled import (
    NO_COMPILER,
    PLAIN_FLAGS,
    LibraryRun,
    compile_library,
    describe_compiler,
    find_compiler,
    run_library,
)
from pipeline.device.measure import RunResult, run_file
from pipeline.device_code.library import make_library
from pipeline.device_code.parts import UnsupportedError
from pipeline.documents.manifest import Manifest, ModelFile
from pipeline.documents.preprocess import Preprocess
from pipeline.errors import ArtifactError, ConfigError
from pipeline.ondevice.quantize import dequantize

FOLDER = "device"


@dataclass(frozen=True)
class CodeRun:
    """What the C library and the model made of golden inputs."""

    ran: RunResult
    """The model on the inputs that the library prepared."""
    compiler: str
    problems: tuple[str, ...]


def run_code(
    bundle: Path, manifest: Manifest, preprocess: Preprocess, *, raw: Arrays, work: Path
) -> CodeRun:
    """Compile a bundle's C library, and run golden inputs through it and the shipped file.

    Args:
        bundle: a copy of the bundle, whose hashes were checked.
        manifest: of the bundle.
        preprocess: contents of preprocess.json.
        raw: name -> golden raw samples (N, ...).
        work: folder to compile in; it exists.

    Raises:
        ConfigError: there is no compiler, or the bundle has no C library.
        ArtifactError: the library is another version's.
    """
    compiler = find_compiler()
    if compiler is None:
        raise ConfigError(f"--runtime c: {NO_COMPILER}; Debian: apt-get install gcc")
    file = manifest.shipped_model
    try:
        _check_sources(manifest, make_library(manifest.name, preprocess, file))
        program = compile_library(
            work, manifest.name, preprocess, file=file, compiler=[compiler], flags=PLAIN_FLAGS
        )
    except UnsupportedError as error:
        raise ConfigError(f"--runtime c: this bundle has no C library: {error}") from None
    prepared = _prepare(program, preprocess, file, raw)
    problems = []
    if refused := int((prepared.status != 0).sum()):
        problems.append(f"{file.format}: the C library refuses {refused} golden samples")
    ran = _run_model(bundle / file.file, file, preprocess, prepared)
    compared = compare_library(
        program, preprocess, raw, file=file, outputs=only(ran.raw_outputs),
        unsqueezed=_unsqueezed(bundle / file.file, file, preprocess, prepared),
    )  # fmt: skip
    if differ := int(compared.differs.sum()):
        problems.append(f"{file.format}: {differ} golden samples differ in C from run_on_device.py")
    return CodeRun(ran, describe_compiler(compiler), tuple(problems))


def _check_sources(manifest: Manifest, wanted: dict[str, str]) -> None:
    """Refuse a bundle with another library than this version writes: that one would be tested."""
    for name, text in wanted.items():
        place = f"{FOLDER}/{name}"
        hashed = hashlib.sha256(text.encode()).hexdigest()
        if place not in manifest.files or manifest.files[place].sha256 != hashed:
            raise ArtifactError(
                f"{place}: not the C library of this version; publish the bundle again: "
                "edgeline run CONFIG --force bundle"
            )


def _prepare(program: Path, preprocess: Preprocess, file: ModelFile, raw: Arrays) -> LibraryRun:
    """Return what the library makes of raw samples; the outputs that it decodes are zeros."""
    count = len(next(iter(raw.values())))
    zeros = np.zeros((count, *file.outputs[0].shape[1:]), np.dtype(file.outputs[0].dtype))
    bare = zeros if file.format in (preprocess.detector or {}) else None
    samples = {name: list(values) for name, values in raw.items()}
    return run_library([program], preprocess, samples, file=file, outputs=zeros, unsqueezed=bare)


def _run_model(
    path: Path, file: ModelFile, preprocess: Preprocess, prepared: LibraryRun
) -> RunResult:
    """Run the model on prepared inputs, as they are."""
    return _run(path, file, preprocess, {n: np.asarray(x) for n, x in prepared.inputs.items()})


def _unsqueezed(
    path: Path, file: ModelFile, preprocess: Preprocess, prepared: LibraryRun
) -> Array | None:
    """Return the model's outputs (N, ...) without squeezing; None: nothing is compared with it."""
    if not prepared.unsqueezed:
        return None
    return only(_run(path, file, preprocess, prepared.unsqueezed).raw_outputs)


def _run(path: Path, file: ModelFile, preprocess: Preprocess, inputs: Arrays) -> RunResult:
    """Run the model on inputs (N, ...) in the types of its tensors; it rounds back to the same."""
    plain = preprocess.model_copy(update={"anomaly": None})
    details = {tensor.name: detail_of(tensor) for tensor in file.inputs}
    real = {
        name: x if x.dtype == np.int32 else dequantize(x, details[name])
        for name, x in inputs.items()
    }
    return run_file(path, plain, real, prepared=True, batch=1)
