"""Scales of the weights: one a channel, one a tensor, or one a tensor in dense layers only."""

import pytest

from pipeline.export.equalize import Graph
from tests.export.conftest import Made

WANTED = {"channel": (4, 5), "tensor": (1, 1), "dense_tensor": (4, 1)}  # first conv, last dense


@pytest.mark.parametrize("quantizer", ["ai-edge", "converter"])
@pytest.mark.parametrize("granularity", WANTED)
def test_dense_layers_have_one_scale_where_asked(
    models: dict[str, Made], granularity: str, quantizer: str
) -> None:
    recipe = {"granularity": granularity, "quantizer": quantizer}
    file = models["cnn"].file("int8", name="_".join(recipe.values()), **recipe)
    graph = Graph(file.read_bytes())
    layers = list(graph.layers())
    scales = [graph.scales(layer.weights).size for layer in (layers[0], layers[-1])]
    assert [layers[0].kind, layers[-1].kind] == ["CONV_2D", "FULLY_CONNECTED"]
    assert tuple(scales) == WANTED[granularity]
