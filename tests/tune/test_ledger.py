"""The book: the same search however it is interrupted, and however many work on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.documents.trials import Trial, TrialResult
from pipeline.tune import ledger as book_module
from pipeline.tune.ledger import DEATHS, OVER, SILENT_S, WAIT, Ledger
from tests.tune.searches import finished, ledger, search, too_large

TUNERS = ("random", "bayesian", "hyperband", "grid")


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def counting(measured: list[str]) -> Callable[[Trial], TrialResult]:
    def measure(row: Trial) -> TrialResult:
        measured.append(row.trial)
        return finished(row)

    return measure


@pytest.mark.parametrize("tuner", TUNERS)
def test_a_search_killed_after_every_trial_is_the_undisturbed_one(
    tmp_path: Path, tuner: str
) -> None:
    trials = None if tuner == "hyperband" else 6
    whole = search(ledger(tmp_path / "whole", tuner, trials=trials, at_once=2))
    measured: list[str] = []
    measure = counting(measured)
    while True:  # each round makes a new ledger, as a new process does, and ends one trial
        killed = ledger(tmp_path / "killed", tuner, trials=trials, at_once=2)
        row = killed.take("here")
        if row == OVER:
            break
        assert isinstance(row, Trial)
        killed.end(measure(row))
    assert killed.rows == whole
    assert len(measured) == len(set(measured)) == len(whole)


@pytest.mark.parametrize(
    ("tuner", "seed"),
    [
        pytest.param("bayesian", 0, marks=pytest.mark.slow),
        *((t, s) for t in ("random", "hyperband", "grid") for s in range(4)),
    ],
)
def test_many_workers_in_any_order_find_what_one_finds(
    tmp_path: Path, tuner: str, seed: int
) -> None:
    trials = None if tuner == "hyperband" else 6 if tuner == "bayesian" else 8
    alone = search(ledger(tmp_path / "one", tuner, trials=trials, at_once=3))
    clock = Clock()
    book = ledger(tmp_path / "many", tuner, trials=trials, at_once=3, now=clock)
    random = np.random.Generator(np.random.Philox(seed))
    busy: dict[str, Trial] = {}
    ended: list[str] = []
    while not book.is_over():
        worker = f"w{random.integers(4)}"
        clock.seconds += 1.0
        for row in busy.values():
            book.hear(row.trial)
        if worker not in busy:
            taken = book.take(worker)
            if isinstance(taken, Trial):
                busy[worker] = taken
        elif random.random() < 0.2:  # it dies
            book.lose(worker)
            del busy[worker]
        else:
            ended.append(busy[worker].trial)
            book.end(finished(busy.pop(worker)))
    reasons = [row for row in book.rows if row.reason is not None]
    if not reasons:  # else one had three deaths, which is told
        assert book.rows == alone
    assert len({row.trial for row in book.rows}) == len(book.rows)
    assert len(ended) == len(set(ended))


def test_the_trial_of_a_silent_worker_goes_to_the_next_and_counts_once(tmp_path: Path) -> None:
    clock = Clock()
    book = ledger(tmp_path, trials=1, now=clock)
    first = book.take("a")
    assert isinstance(first, Trial)
    clock.seconds = SILENT_S - 1
    assert book.take("b") == WAIT
    book.hear(first.trial)
    clock.seconds = 2 * SILENT_S - 2
    assert book.take("b") == WAIT
    clock.seconds = 2 * SILENT_S
    assert book.take("b") == first
    book.end(finished(first))
    book.end(finished(first).model_copy(update={"score": -99.0}))  # the first one was only slow
    assert book.take("a") == book.take("b") == OVER
    assert [row.score for row in book.rows] == [finished(first).score]


def test_a_trial_that_workers_die_over_is_given_up_with_the_reason(tmp_path: Path) -> None:
    book = ledger(tmp_path, trials=2)
    for number in range(DEATHS):
        assert isinstance(book.take(f"w{number}"), Trial)
        book.lose(f"w{number}")
    rows = search(book)
    failed = [row for row in rows if row.score is None]
    assert len(failed) == 1
    assert "died over it" in str(failed[0].reason)
    assert len(rows) == 2


def test_trials_beyond_the_limits_do_not_use_the_search_up(tmp_path: Path) -> None:
    def measure(row: Trial) -> TrialResult:
        if row.values["model.kind"] == "large":
            return too_large(row, "70,000 bytes, and the limit is 65,536")
        return finished(row)

    rows = search(ledger(tmp_path, trials=6), measure)
    done = [row for row in rows if row.score is not None]
    assert len(done) == 6
    assert {r.values["model.kind"] for r in rows if r.score is None} == {"large"}


def test_a_search_all_beyond_the_limits_ends(tmp_path: Path) -> None:
    rows = search(ledger(tmp_path, trials=3), too_large)
    assert len(rows) == book_module.PROPOSED * 3


def test_more_trials_later_begin_with_those_that_were_finished(tmp_path: Path) -> None:
    few = search(ledger(tmp_path, trials=4))
    measured: list[str] = []
    more = search(ledger(tmp_path, trials=7), counting(measured))
    assert more[:4] == few
    assert measured == ["0004", "0005", "0006"]


@pytest.mark.slow
def test_an_oracle_learns_that_refused_trials_are_bad(tmp_path: Path) -> None:
    told: list[Any] = []
    book: Ledger = ledger(tmp_path, "bayesian", trials=6, at_once=3)
    tell = book.asked.tell
    book.asked.tell = lambda scores: (told.append(scores), tell(scores))[1]  # type: ignore[func-returns-value,method-assign]

    def measure(row: Trial) -> TrialResult:
        return finished(row) if int(row.trial) % 2 else too_large(row)

    rows = search(book, measure)
    worst = min(row.score for row in rows[:3] if row.score is not None)
    assert told[0] == [worst, worst, worst]
