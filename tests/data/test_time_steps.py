"""Gaps and doubled moments of series, and series of many users in one file."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.config.schema import SeriesCsvSource
from pipeline.data.samples import Chunk
from pipeline.data.series_csv import open_series_csv


def chunks(tmp_path: Path, rows: list[str], **more: Any) -> tuple[list[Chunk], dict[str, Any]]:
    (tmp_path / "s.csv").write_text("user,act,timestamp,value\n" + "\n".join(rows) + "\n")
    source = SeriesCsvSource(kind="series_csv", path="s.csv", **{"window": 4, **more})
    found = list(open_series_csv(source, tmp_path, None).chunks())
    return found[:-1], {finding.code: finding for finding in found[-1].findings}


def rows_at(moments: list[int]) -> list[str]:
    return [f"u,a,{at},{at % 7}" for at in moments]


def test_gaps_are_counted_and_windows_across_them_left_out(tmp_path: Path) -> None:
    moments = [*range(0, 100, 10), *range(1000, 1100, 10)]
    found, findings = chunks(tmp_path, rows_at(moments))
    assert sum(len(chunk.ids) for chunk in found) == 16
    assert findings["gaps_in_time"].count == 1
    assert "the longest 910 s before s.csv:12; 4 windows" in findings["gaps_in_time"].text
    found, findings = chunks(tmp_path, rows_at(moments), max_gap_s=30)
    assert sum(len(chunk.ids) for chunk in found) == 12
    assert findings["windows_across_gaps"].count == 4


def test_doubled_moments_are_found(tmp_path: Path) -> None:
    _, findings = chunks(tmp_path, rows_at([0, 10, 10, 20, 30, 40, 50]))
    assert "1 rows have the moment of the row before, the first at s.csv:4" in (
        findings["doubled_moments"].text
    )


def test_no_window_crosses_a_change_of_user_or_activity(tmp_path: Path) -> None:
    rows = [f"{u},{a},{100 * i + j},1" for i, (u, a) in enumerate(["pw", "pj", "qw", "qj"])
            for j in range(10)]  # fmt: skip
    found, findings = chunks(tmp_path, rows, label="act")
    assert {"mixed_windows", "unused_group"} <= set(findings)
    found, findings = chunks(tmp_path, rows, label="act", series=("user", "act"), group="user")
    assert not {"mixed_windows", "unused_group", "gaps_in_time"} & set(findings)
    groups = [group for chunk in found for group in chunk.groups or ()]
    assert sorted(set(groups)) == ["p", "q"]
    assert len(groups) == 4 * (10 - 4 + 1)


def test_two_columns_may_hold_a_moment(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(
        "Date;Time;value\n" + "".join(f"31/01/2009;00:{i:02d}:00;{i},5\n" for i in range(9))
    )
    source = SeriesCsvSource(
        kind="series_csv", path="s.csv", timestamp="Date", time_of_day="Time", delimiter=";",
        window=4,
    )  # fmt: skip
    first = next(iter(open_series_csv(source, tmp_path, None).chunks()))
    assert first.times is not None
    assert first.times[0].tolist() == [1233360000.0, 1233360240.0]
    assert first.inputs["series"][0, :, 0].tolist() == pytest.approx([0.5, 1.5, 2.5, 3.5])
