"""TARGETS: what each device can take, and where an operation runs on it.

The lists say which TFLite operations the NPU compilers map; whatever else a model holds runs on the
CPU beside it. The compilers have the last word, after export; these rules speak before training.
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
    accelerator: str | None = None
    """Vela's name of the configuration."""


TARGETS = {
    "cpu": Target(frozenset(), None),
    "mcu": Target(frozenset(), "c_source"),
    "coral-edgetpu": Target(EDGE_TPU_OPS, "edgetpu_compiler"),
    "ethos-u55-128": Target(ETHOS_U_OPS, "vela", "ethos-u55-128"),
}


def where(op: str, target: str) -> Literal["npu", "cpu"]:
    """Return where a TFLite operation of an int8 model runs on a target."""
    return "npu" if op in TARGETS[target].npu_ops else "cpu"
