"""The Coral Edge TPU: what its compiler maps to it, and what that reports of a file.

The compiler is in no package registry; where it is missing, our rules decide. Operations and rules:
"Model requirements" on coral.ai.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from pipeline.errors import ConversionError
from pipeline.targets.compiler import Compiler, CompileReport, Operation, Target

PROGRAM = "edgetpu_compiler"
TIME_LIMIT = 300  # seconds
TOTAL = re.compile(r"Total number of operations: (\d+)")
ON_CPU = re.compile(r"Number of operations that will run on CPU: (\d+)")
VERSION = re.compile(r"Edge TPU Compiler version (\S+)")
WIDE_DIMENSIONS = 3  # only the three innermost may be larger than 1
OPERATIONS = frozenset([
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "EXPAND_DIMS",
    "FULLY_CONNECTED", "L2_NORMALIZATION", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN",
    "MINIMUM", "MUL", "PACK", "PAD", "PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "RELU",
    "RELU6", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RSQRT",
    "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT", "SQUARED_DIFFERENCE", "SQUEEZE",
    "STRIDED_SLICE", "SUB", "SUM", "TANH", "TRANSPOSE", "TRANSPOSE_CONV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
])  # fmt: skip


def compile_file(int8: Path, out: Path, *, name: str, target: Target) -> CompileReport:
    """Compile a file with the program, and return what it reports.

    Raises:
        ConversionError: the compiler refuses the file, or does not finish.
    """
    with tempfile.TemporaryDirectory(prefix="edgeline_edgetpu_") as folder:
        command = [PROGRAM, "-s", "-o", folder, str(int8)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=TIME_LIMIT, check=False
            )
        except subprocess.TimeoutExpired:
            raise ConversionError(
                f"{int8}: edgetpu_compiler did not finish within {TIME_LIMIT} s"
            ) from None
        compiled = Path(folder) / f"{int8.stem}_edgetpu.tflite"
        total = TOTAL.search(done.stdout)
        is_made = compiled.exists() and compiled.stat().st_size > 0
        if done.returncode or not is_made or total is None:
            said = (done.stdout + done.stderr).strip()
            raise ConversionError(f"{int8}: edgetpu_compiler refuses it: {said}")
        out.write_bytes(compiled.read_bytes())
    on_cpu, version = ON_CPU.search(done.stdout), VERSION.search(done.stdout)
    cpu_ops = int(on_cpu[1]) if on_cpu else 0
    return CompileReport(
        npu_ops=int(total[1]) - cpu_ops,
        cpu_ops=cpu_ops,
        compiler_version=f"{PROGRAM} {version[1] if version else 'unknown'}",
    )


def _broken_rule(op: Operation, target: Target) -> str | None:
    for shape in op.shapes:
        if any(size < 1 for size in shape):
            return f"a tensor of shape {list(shape)} has no constant size"
        if any(size > 1 for size in shape[:-WIDE_DIMENSIONS]):
            return f"a tensor of shape {list(shape)} is wide outside its three innermost dimensions"
    return None


COMPILER = Compiler(
    targets={"coral-edgetpu": Target("edgetpu_compiler", "the Edge TPU")},
    npu_ops=OPERATIONS,
    types=("int8", "uint8", "int32"),
    broken_rule=_broken_rule,
    compile=compile_file,
    cure="optional: coral.ai/docs/edgetpu/compiler; without it only its rules are checked",
    program=PROGRAM,
    is_one_part=True,
    no_mixtures="the Edge TPU has no 16-bit activations",
)
