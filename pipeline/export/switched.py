"""Mixtures of two files of one net, of 8 and of 16 bits say, out of one file that holds both.

To try each tensor alone is to make as many files, and to quantize one takes a tenth of a second.
Here both forms of every operation are packed once, with what brings each tensor from one form to
the other; a mixture is another list of the operations that run, written over the last one.
"""

import struct
from collections.abc import Collection, Iterator
from typing import Any

from pipeline.export.equalize import Graph
from pipeline.export.operators import Kind, conversion_operator

UOFFSET = "<I"  # how a flatbuffer writes lengths, and how far ahead something lies
STEP = struct.calcsize(UOFFSET)
OUTPUTS, OPERATORS = 8, 10  # of the table SubGraph: where its vtable has these vectors
FLOAT32, INT16, INT8 = 0, 7, 9  # the schema's TensorType
BETWEEN: dict[tuple[int, int], Kind] = {  # (type that is read, that is written) -> what does it
    (INT8, INT16): "Quantize",
    (INT16, INT8): "Quantize",
    (INT8, INT8): "Quantize",
    (FLOAT32, INT8): "Quantize",
    (INT8, FLOAT32): "Dequantize",
}


class Unlike(Exception):
    """The two files have not the same operations, so that a list of them makes no mixture."""


class Switched:
    """Two forms of a net in one file, any mixture of which can be had at once."""

    def __init__(self, narrow: bytes, wide: bytes, *, like: bytes) -> None:
        """Pack both.

        Args:
            narrow: the file whose inputs every mixture has.
            wide: the same net in another form.
            like: the net that both were made of.

        Raises:
            Unlike: the operations of one are not those of the others.
        """
        one, two = Graph(narrow), Graph(wide)
        self._inputs, self._ops = _names(one, one.graph.inputs), _shape_of(one)
        shapes = [_shape_of(two), _shape_of(Graph(like))]
        if shapes != [self._ops] * 2 or _names(two, two.graph.inputs) != self._inputs:
            raise Unlike
        self._last = [(one.name(i), i, j + len(one.graph.tensors)) for i, j in _ends(one, two)]
        self._between = _joined(one, two)  # tensor -> places of what widens and what narrows it
        self._content = bytearray(one.content())
        self._list, self._places = _list_of(self._content)
        self._answers = _vector(self._content, OUTPUTS)

    def mix_operations(self, wide: Collection[str]) -> bytes:
        """Return the file in which some operations have their wide form, an answer of theirs too.

        Args:
            wide: names of what they write first.
        """
        for i, (name, narrow, other) in enumerate(self._last):
            index = other if name in wide and name in self._between else narrow
            struct.pack_into(UOFFSET, self._content, self._answers + STEP * i, index)
        asked = list(self._run(set(wide)))
        struct.pack_into(UOFFSET, self._content, self._list, len(asked))
        for i, place in enumerate(asked, 1):
            at = self._list + STEP * i
            struct.pack_into(UOFFSET, self._content, at, self._places[place] - at)
        return bytes(self._content)

    def _run(self, wide: set[str]) -> Iterator[int]:
        """Yield the places of the operations that run, in order."""
        for name in self._inputs:
            yield from self._crossing(name, wide, is_wide=False)
        for place, (_, written) in enumerate(self._ops):
            is_wide = written[0] in wide
            yield place + is_wide * len(self._ops)
            for name in written:
                yield from self._crossing(name, wide, is_wide=is_wide)

    def _crossing(self, name: str, wide: set[str], *, is_wide: bool) -> Iterator[int]:
        """Yield what brings a tensor to its other form, where one who reads it has that."""
        asked = {written[0] in wide for read, written in self._ops if name in read}
        asked |= {name in wide} if name in {last for last, *_ in self._last} else set()
        if name in self._between and (not is_wide) in asked:
            yield self._between[name][is_wide]


def _names(graph: Graph, indices: Any) -> list[str]:
    return [graph.name(int(index)) for index in indices]


