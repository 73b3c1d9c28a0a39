"""Compile an int8 file for an Arm Ethos-U, with Arm's own compiler, and read what it reports.

The latency is the compiler's estimate for the stated system, not a measurement.
"""

import contextlib
import csv
import importlib.metadata
import io
import re
import tempfile
from pathlib import Path
from typing import Any

from pipeline.export.worker import ConversionError

COUNTS = re.compile(r"^(CPU|NPU) operators = (\d+)", re.MULTILINE)


def compile_file(int8: str, out: str, accelerator: str, system: str, memory: str) -> dict[str, Any]:
    """Compile a file and return what became of it.

    Args:
        int8: path of the int8 .tflite file.
        out: path of the compiled file to write.
        accelerator: Vela's name of the NPU configuration, such as ethos-u55-128.
        system: name of the reference system in Arm's vela.ini.
        memory: name of the memory mode there.

    Returns:
        npu_ops, cpu_ops (operators of the compiled file), sram_bytes, latency_ms_estimate,
        compiler_version, system.

    Raises:
        ConversionError: the compiler refuses the file.
    """
    from ethosu.vela.vela import main

    said = io.StringIO()
    with tempfile.TemporaryDirectory(prefix="edgeline_vela_") as folder:
        arguments = [
            int8, "--accelerator-config", accelerator, "--config", "Arm/vela.ini",
            "--system-config", system, "--memory-mode", memory, "--output-dir", folder,
        ]  # fmt: skip
        try:
            with contextlib.redirect_stdout(said):
                main(arguments)
        except (Exception, SystemExit) as error:
            raise ConversionError(f"{int8}: vela refuses it: {error}") from error
        compiled = next(Path(folder).glob("*_vela.tflite"))
        with next(Path(folder).glob("*_summary_*.csv")).open() as file:
            summary = next(csv.DictReader(file))
        Path(out).write_bytes(compiled.read_bytes())
    counts = {side: int(count) for side, count in COUNTS.findall(said.getvalue())}
    return {
        "npu_ops": counts["NPU"],
        "cpu_ops": counts["CPU"],
        "sram_bytes": round(float(summary["sram_memory_used"]) * 1024),
        "latency_ms_estimate": float(summary["inference_time"]) * 1000,
        "compiler_version": f"vela {importlib.metadata.version('ethos-u-vela')}",
        "system": f"{system}, {memory}",
    }
