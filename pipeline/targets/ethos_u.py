"""Arm Ethos-U: what Vela, Arm's own compiler, maps to it, and what it reports of a file.

The latency is the compiler's estimate for the stated system, not a measurement. Operations: Vela's
SUPPORTED_OPS.md (5.2).
"""

import contextlib
import csv
import importlib.metadata
import io
import re
import tempfile
from pathlib import Path

from pipeline.errors import ConversionError
from pipeline.targets.compiler import Compiler, CompileReport, Operation, Target

DISTRIBUTION = "ethos-u-vela"
COUNTS = re.compile(r"^(CPU|NPU) operators = (\d+)", re.MULTILINE)
OPERATIONS = frozenset([
    "ABS", "ADD", "ARG_MAX", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CONCATENATION", "CONV_2D",
    "DEPTHWISE_CONV_2D", "EXP", "EXPAND_DIMS", "FULLY_CONNECTED", "GATHER", "GELU", "HARD_SWISH",
    "LEAKY_RELU", "LOG", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD",
    "MUL", "PACK", "PAD", "PADV2", "PRELU", "QUANTIZE", "RELU", "RELU6", "RELU_0_TO_1",
    "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SHAPE",
    "SLICE", "SOFTMAX", "SPLIT", "SPLIT_V", "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE",
    "SUB", "TANH", "TRANSPOSE", "TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNPACK",
])  # fmt: skip


def compile_file(int8: Path, out: Path, *, name: str, target: Target) -> CompileReport:
    """Compile a file with Vela, in this process, and return what it reports.

    Args:
        int8: the .tflite file.
        out: the compiled file to write.
        name: Vela's name of the NPU configuration, such as ethos-u55-128.
        target: system and memory mode of Arm's vela.ini.

    Raises:
        ConversionError: the compiler refuses the file.
    """
    from ethosu.vela.vela import main

    said = io.StringIO()
    with tempfile.TemporaryDirectory(prefix="edgeline_vela_") as folder:
        arguments = [
            str(int8), "--accelerator-config", name, "--config", "Arm/vela.ini",
            "--system-config", target.system, "--memory-mode", target.memory,
            "--output-dir", folder,
        ]  # fmt: skip
        try:
            with contextlib.redirect_stdout(said):
                main(arguments)
        except (Exception, SystemExit) as error:
            raise ConversionError(f"{int8}: vela refuses it: {error}") from error
        compiled = next(Path(folder).glob("*_vela.tflite"))
        with next(Path(folder).glob("*_summary_*.csv")).open() as file:
            summary = next(csv.DictReader(file))
        out.write_bytes(compiled.read_bytes())
    counts = {side: int(count) for side, count in COUNTS.findall(said.getvalue())}
    return CompileReport(
        npu_ops=counts["NPU"],
        cpu_ops=counts["CPU"],
        sram_bytes=round(float(summary["sram_memory_used"]) * 1024),
        latency_ms_estimate=float(summary["inference_time"]) * 1000,
        compiler_version=f"vela {importlib.metadata.version(DISTRIBUTION)}",
        system=f"{target.system}, {target.memory}",
    )


def _broken_rule(op: Operation, target: Target) -> str | None:
    is_lookup = op.name == "GATHER" and "int32" in op.reads
    return f"{target.npu} looks nothing up by 32-bit numbers" if is_lookup else None


def _target(npu: str, system: str, memory: str) -> Target:
    return Target("vela", npu, system, memory)


# The system of each size is one of vela.ini that such an NPU is built into: weights in flash beside
# a microcontroller, in DRAM beside an application processor.
COMPILER = Compiler(
    targets={
        "ethos-u55-32": _target("the Ethos-U55", "Ethos_U55_Deep_Embedded", "Shared_Sram"),
        "ethos-u55-64": _target("the Ethos-U55", "Ethos_U55_Deep_Embedded", "Shared_Sram"),
        "ethos-u55-128": _target("the Ethos-U55", "Ethos_U55_High_End_Embedded", "Shared_Sram"),
        "ethos-u55-256": _target("the Ethos-U55", "Ethos_U55_High_End_Embedded", "Shared_Sram"),
        "ethos-u65-256": _target("the Ethos-U65", "Ethos_U65_Embedded", "Shared_Sram"),
        "ethos-u65-512": _target("the Ethos-U65", "Ethos_U65_High_End", "Dedicated_Sram_384KB"),
        "ethos-u85-128": _target("the Ethos-U85", "Ethos_U85_SYS_Flash_Low", "Shared_Sram"),
        "ethos-u85-256": _target("the Ethos-U85", "Ethos_U85_SYS_Flash_High", "Shared_Sram"),
        "ethos-u85-512": _target("the Ethos-U85", "Ethos_U85_SYS_DRAM_Low", "Dedicated_Sram_384KB"),
        "ethos-u85-1024": _target(
            "the Ethos-U85", "Ethos_U85_SYS_DRAM_Mid", "Dedicated_Sram_512KB"
        ),
        "ethos-u85-2048": _target(
            "the Ethos-U85", "Ethos_U85_SYS_DRAM_High", "Dedicated_Sram_512KB"
        ),
    },
    npu_ops=OPERATIONS,
    types=("int8", "uint8", "int16", "int32"),  # int32: shapes and indices
    broken_rule=_broken_rule,
    compile=compile_file,
    cure="run: make setup",
    distribution=DISTRIBUTION,
    estimates_costs=True,
)
