"""Finite masks: what attention leaves out is left out by a little, not by a billion.

Models add -1e9, or more, to the scores that must not count. In integers one scale has to reach that
far, and every other score becomes zero. A softmax gives less than a step of int8 to what is 12
below the largest, so that the spread of the scores and 12 is as good as any more. The constants
that make a mask are clipped to that in the float32 file, whose outputs stay the same.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pipeline.export.equalize import Graph

FAR = 1e3  # what reaches further is a mask and no score
DEEP = 12.0  # below the largest score: a probability of 6e-6
FLOAT32 = 0  # the schema's TensorType
MADE_BY = ("ADD", "SUB", "MUL", "NEG", "FULLY_CONNECTED", "RESHAPE", "TRANSPOSE", "EXPAND_DIMS",
    "SQUEEZE", "GATHER", "BROADCAST_TO", "TILE", "SLICE", "STRIDED_SLICE")  # fmt: skip

Span = tuple[float, float]


def make_masks_finite(graph: "Graph", spans: Mapping[str, Span]) -> int:
    """Cut the constants of masks in place; return how many softmaxes had one.

    Args:
        graph: of the float32 file.
        spans: tensor -> least and greatest value over the calibration samples.
    """
    writers = {int(op.outputs[0]): op for op in graph.graph.operators}
    found = 0
    for place, op in enumerate(graph.graph.operators):
        if graph.kind(place) != "SOFTMAX" or int(op.outputs[0]) in graph.graph.outputs:
            continue
        pair = _added(graph, writers, int(op.inputs[0]), spans)
        if pair is not None:
            mask, (low, high) = pair
            _cut(graph, writers, mask, high - low + DEEP)
            found += 1
    return found


def _added(
    graph: "Graph", writers: Mapping[int, Any], read: int, spans: Mapping[str, Span]
) -> tuple[int, Span] | None:
    """Return the mask that is added to scores, and their range; None where there is none."""
    op = writers.get(read)
    if op is None or graph.kinds[op.opcodeIndex] != "ADD":
        return None
    ends = {int(i): _span(graph, int(i), spans) for i in op.inputs}
    masks = [i for i, (low, _) in ends.items() if low < -FAR]
    scores = [span for i, span in ends.items() if i not in masks]
    return (masks[0], scores[0]) if len(masks) == len(scores) == 1 else None


def _span(graph: "Graph", index: int, spans: Mapping[str, Span]) -> Span:
    if _is_constant(graph, index):
        values = graph.values(index, np.float32)
        return float(values.min()), float(values.max())
    return spans.get(graph.name(index), (0.0, 0.0))


def _is_constant(graph: "Graph", index: int) -> bool:
    tensor = graph.graph.tensors[index]
    data = graph.model.buffers[tensor.buffer].data
    return tensor.type == FLOAT32 and data is not None and len(data) > 0


def _cut(graph: "Graph", writers: Mapping[int, Any], mask: int, bound: float) -> None:
    """Cut the constants that a mask is computed from."""
    for index in _sources(graph, writers, mask):
        values = graph.values(index, np.float32)
        if np.abs(values).max() > FAR:
            graph.store(index, np.clip(values, -bound, bound).astype(np.float32))


def _sources(graph: "Graph", writers: Mapping[int, Any], index: int) -> Iterator[int]:
    """Yield the constants from which a tensor is computed by simple operations."""
    if _is_constant(graph, index):
        yield index
        return
    op = writers.get(index)
    if op is not None and graph.kinds[op.opcodeIndex] in MADE_BY:
        for read in op.inputs:
            yield from _sources(graph, writers, int(read))
