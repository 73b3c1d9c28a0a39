"""OPERATIONS: TFLite operation -> how Keras 3 computes the same.

Where there is a layer it is taken, so that weights can learn and the file that is made of the
network has the same operation again.
"""

from collections.abc import Callable
from typing import Any

from pipeline.models.tflite import arithmetic, layers, shapes
from pipeline.models.tflite.node import Node

OPERATIONS: dict[str, Callable[[Node], Any]] = {
    "CONV_2D": layers.convolution,
    "DEPTHWISE_CONV_2D": layers.depthwise,
    "TRANSPOSE_CONV": layers.transposed_convolution,
    "FULLY_CONNECTED": layers.dense,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": layers.lstm,
    "BATCH_MATMUL": arithmetic.matmul,
    "AVERAGE_POOL_2D": layers.pool(True),
    "MAX_POOL_2D": layers.pool(False),
    "MEAN": layers.mean,
    "SUM": arithmetic.reduction("sum"),
    "REDUCE_MAX": arithmetic.reduction("max"),
    "REDUCE_MIN": arithmetic.reduction("min"),
    "ADD": arithmetic.sum_of("Add", 1.0),
    "SUB": arithmetic.sum_of("Subtract", -1.0),
    "MUL": arithmetic.product,
    "DIV": arithmetic.quotient,
    "MAXIMUM": arithmetic.pair_of("maximum"),
    "MINIMUM": arithmetic.pair_of("minimum"),
    "POW": arithmetic.pair_of("power"),
    "SOFTMAX": layers.softmax,
    "LOGISTIC": layers.layer_of("Activation", "sigmoid"),
    "TANH": layers.layer_of("Activation", "tanh"),
    "HARD_SWISH": layers.layer_of("Activation", "hard_silu"),
    "RELU": layers.layer_of("ReLU"),
    "RELU6": layers.layer_of("ReLU", 6.0),
    "ELU": layers.layer_of("ELU"),
    "LEAKY_RELU": layers.leaky,
    "PRELU": layers.prelu,
    "GELU": layers.gelu,
    "ABS": arithmetic.function_of("abs"),
    "EXP": arithmetic.function_of("exp"),
    "LOG": arithmetic.function_of("log"),
    "NEG": arithmetic.function_of("negative"),
    "RSQRT": arithmetic.function_of("rsqrt"),
    "SIN": arithmetic.function_of("sin"),
    "COS": arithmetic.function_of("cos"),
    "SQRT": arithmetic.function_of("sqrt"),
    "SQUARE": arithmetic.function_of("square"),
    "SQUARED_DIFFERENCE": arithmetic.squared_difference,
    "RESHAPE": shapes.as_written,
    "SQUEEZE": shapes.as_written,
    "EXPAND_DIMS": shapes.as_written,
    "TRANSPOSE": shapes.permute_axes,
    "PAD": shapes.pad_tensor,
    "PADV2": shapes.pad_tensor,
    "TILE": shapes.repeat_tensor,
    "BROADCAST_TO": shapes.repeat_tensor,
    "CONCATENATION": shapes.concatenate_tensors,
    "PACK": shapes.stack_tensors,
    "UNPACK": shapes.unstack_tensor,
    "SPLIT": shapes.split_tensor,
    "SPLIT_V": shapes.parted_by_size,
    "REVERSE_V2": shapes.reversed_along,
    "SLICE": shapes.slice_tensor,
    "STRIDED_SLICE": shapes.strided_slice,
    "GATHER": layers.gather_rows,
    "DEQUANTIZE": shapes.as_read,
    "QUANTIZE": shapes.as_read,  # to another scale, which stands in what it writes
    "CAST": shapes.as_read,
    "RESIZE_BILINEAR": layers.resize_map("bilinear"),
    "RESIZE_NEAREST_NEIGHBOR": layers.resize_map("nearest"),
}
