"""float16 files: every array of weights is stored in 16 bits, and nothing else changes."""

import numpy as np

from pipeline.export.equalize import Graph
from pipeline.export.float16 import FLOAT16, FLOAT32, with_float16
from pipeline.export.inspect import inspect
from tests.export.conftest import Made
from tests.export.test_convert import run


def test_weights_are_float16_and_single_numbers_stay(models: dict[str, Made]) -> None:
    for name in ("cnn", "two", "words"):
        made = models[name]
        graph = Graph(made.file("float16").read_bytes())
        stored = {
            kind: [
                graph.values(i, dtype).size
                for i, tensor in enumerate(graph.graph.tensors)
                if tensor.type == kind and graph.model.buffers[tensor.buffer].data is not None
            ]
            for kind, dtype in ((FLOAT16, np.float16), (FLOAT32, np.float32))
        }
        assert len(stored[FLOAT16]) >= 4
        assert set(stored[FLOAT32]) <= {1}
        ops = inspect(made.file("float16"), "float16").ops
        assert ops["DEQUANTIZE"] == len(stored[FLOAT16])
        plain = inspect(made.file("float32"), "float32").ops
        assert {op: n for op, n in ops.items() if op != "DEQUANTIZE"} == plain


def test_what_is_beyond_float16_is_cut_to_its_range(models: dict[str, Made]) -> None:
    made = models["table"]
    graph = Graph(made.file("float32").read_bytes())
    layer = next(graph.layers())
    weights = graph.values(layer.weights, np.float32)
    weights.flat[:2] = 1e6, -1e9
    graph.store(layer.weights, weights)
    half = Graph(with_float16(graph.content()))
    values = [
        half.values(i, np.float16)
        for i, tensor in enumerate(half.graph.tensors)
        if tensor.type == FLOAT16
    ]
    assert all(np.isfinite(v).all() for v in values)
    assert max(float(v.max()) for v in values) == float(np.finfo(np.float16).max)


def test_tensors_that_share_a_buffer_share_its_half(models: dict[str, Made]) -> None:
    made = models["cnn"]
    graph = Graph(made.file("float32").read_bytes())
    one, two = list(graph.layers())[:2]
    tensors = graph.graph.tensors
    tensors[two.bias].buffer = tensors[one.bias].buffer
    tensors[two.bias].shape = tensors[one.bias].shape
    half = Graph(with_float16(graph.content()))
    places = [t.buffer for t in half.graph.tensors if t.type == FLOAT16]
    assert len(set(places)) == len(places) - 1


def test_it_answers_as_float32_within_half_precision(models: dict[str, Made]) -> None:
    made = models["strided"]
    whole, half = (run(made.file(form), made.inputs)[1] for form in ("float32", "float16"))
    np.testing.assert_allclose(half, whole, atol=5e-3)
    assert (half != whole).any()
