"""TARGETS: what each device can take, and where an operation runs on it.

The lists say which TFLite operations the NPU compilers map; whatever else a model holds runs on the
CPU beside it. The compilers have the last word, after export; before training the rules of
placement.py speak.
Sources: Vela's SUPPORTED_OPS.md (5.2) for Ethos-U; "Model requirements" on coral.ai for Edge TPU.
"""

from dataclasses import dataclass
from typing import Literal

ETHOS_U_OPS = frozenset(
    [
        "ABS",
        "ADD",
        "ARG_MAX",
        "AVERAGE_POOL_2D",
        "BATCH_MATMUL",
        "CONCATENATION",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "EXP",
        "EXPAND_DIMS",
        "FULLY_CONNECTED",
        "GATHER",
        "GELU",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LOG",
        "LOGISTIC",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MEAN",
        "MINIMUM",
        "MIRROR_PAD",
        "MUL",
        "PACK",
        "PAD",
        "PADV2",
        "PRELU",
        "QUANTIZE",
        "RELU",
        "RELU6",
        "RELU_0_TO_1",
        "RELU_N1_TO_1",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "RSQRT",
        "SHAPE",
        "SLICE",
        "SOFTMAX",
        "SPLIT",
        "SPLIT_V",
        "SQUARED_DIFFERENCE",
        "SQUEEZE",
        "STRIDED_SLICE",
        "SUB",
        "TANH",
        "TRANSPOSE",
        "TRANSPOSE_CONV",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "UNPACK",
    ]
)
EDGE_TPU_OPS = frozenset(
    [
        "ADD",
        "AVERAGE_POOL_2D",
        "CONCATENATION",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "EXPAND_DIMS",
        "FULLY_CONNECTED",
        "L2_NORMALIZATION",
        "LOGISTIC",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MEAN",
        "MINIMUM",
        "MUL",
        "PACK",
        "PAD",
        "PRELU",
        "QUANTIZE",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "RSQRT",
        "SLICE",
        "SOFTMAX",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SQUARED_DIFFERENCE",
        "SQUEEZE",
        "STRIDED_SLICE",
        "SUB",
        "SUM",
        "TANH",
        "TRANSPOSE",
        "TRANSPOSE_CONV",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
    ]
)


@dataclass(frozen=True)
class Target:
    """A kind of device."""

    npu_ops: frozenset[str]
    """Operations that leave the CPU; empty where there is no NPU."""
    compiler: Literal["vela", "edgetpu_compiler", "c_source"] | None
    """What makes the target's own file from the int8 one; None: the file runs as it is."""
    npu: str = ""
    """What people call the NPU."""
    system: str = ""
    """Arm's reference system that Vela estimates for (its vela.ini): clock and memories."""
    memory: str = ""
    """Vela's memory mode."""
    lacks: frozenset[str] = frozenset()
    """Operations that what runs the file there has not: it stops at them."""


def _ethos(npu: str, system: str, memory: str) -> Target:
    return Target(ETHOS_U_OPS, "vela", npu, system, memory)


# The system of each size is one of vela.ini that such an NPU is built into: weights in flash beside
# a microcontroller, in DRAM beside an application processor.
TARGETS = {
    "cpu": Target(frozenset(), None),
    "mcu": Target(frozenset(), "c_source", lacks=frozenset(["GELU"])),  # as tflite-micro says
    "coral-edgetpu": Target(EDGE_TPU_OPS, "edgetpu_compiler", "the Edge TPU"),
    "ethos-u55-32": _ethos("the Ethos-U55", "Ethos_U55_Deep_Embedded", "Shared_Sram"),
    "ethos-u55-64": _ethos("the Ethos-U55", "Ethos_U55_Deep_Embedded", "Shared_Sram"),
    "ethos-u55-128": _ethos("the Ethos-U55", "Ethos_U55_High_End_Embedded", "Shared_Sram"),
    "ethos-u55-256": _ethos("the Ethos-U55", "Ethos_U55_High_End_Embedded", "Shared_Sram"),
    "ethos-u65-256": _ethos("the Ethos-U65", "Ethos_U65_Embedded", "Shared_Sram"),
    "ethos-u65-512": _ethos("the Ethos-U65", "Ethos_U65_High_End", "Dedicated_Sram_384KB"),
    "ethos-u85-128": _ethos("the Ethos-U85", "Ethos_U85_SYS_Flash_Low", "Shared_Sram"),
    "ethos-u85-256": _ethos("the Ethos-U85", "Ethos_U85_SYS_Flash_High", "Shared_Sram"),
    "ethos-u85-512": _ethos("the Ethos-U85", "Ethos_U85_SYS_DRAM_Low", "Dedicated_Sram_384KB"),
    "ethos-u85-1024": _ethos("the Ethos-U85", "Ethos_U85_SYS_DRAM_Mid", "Dedicated_Sram_512KB"),
    "ethos-u85-2048": _ethos("the Ethos-U85", "Ethos_U85_SYS_DRAM_High", "Dedicated_Sram_512KB"),
}
