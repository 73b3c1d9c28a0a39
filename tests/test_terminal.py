"""How a run is told: plain, quiet, or as JSON; bars on a terminal alone."""

import io
import json
import logging
import sys

import pytest

from pipeline import run_summary, terminal
from pipeline.artifacts import Metrics
from pipeline.terminal import (
    Bar,
    Form,
    describe_progress,
    draw_bar,
    event,
    set_output_form,
    show_progress,
)

log = logging.getLogger("pipeline.somewhere")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run_a_stage() -> None:
    """Say what the runner says of a stage."""
    run_summary.tell_off(["tune"])
    run_summary.tell_begun("train")
    run_summary.tell_ended("train", Metrics({"accuracy": (0.5, "")}, {"x": "no"}), 1.25)
    log.warning("          watch out")
    log.error("broken")


def test_json_is_an_object_a_line_with_the_facts(capsys: pytest.CaptureFixture[str]) -> None:
    with set_output_form("json"):
        run_a_stage()
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["event"] for row in rows] == [
        "stage_skipped", "stage_begun", "stage_ended", "message", "message",
    ]  # fmt: skip
    assert rows[2]["metrics"] == [{"name": "accuracy", "value": 0.5, "unit": ""}]
    assert rows[2]["left_out"] == {"x": "no"}
    assert rows[3]["text"] == "watch out"
    assert err == ""


def test_quiet_says_errors_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with set_output_form("quiet"):
        run_a_stage()
    assert capsys.readouterr() == ("", "broken\n")


def test_plain_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    with set_output_form("plain"):
        run_a_stage()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "train        1.2 s  accuracy 0.5"
    assert "begins" not in err


@pytest.mark.parametrize(("form", "has_bar"), [("plain", True), ("quiet", False), ("json", False)])
def test_bars_are_drawn_on_a_terminal_where_lines_are_plain(
    monkeypatch: pytest.MonkeyPatch, form: Form, has_bar: bool
) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(terminal, "DRAW_SECONDS", 0.0)
    with set_output_form(form):
        assert list(show_progress([1, 2, 3], "steps", "work")) == [1, 2, 3]
    assert ("━" in screen.getvalue()) == has_bar
    if has_bar:
        assert "3/3 steps" in screen.getvalue()
        assert screen.getvalue().endswith("\r\x1b[K")


def test_elsewhere_long_work_writes_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "LINE_SECONDS", 0.0)
    with set_output_form("json"), Bar(4, "files", "measuring") as bar:
        bar.advance(2)
    (row,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert row == {
        "event": "progress", "what": "measuring", "unit": "files", "done": 2, "total": 4,
    }  # fmt: skip


def test_short_work_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with set_output_form("plain"):
        list(show_progress(range(100), "steps", "work"))
    assert capsys.readouterr() == ("", "")


def test_a_bar_is_as_long_as_what_is_done() -> None:
    assert [draw_bar(share).count("━") for share in (-1.0, 0.0, 0.5, 1.0, 2.0)] == [
        0,
        0,
        12,
        24,
        24,
    ]
    assert describe_progress(5, 10, "files", seconds=2.0) == "5/10 files  2.5 files/s  2 s left"
    assert "…" in describe_progress(0, 10, "files", seconds=0.0)


def test_an_event_is_what_a_record_carries() -> None:
    assert event("epoch", epoch=1) == {"event": {"event": "epoch", "epoch": 1}}


def test_how_it_was_told_before_comes_back() -> None:
    root = logging.getLogger()
    before = root.handlers[:], logging.getLogger("pipeline").level
    with set_output_form("quiet"):
        assert root.handlers != before[0]
    assert (root.handlers, logging.getLogger("pipeline").level) == before
