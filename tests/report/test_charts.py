"""Charts: within their frame, said in words, and never an empty plot."""

import re

import numpy as np
import pytest

from pipeline.report import charts
from pipeline.report.regression_charts import roc_points
from pipeline.tasks.metrics import area_under_roc


def numbers(drawn: str, name: str) -> list[float]:
    return [float(value) for value in re.findall(rf' {name}="(-?[\d.]+)"', drawn)]


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("values", [[1e-9, 1e9], [5.0, 5.0], [0.2], [-5.0, 5.0], [1e6, 2e6]])
def test_points_stay_within_the_frame_on_any_scale(values: list[float], is_log: bool) -> None:
    points = list(zip(values, values, strict=True))
    drawn = charts.line_chart({"a": points}, title="t", x="x", y="y", is_log=(is_log, is_log))
    for place, most in (("cx", charts.WIDTH), ("cy", charts.HEIGHT)):
        assert all(0 <= value <= most for value in numbers(drawn, place))


def test_where_there_is_nothing_to_draw_there_is_no_chart() -> None:
    nan = float("nan")
    for series in ({}, {"a": []}, {"a": [(1.0, nan), (nan, 1.0)]}):
        assert charts.line_chart(series, title="t", x="x", y="y") == ""


def test_what_is_not_finite_is_left_out() -> None:
    points = [(0.0, 1.0), (1.0, float("inf")), (2.0, 3.0)]
    drawn = charts.line_chart({"a": points}, title="t", x="x", y="y")
    assert "inf" not in drawn
    assert len(re.findall("<circle", drawn)) == 2


def test_a_chart_says_in_words_what_it_shows() -> None:
    curve = [(1.0, 0.5), (9.0, 0.25)]
    drawn = charts.line_chart({"a & b": curve}, title="loss", x="epoch", y="loss")
    assert 'aria-label="loss. a &amp; b: 0.5 at 1, 0.25 at 9"' in drawn
    assert "<figcaption>loss</figcaption>" in drawn


@pytest.mark.parametrize(
    "values", [[0.0, 1.0], [3.0, 997.0], [-2.5, 0.1], [1e-7, 2e-7], [7.0, 7.0]]
)
def test_ticks_span_the_values_and_are_few(values: list[float]) -> None:
    found = charts.ticks(values)
    assert found[0] <= min(values)
    assert found[-1] >= max(values) or np.isclose(found[-1], max(values))
    assert 2 <= len(found) <= charts.TICKS + 2


def test_whole_numbers_have_whole_ticks() -> None:
    assert all(tick.is_integer() for tick in charts.ticks([1.0, 2.0, 3.0]))


def test_a_histogram_counts_every_group() -> None:
    edges = np.linspace(0, 1, 5)
    counts = {"a": np.array([1, 0, 2, 0]), "b": np.array([0, 0, 0, 4])}
    drawn = charts.histogram(counts, edges, title="t", x="x", y="n", rules={"limit": 0.5})
    assert len(re.findall("<rect", drawn)) == 3
    assert "a: 3; b: 4" in drawn
    assert "limit" in drawn


def test_the_area_under_the_drawn_roc_is_the_auc() -> None:
    rng = np.random.default_rng(3)
    labels, scores = rng.integers(0, 2, 400), rng.integers(0, 30, 400).astype(float)
    points = np.array(roc_points(labels == 1, scores + 9 * labels))
    assert points[0].tolist() == [0.0, 0.0]
    assert points[-1].tolist() == [1.0, 1.0]
    area = np.trapezoid(points[:, 1], points[:, 0])
    assert area == pytest.approx(area_under_roc(labels, scores + 9 * labels))
