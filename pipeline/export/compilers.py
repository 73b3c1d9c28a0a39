"""What a target makes of the int8 file: compiled where its compiler is here, else by its rules."""

from pathlib import Path
from typing import Any

from pipeline.documents.files import TargetFile
from pipeline.errors import ConversionError
from pipeline.export.inspect import operations
from pipeline.targets.compiler import Compiler, CompileReport
from pipeline.targets.placement import place
from pipeline.targets.registry import COMPILERS, TARGETS, compiler_of
from pipeline.worker.client import request


def compile_for(name: str, int8_file: Path, out: Path, *, skipped: dict[str, str]) -> TargetFile:
    """Return a target's row in files.json; its compiled file goes into `out`.

    Args:
        name: key of TARGETS.
        int8_file: the file to compile; it may be missing.
        out: folder of the compiled file.
        skipped: gets the reason where nothing is compiled that should be.
    """
    compiler, compiled = compiler_of(name), out / f"model_int8_{name}.tflite"
    if compiler is None:
        return TargetFile(target=name)
    if not int8_file.exists():
        skipped[compiled.name] = "made from the int8 file, which was not made"
    elif compiler.is_missing():
        skipped[compiled.name] = _by_its_rules(name, compiler, int8_file)
    else:
        try:
            report = _compile(name, compiler, int8_file, compiled)
            size = compiled.stat().st_size
            return TargetFile(target=name, file=compiled.name, bytes=size, **dict(report))
        except ConversionError as error:
            skipped[compiled.name] = str(error)
    return TargetFile(target=name)


def _by_its_rules(name: str, compiler: Compiler, int8_file: Path) -> str:
    """Return why nothing is compiled, and the result of the rules instead."""
    placed = place(operations(int8_file), name)
    counts = {where: sum(p.where == where for p in placed) for where in ("npu", "cpu")}
    how = compiler.cure.removeprefix("optional: ").partition(";")[0]
    return (
        f"the compiler for {name} is not here ({how}); by its rules "
        f"{counts['npu']} operations would run on the NPU, {counts['cpu']} on the CPU"
        + "".join(f"; {p.op}: {p.why}" for p in placed if p.why)
    )


def _compile(name: str, compiler: Compiler, int8: Path, out: Path) -> CompileReport:
    if compiler.distribution is None:
        return compiler.compile(int8, out, name=name, target=TARGETS[name])
    report = request("compile_file", int8=str(int8), out=str(out), target=name)
    return CompileReport.model_validate(report)


def compile_file(int8: str, out: str, target: str) -> dict[str, Any]:
    """Compile a file in this process, and return the report.

    Args:
        int8: path of the int8 .tflite file.
        out: path of the compiled file to write.
        target: key of TARGETS.

    Raises:
        ConversionError: the compiler refuses the file.
    """
    compiler = COMPILERS[TARGETS[target].compiler or ""]
    return compiler.compile(Path(int8), Path(out), name=target, target=TARGETS[target]).dump()
