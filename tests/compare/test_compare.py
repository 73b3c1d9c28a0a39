"""Side by side: the class of equality is the one that holds, and every difference is named."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import write_json
from pipeline.cli import main
from pipeline.compare.differences import ABSENT, compare, different, flat, settings
from pipeline.compare.equality import compare_outputs, distance, equality
from pipeline.compare.sides import Side, SideData, SideFile, SideReference
from pipeline.compare.tell import page, text
from pipeline.tasks import TASKS
from tests.report.test_render import read
from tests.tasks.named import one

NAMES = ("a", "b", "c")


def side(name: str = "one", said: Any = None, sha: str = "f" * 64, **changed: Any) -> Side:
    """Return a bundle that decided `said`, of labels 0, 1, 2, 0, 1, 2, …"""
    labels = np.arange(60) % 3
    predicted = labels if said is None else said
    metrics = {"accuracy": float((predicted == labels).mean())}
    row = SideFile("model_int8.tflite", sha, 2000, metrics, 0.99, None)
    predictions = {"samples": np.zeros(32, np.uint8), "labels": labels}
    reference = SideReference(Path("none"), "r", {"accuracy": 1.0}, 9)
    own: dict[str, Any] = {
        "name": name,
        "kind": "bundle",
        "task": "classification",
        "config": {"name": name, "seed": 0, "train": {"epochs": 3}, "audit": None},
        "packages": {"keras": "3"},
        "labels": NAMES,
        "data": SideData("d", {"test": 60}, 60),
        "reference": reference,
        "files": {"int8": row},
        "ships": "int8",
        "passed": True,
        "predictions": predictions | {"prediction_int8": np.asarray(predicted, np.uint8)},
    }
    return Side(**own | changed)


def swapped(count: int) -> Any:
    """Return labels of which some are wrong."""
    said = np.arange(60) % 3
    said[:count] = (said[:count] + 1) % 3
    return said


def test_the_same_bytes_are_the_strongest_equality() -> None:
    assert equality(side(), side("two")).equality == "bytes"


def test_other_bytes_with_all_decisions_alike_are_the_next() -> None:
    assert equality(side(), side("two", sha="0" * 64)).equality == "decisions"


@pytest.mark.parametrize(("wrong", "wanted"), [(1, "metric"), (30, "different")])
def test_decisions_that_differ_are_judged_by_the_interval(wrong: int, wanted: str) -> None:
    found = equality(side(), side("two", said=swapped(wrong), sha="0" * 64))
    assert found.equality == wanted
    assert found.measured is not None
    low, high = found.measured.metric_drop_ci95
    assert low <= found.measured.metric_drop <= high
    assert found.measured.agreement == pytest.approx(1 - wrong / 60)


def test_the_drop_is_that_of_the_metric_that_the_config_judges_by() -> None:
    uneven = np.where(np.arange(60) < 50, 0, np.arange(60) % 3)  # few of two classes
    predictions = {"samples": np.zeros(32, np.uint8), "labels": uneven}
    drops = {}
    for metric in ("accuracy", "macro_f1"):
        config = {"task_metric": metric}
        pair = [
            side(
                str(said),
                config=config,
                sha=sha,
                predictions=predictions | {"prediction_int8": said},
            )
            for sha, said in (("0", uneven), ("1", np.zeros(60, np.uint8)))
        ]
        drops[metric] = equality(*pair).measured.metric_drop
    assert drops["macro_f1"] > 2 * drops["accuracy"] > 0


def test_other_samples_are_not_compared() -> None:
    other = side("two", sha="0" * 64)
    other.predictions["samples"][0] = 1  # type: ignore[index]
    found = equality(side(), other)
    assert (found.equality, found.measured) == ("unknown", None)
    assert "other samples" in found.why
    assert (
        "without stored predictions" in equality(side(), side("two", sha="0", predictions={})).why
    )
    assert "tasks differ" in equality(side(), side("two", sha="0", task="anomaly")).why
    assert "classes differ" in equality(side(), side("two", sha="0", labels=NAMES[::-1])).why


@pytest.mark.parametrize("task", list(TASKS))
def test_a_drop_has_the_sign_of_worse(task: str) -> None:
    rng = np.random.default_rng(2)
    if TASKS[task].decisions(one(np.zeros((1, 2)))).dtype.kind == "i":
        labels = np.arange(200) % 2
        first = np.eye(2)[labels] * 0.8 + 0.1
        second = first + rng.normal(0, 0.6, first.shape)
    else:
        labels = rng.normal(size=200)
        first, second = labels[:, None] + 0.05, labels[:, None] + rng.normal(0, 0.8, (200, 1))
    targets, better, worse = map(one, (labels, first, second))
    assert compare_outputs(TASKS[task], targets, better, second=worse).metric_drop > 0
    assert compare_outputs(TASKS[task], targets, worse, second=better).metric_drop < 0
    same = compare_outputs(TASKS[task], targets, better, second=better)
    assert same.metric_drop_ci95 == (0.0, 0.0)


def test_weights_are_bit_equal_apart_or_of_another_network() -> None:
    own = {"a": np.ones((2, 3), np.float32), "b": np.zeros(4, np.float32)}
    near = own | {"b": np.array([0, 0, 1e-6, 0], np.float32)}
    assert distance(own, copy.deepcopy(own)).equality == "bit-equal"
    found = distance(own, near)
    assert (found.equality, found.largest) == ("apart", pytest.approx(1e-6))
    assert "in b" in found.why
    assert distance(own, {"a": own["a"]}).equality == "other network"
    assert distance(own, own | {"b": np.zeros(5)}).equality == "other network"
    assert distance({}, {}).equality == "bit-equal"


def test_every_difference_is_named_once() -> None:
    rows = [flat({"a": {"b": 1, "c": [1, 2]}, "d": {}}), flat({"a": {"b": 2, "c": [1, 2]}})]
    assert different(rows) == {"a.b": (1, 2), "d": ({}, ABSENT)}
    configs = settings([{"name": "x", "audit": None}, {"name": "y", "audit": {"steps": 3}}])
    assert different(configs) == {"audit": (None, "on")}


def sides() -> list[Side]:
    changed = {"name": "two", "seed": 1, "train": {"epochs": 3}, "audit": {"samples": 5}}
    other = side("<b>two</b>", said=swapped(2), sha="0" * 64, config=changed)
    return [side(), other, side("three", packages={"keras": "4"})]


def test_text_and_page_tell_the_same_and_load_nothing() -> None:
    found = compare(sides())
    told, html = text(found), page(found)
    assert "A and B: same metric within its interval" in told
    assert "A and C: same bytes" in told
    assert all(len(line) <= 100 for line in told.splitlines())
    for words in ("seed", "keras", "same bytes", "&lt;b&gt;two"):
        assert words in html
    parser = read(html)
    assert "script" not in parser.tags
    assert all(source.startswith("#") for source in parser.loads)
    assert html.count("<table") == html.count("<caption>")


def test_what_is_no_run_and_no_bundle_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(tmp_path), str(tmp_path)]) == 4
    assert "wanted a run folder (runs/NAME) or a bundle" in capsys.readouterr().err
    (tmp_path / "data").mkdir()
    write_json(tmp_path / "data" / "manifest.json", {"outputs": {}})
    assert main(["compare", str(tmp_path), str(tmp_path)]) == 4
    assert "not measured yet; run: edgeline verify CONFIG" in capsys.readouterr().err
