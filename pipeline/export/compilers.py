"""What a target makes of the int8 file: compiled where its compiler is here, else by its rules."""

import shutil
from pathlib import Path

from pipeline.device.placement import place
from pipeline.device.targets import TARGETS
from pipeline.documents.files import CompileReport, TargetFile
from pipeline.errors import ArtifactError
from pipeline.export import edgetpu
from pipeline.export.inspect import operations
from pipeline.export.worker import ConversionError, request


def compile_for(name: str, int8_file: Path, out: Path, skipped: dict[str, str]) -> TargetFile:
    """Return a target's row in files.json; its compiled file goes into `out`.

    Args:
        name: key of TARGETS.
        int8_file: the file to compile; it may be missing.
        out: folder of the compiled file.
        skipped: gets the reason where nothing is compiled that should be.
    """
    row = TargetFile(target=name)
    target = TARGETS[name]
    if target.compiler in (None, "c_source"):
        return row
    compiled = out / f"model_int8_{name}.tflite"
    if not int8_file.exists():
        skipped[compiled.name] = "made from the int8 file, which was not made"
        return row
    if target.compiler == "edgetpu_compiler" and shutil.which(target.compiler) is None:
        placed = place(operations(int8_file), name)
        counts = {where: sum(p.where == where for p in placed) for where in ("npu", "cpu")}
        skipped[compiled.name] = (
            "edgetpu_compiler is not on PATH (coral.ai/docs/edgetpu/compiler says how to get it); "
            f"by its rules {counts['npu']} operations would run on the NPU, {counts['cpu']} on "
            "the CPU" + "".join(f"; {p.op}: {p.why}" for p in placed if p.why)
        )
        return row
    try:
        if target.compiler == "vela":
            found = request(
                "vela",
                int8=str(int8_file),
                out=str(compiled),
                accelerator=name,
                system=target.system,
                memory=target.memory,
            )
        else:
            found = edgetpu.compile_file(int8_file, compiled)
    except (ConversionError, ArtifactError) as error:
        skipped[compiled.name] = str(error)
        return row
    size = compiled.stat().st_size
    report = dict(CompileReport.model_validate(found))
    return TargetFile(target=name, file=compiled.name, bytes=size, **report)
