"""From Python: what comes back, how it shows itself, and what a wrong argument is told."""

import dataclasses
import logging
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.api import Bundle, Predictions, Result, load_bundle, run
from pipeline.arrays import only
from pipeline.errors import ArtifactError, ConfigError
from tests.conftest import MINIMAL
from tests.device.tiny import INPUTS, SAMPLES, write_bundle


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(write_bundle(tmp_path_factory.mktemp("api") / "tiny"))


@pytest.fixture(scope="module")
def golden(tiny: Bundle) -> dict[str, Any]:
    with np.load(tiny.path / "golden.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def tags(html: str) -> list[str]:
    """Return the tags of a piece of a page, which must be closed in order."""
    found: list[str] = []
    still: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            found.append(tag)
            still.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert still.pop() == tag

    Reader().feed(html)
    assert still == []
    return found


def test_raw_arrays_are_answered_as_the_runner_answers(
    tiny: Bundle, golden: dict[str, Any]
) -> None:
    answers = tiny.predict(golden["input_x"])
    assert len(answers) == SAMPLES
    labels = ["low", "middle", "high"]
    assert answers.decisions == [labels[k] for k in golden["int8"].argmax(axis=1)]
    assert tiny.predict({"x": golden["input_x"]}).decisions == answers.decisions
    assert answers[3]["input"] == "sample 3"
    assert len(answers[2:5]) == 3


def test_outputs_are_those_of_the_file_asked_for(tiny: Bundle, golden: dict[str, Any]) -> None:
    assert only(tiny.outputs(golden["input_x"])).shape == (SAMPLES, 3)
    outputs = only(tiny.outputs(golden["input_x"], form="float32"))
    assert np.array_equal(outputs, golden["float32"])
    with pytest.raises(ConfigError, match="has float32, int8, int16x8"):
        tiny.outputs(golden["input_x"], form="int4")


def test_a_file_is_answered_too(tiny: Bundle, golden: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "row.npy"
    np.save(path, golden["input_x"][:2])
    (first, _) = tiny.predict(path)
    assert first["decision"] == tiny.predict([str(path)])[0]["decision"]


@pytest.mark.parametrize(
    ("samples", "text"),
    [
        (np.zeros((2, INPUTS + 1), np.float32), "x"),
        ({"y": np.zeros((1, INPUTS))}, "wanted x"),
        (np.array([["a"] * INPUTS]), "x"),
    ],
)
def test_wrong_samples_are_refused_in_a_line(tiny: Bundle, samples: Any, text: str) -> None:
    with pytest.raises(ConfigError, match=text) as refused:
        tiny.predict(samples)
    assert "\n" not in str(refused.value)


def test_everything_shows_itself(tiny: Bundle, golden: dict[str, Any]) -> None:
    answers = tiny.predict(golden["input_x"][:2])
    assert tags(answers._repr_html_()).count("tr") == 3
    assert tags(answers[:0]._repr_html_()).count("tr") == 1


def test_names_that_are_markup_are_shown_as_they_are() -> None:
    row = {"input": "<b>", "decision": "<script>", "confidence": 0.5, "top": [], "why": ["a & b"]}
    html = Predictions((row,))._repr_html_()
    assert "script" not in tags(html)
    assert "a &amp; b" in html


def test_a_result_is_frozen_and_shows_its_metrics(tmp_path: Path) -> None:
    found = Result(
        "<x>",
        "regression",
        False,
        "int8",
        {"train": {"r2": 0.5}},
        "gate: <no>",
        tmp_path,
        None,
        None,
    )
    assert "nothing ships" in repr(found)
    assert tags(found._repr_html_()).count("td") == 1
    assert "&lt;no&gt;" in found._repr_html_()
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.name = "y"  # type: ignore[misc]


def test_a_run_up_to_a_stage_says_what_it_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(MINIMAL)
    places: dict[str, Any] = {"runs": tmp_path / "runs", "exported": tmp_path / "exported"}
    found = run(config, until="data", overrides={"data.split.test": 0.25}, quiet=True, **places)
    assert found.metrics["data"]["test"] == pytest.approx(0.25 * 1797, abs=10)
    assert (found.passed, found.bundle, found.report) == (None, None, None)
    assert "not judged" in repr(found)
    assert capsys.readouterr() == ("", "")
    level = logging.getLogger("pipeline").level
    assert run(str(config), until="data", overrides={"data.split.test": 0.25}, **places) == found
    assert logging.getLogger("pipeline").level == level


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"until": "trian"}, "wanted a stage"),
        ({"force": "x"}, "wanted a stage"),
        ({"overrides": {"train.epoch": 3}}, "epochs"),
    ],
)
def test_a_wrong_argument_is_told(tmp_path: Path, arguments: Any, text: str) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(MINIMAL)
    with pytest.raises(ConfigError, match=text):
        run(config, **arguments)


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="not a bundle"):
        load_bundle(tmp_path)
