"""Qualcomm Hexagon: what LiteRT's plug-in compiles for it, and what that leaves on the CPU.

A compiled file runs on one system on chip and has no fallback: an app ships the int8 file beside
it. Its decisions are emulated by the runtime `hexagon`; times are measured on the phone alone. The
libraries are Qualcomm's, under a license of its own: they are installed by the user, never shipped.
"""

import json
import subprocess
from pathlib import Path

from pipeline.errors import ConversionError
from pipeline.process_limits import run_confined
from pipeline.readers.environment import CURE, FOLDER, PYTHON
from pipeline.targets.compiler import Compiler, CompileReport, Operation, Target

SCRIPT = FOLDER / "hexagon_reader.py"
LIMIT_S = 150  # of processor time; the script ends the compiler itself, a little earlier
STATEFUL = "UNIDIRECTIONAL_SEQUENCE_LSTM"
SYSTEMS = ("sm8350", "sm8450", "sm8550", "sm8650", "sm8750", "sm8850")
OPERATIONS = frozenset([
    "ABS", "ADD", "ARG_MAX", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CONCATENATION", "CONV_2D",
    "DEPTHWISE_CONV_2D", "DIV", "EXP", "EXPAND_DIMS", "FULLY_CONNECTED", "GATHER", "GELU",
    "HARD_SWISH", "L2_NORMALIZATION", "LEAKY_RELU", "LOG", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D",
    "MEAN", "MINIMUM", "MUL", "NEG", "PACK", "PAD", "PADV2", "PRELU", "QUANTIZE", "REDUCE_MAX",
    "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SLICE", "SOFTMAX", "SPLIT", "SQRT",
    "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TRANSPOSE",
    "TRANSPOSE_CONV", "UNPACK", STATEFUL,
])  # fmt: skip


def compile_file(int8: Path, out: Path, *, name: str, target: Target) -> CompileReport:
    """Compile a file with LiteRT's plug-in, in the readers' Python, and count its operations.

    Args:
        int8: the .tflite file.
        out: the compiled file to write.
        name: of the target, such as qualcomm-sm8750.
        target: whose `system` is Qualcomm's name of the system on chip.

    Raises:
        ConversionError: the compiler refuses the file, or does not end.
    """
    try:
        done = run_confined([PYTHON, SCRIPT, int8, out, target.system], limit_s=LIMIT_S)
    except subprocess.TimeoutExpired:
        out.unlink(missing_ok=True)
        why = f"the compiler for {name} did not end within {LIMIT_S} s of processor time"
        raise ConversionError(f"{int8}: {why}") from None
    if done.returncode:
        out.unlink(missing_ok=True)
        said = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise ConversionError(f"{int8}: {said[-1].removeprefix('error: ')}")
    found: dict[str, int | str] = json.loads(done.stdout.splitlines()[-1])
    return CompileReport.model_validate(found)


def _broken_rule(op: Operation, _target: Target) -> str | None:
    if op.name == STATEFUL:
        return "LiteRT's plug-in takes no file with state"
    return None


COMPILER = Compiler(
    targets={
        f"qualcomm-{system}": Target("qualcomm", "Hexagon", system.upper()) for system in SYSTEMS
    },
    npu_ops=OPERATIONS,
    types=("int8", "uint8", "int16", "int32", "float32"),
    broken_rule=_broken_rule,
    compile=compile_file,
    cure=f"optional: {CURE}; Qualcomm's license is for development, and forbids to pass it on",
    python=PYTHON,
)
