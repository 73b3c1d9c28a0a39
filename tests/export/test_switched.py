"""Mixtures out of one file that holds two: each answers as the one that was quantized alone."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.export import mixed
from pipeline.export.equalize import Graph
from pipeline.export.ranges import ranges_of, samples_of
from pipeline.export.switched import Switched, Unlike
from tests.export.conftest import Made

NETS = ["cnn", "strided", "table", "value"]


@pytest.mark.parametrize("kind", ["wide", "float"])
@pytest.mark.parametrize("name", NETS)
def test_a_mixture_answers_as_the_file_that_is_quantized_so(
    models: dict[str, Made], name: str, kind: mixed.Kind
) -> None:
    made = models[name]
    float32, calibration = str(made.file("float32")), str(made.folder / "calibration.npz")
    ranges = ranges_of(float32, calibration, clipping="min_max", bits=8, known={})
    samples = samples_of(calibration)[:4]
    mixer = mixed._mixer(float32, ranges, kind, "channel")
    assert isinstance(mixer.__self__, Switched)  # type: ignore[attr-defined]
    graph = Graph(Path(float32).read_bytes())
    outputs = [graph.name(int(op.outputs[0])) for op in graph.graph.operators]
    rng = np.random.default_rng(0)
    for share in (0.0, 0.3, 0.6, 1.0):
        chosen = [output for output in outputs if rng.random() < share]
        maker = mixed.integer_maker(float32, 8, "channel")
        mixed.set_apart(maker, kind, chosen, "channel")
        wanted = mixed._answers(mixed._content(maker, ranges), samples)
        found = mixed._answers(mixer(chosen), samples)
        np.testing.assert_array_equal(found, wanted, err_msg=str(chosen))


def test_where_the_forms_differ_each_mixture_is_quantized_anew(models: dict[str, Made]) -> None:
    """Where inputs meet, eight bits need one scale for all: an operation more."""
    made = models["two"]
    float32, calibration = str(made.file("float32")), str(made.folder / "calibration.npz")
    ranges = ranges_of(float32, calibration, clipping="min_max", bits=8, known={})
    mixer = mixed._mixer(float32, ranges, "wide", "channel")
    assert not hasattr(mixer, "__self__")
    assert mixed._answers(mixer([]), samples_of(calibration)[:2]).shape == (2, 2)


def test_one_mixture_leaves_no_trace_in_the_next(models: dict[str, Made]) -> None:
    made = models["cnn"]
    both = [made.file(form).read_bytes() for form in ("int8", "float32")]
    outputs = [Graph(both[1]).name(int(op.outputs[0])) for op in Graph(both[1]).graph.operators]
    switched = Switched(*both, like=both[1])
    first = switched.mix_operations(outputs[:1])
    assert switched.mix_operations(outputs) != first
    assert switched.mix_operations([]) != first
    assert switched.mix_operations(outputs[:1]) == first


def test_files_of_two_nets_are_not_mixed(models: dict[str, Made]) -> None:
    one, two = (models[name].file("float32").read_bytes() for name in ("cnn", "strided"))
    with pytest.raises(Unlike):
        Switched(one, two, like=one)