def _shape_of(graph: Graph) -> list[tuple[list[str], list[str]]]:
    """Return which tensors each operation reads, stored ones left out, and which it writes."""
    written = [_names(graph, op.outputs) for op in graph.graph.operators]
    known = {*_names(graph, graph.graph.inputs), *(name for names in written for name in names)}
    read = [
        [name for name in _names(graph, (i for i in op.inputs if i >= 0)) if name in known]
        for op in graph.graph.operators
    ]
    return list(zip(read, written, strict=True))


def _ends(one: Graph, two: Graph) -> list[tuple[int, int]]:
    """Return the indices of each output in either file."""
    return [(int(a), int(b)) for a, b in zip(one.graph.outputs, two.graph.outputs, strict=True)]


def _joined(one: Graph, two: Graph) -> dict[str, tuple[int, int]]:
    """Put all of the second file, and what goes between the two, into the first.

    Returns:
        tensor -> place of the operation that widens it, and of that which narrows it again.
    """
    count, tensors = len(one.graph.operators), len(one.graph.tensors)
    buffers, codes = len(one.model.buffers), len(one.model.operatorCodes)
    pairs = _pairs(one, two)
    same = {b: a for a, b in pairs.values() if _is_same(one, two, a, b)}
    for tensor in two.graph.tensors:
        tensor.buffer += buffers
    for op in two.graph.operators:
        op.opcodeIndex += codes
        op.inputs = [_place(int(i), tensors, same) for i in op.inputs]
        op.outputs = [_place(int(i), tensors, same) for i in op.outputs]
    one.model.buffers += two.model.buffers
    one.model.operatorCodes += two.model.operatorCodes
    one.graph.tensors += two.graph.tensors
    one.graph.operators += two.graph.operators
    found: dict[str, tuple[int, int]] = {}
    for name, (a, b) in pairs.items():
        if b not in same:
            found[name] = (2 * count + 2 * len(found), 2 * count + 2 * len(found) + 1)
            one.graph.operators += [_between(one, a, b + tensors), _between(one, b + tensors, a)]
    return found


def _place(index: int, tensors: int, same: dict[int, int]) -> int:
    """Return where a tensor of the second file is in both; -1 stands for none."""
    return -1 if index < 0 else same.get(index, index + tensors)


def _pairs(one: Graph, two: Graph) -> dict[str, tuple[int, int]]:
    """Return name -> index in either file, of what is given or computed."""
    ends = [[*g.graph.inputs, *(i for op in g.graph.operators for i in op.outputs)]
            for g in (one, two)]  # fmt: skip
    return {one.name(int(a)): (int(a), int(b)) for a, b in zip(*ends, strict=True)}


def _is_same(one: Graph, two: Graph, a: int, b: int) -> bool:
    """Tell whether a tensor has one type in both files, and one scale.

    Raises:
        Unlike: nothing brings it from one form to the other, or it keeps a state.
    """
    narrow, wide = one.graph.tensors[a], two.graph.tensors[b]
    kinds = narrow.type, wide.type
    if kinds[0] == kinds[1] and _steps(narrow) == _steps(wide):
        return True
    if narrow.isVariable or kinds not in BETWEEN or kinds[::-1] not in BETWEEN:
        raise Unlike
    return False


def _steps(tensor: Any) -> list[list[float]]:
    """Return scales and zero points."""
    known = tensor.quantization
    both = (None, None) if known is None else (known.scale, known.zeroPoint)
    return [[] if values is None else [float(value) for value in values] for values in both]


def _between(graph: Graph, read: int, written: int) -> Any:
    kinds = graph.graph.tensors[read].type, graph.graph.tensors[written].type
    return conversion_operator(graph.model, BETWEEN[kinds], read, written, version=2)


def _list_of(content: bytearray) -> tuple[int, list[int]]:
    """Return where the list of operations begins, its length first, and where each of them is."""
    first = _vector(content, OPERATORS)
    (count,) = struct.unpack_from(UOFFSET, content, first - STEP)
    places = range(first, first + STEP * count, STEP)
    return first - STEP, [at + struct.unpack_from(UOFFSET, content, at)[0] for at in places]


def _vector(content: bytearray, which: int) -> int:
    """Return where the first entry of a vector of the graph is."""
    from ai_edge_litert import schema_py_generated as schema

    table = schema.Model.GetRootAs(content, 0).Subgraphs(0)._tab
    return int(table.Vector(table.Offset(which)))
