"""What a search tells while it runs, and the file it leaves."""

import csv
import io
import logging
from pathlib import Path

import pytest

from pipeline.tune.table import Watch, write_csv
from tests.tune.searches import ledger, search


def test_each_trial_has_a_line_with_its_rank_and_the_time_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch("accuracy", "up")
    with caplog.at_level(logging.INFO), watch.show_table():
        rows = search(ledger(tmp_path, trials=4, on_end=watch))
    lines = [record.getMessage().strip() for record in caplog.records]
    assert len(lines) == len(rows) == 4
    assert [line.split("rank ")[1].split("/")[1][0] for line in lines] == ["1", "2", "3", "4"]
    assert all("left" in line for line in lines[:-1])
    assert "left" not in lines[-1]
    best = max(rows, key=lambda row: row.known_score)
    assert f"rank 1/{1 + rows.index(best)}" in lines[rows.index(best)]


def test_trials_that_were_finished_before_are_told_as_such(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    search(ledger(tmp_path, trials=2))
    watch = Watch("accuracy", "up")
    with caplog.at_level(logging.INFO):
        search(ledger(tmp_path, trials=3, on_end=watch))
    lines = [record.getMessage() for record in caplog.records]
    assert ["finished before" in line for line in lines] == [True, True, False]
    assert watch.measured == 1


def test_the_live_table_shows_the_best_first(tmp_path: Path) -> None:
    from rich.console import Console

    watch = Watch("accuracy", "up")
    rows = search(ledger(tmp_path, trials=5, on_end=watch))
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(watch._table(""))
    shown = console.export_text()
    order = sorted(rows, key=lambda row: -row.known_score)
    places = [shown.index(f"{row.score:.4f}") for row in order]
    assert places == sorted(places)


def test_the_csv_holds_every_value_in_full(tmp_path: Path) -> None:
    rows = [*search(ledger(tmp_path, trials=3)), *search(ledger(tmp_path / "b", trials=1))]
    changes = {"score": None, "reason": "9 bytes, and the limit is 1", "costs": {}}
    rows[-1] = rows[-1].model_copy(update=changes)
    write_csv(tmp_path / "trials.csv", rows, list(rows[0].values))
    with (tmp_path / "trials.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [float(row["score"]) for row in read[:3]] == [row.score for row in rows[:3]]
    assert float(read[0]["train.rate"]) == rows[0].values["train.rate"]
    assert read[3]["score"] == ""
    assert read[3]["reason"] == "9 bytes, and the limit is 1"
    assert rows[0].costs["bytes"] == int(read[0]["bytes"])
