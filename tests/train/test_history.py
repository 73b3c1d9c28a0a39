"""Progress: a bar with rate and time left on a terminal, a line an epoch elsewhere."""

import io
import logging
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.train import history
from pipeline.train.history import ShowProgress, write_history


class Screen(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        return True


def trained(monkeypatch: pytest.MonkeyPatch, screen: io.StringIO, first_epoch: int = 0) -> str:
    """Show ten epochs of twenty steps, of which a call makes ten and takes half a second."""
    clock = iter(x / 2 for x in range(10_000))
    monkeypatch.setattr(history, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(history, "sys", SimpleNamespace(stderr=screen))
    shown = ShowProgress()
    shown.set_params({"steps": 20, "epochs": 10})
    shown.on_train_begin()
    for epoch in range(first_epoch, 10):
        shown.on_epoch_begin(epoch)
        for batch in (9, 19):
            shown.on_train_batch_end(batch, {"loss": 0.5})
        shown.on_epoch_end(epoch, {"loss": 0.5})
    return screen.getvalue()


@pytest.mark.parametrize("first_epoch", [0, 8])
def test_a_terminal_sees_rate_and_time_left_also_after_a_resume(
    monkeypatch: pytest.MonkeyPatch, first_epoch: int
) -> None:
    text = trained(monkeypatch, Screen(), first_epoch)
    times = [int(left) for left in re.findall(r"20 steps/s  (\d+) s left", text)]
    assert times == sorted(times, reverse=True)
    assert times[-1] == 0
    assert f"epoch {first_epoch + 1}/10" in text


def test_elsewhere_there_is_a_line_an_epoch(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "pipeline.train.history"):
        assert trained(monkeypatch, io.StringIO()) == ""
    assert len(caplog.records) == 10


def test_a_history_is_written_in_full(tmp_path: Path) -> None:
    write_history(tmp_path / "h.csv", [{"epoch": 1, "loss": 0.1 + 0.2}])
    assert (tmp_path / "h.csv").read_text() == "epoch,loss\n1,0.30000000000000004\n"
