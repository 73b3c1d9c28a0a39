"""Which columns of recordings are channels: never a clock, a label or words."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.data.channels import channels_of, rises_steadily
from pipeline.data.csv_rows import Form
from pipeline.errors import ConfigError


def write(root: Path, header: str, rows: list[str], count: int = 3) -> list[str]:
    for i in range(count):
        (root / f"{i}.csv").write_text("\n".join([header, *rows]) + "\n")
    return [str(root / f"{i}.csv") for i in range(count)]


def test_clocks_answers_and_words_are_no_channels(tmp_path: Path) -> None:
    rows = [f"{1000 + 16 * i},2026-01-01T00:00:{i:02d},{i % 3},{-i},a" for i in range(20)]
    paths = write(tmp_path, "t,time,label,x,note", rows)
    found = channels_of(paths, Form())
    assert found.kept == ("x",)
    assert (found.clocks, found.labels, found.words) == (("t",), ("label",), ("time", "note"))
    assert {finding.code for finding in found.findings} == {
        "clock_left_out", "label_left_out", "words_left_out",
    }  # fmt: skip


def test_what_rises_in_some_files_only_is_a_channel(tmp_path: Path) -> None:
    paths = write(tmp_path, "x,y", [f"{i},0" for i in range(9)])
    Path(paths[1]).write_text("x,y\n3,1\n1,2\n2,5\n")
    assert channels_of(paths, Form()).kept == ("x", "y")


def test_a_set_without_channels_is_refused(tmp_path: Path) -> None:
    paths = write(tmp_path, "t,label", [f"{i},1" for i in range(9)])
    with pytest.raises(ConfigError, match="holds values of a sensor"):
        channels_of(paths, Form())


@pytest.mark.parametrize(
    ("values", "is_steady"),
    [(np.arange(50) * 16.0, True), (np.zeros(9), False), (np.arange(9) ** 3.0, False),
     (np.sin(np.arange(50)), False), (np.arange(50) + 0.2 * np.sin(np.arange(50)), True)],
)  # fmt: skip
def test_a_clock_rises_by_even_steps(values: np.ndarray, is_steady: bool) -> None:
    assert rises_steadily(values) is is_steady
