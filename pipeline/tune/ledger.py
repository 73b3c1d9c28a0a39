"""The search's ledger: its trials, the workers on them, and the results.

Scores reach the oracle by whole batches and in order, so that what is tried depends neither on the
clock nor on how many work. What came of a trial lies in a file of its own, written in one move: a
search that was killed asks the oracle everything again, and has the scores from the ledger.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.artifacts import sha256_json
from pipeline.documents.trials import Trial, TrialResult
from pipeline.tune.oracles import Asked

SILENT_S = 30.0  # after which a worker counts as dead: fifteen of its signs of life
DEATHS = 3  # workers that die over a trial before it counts as failed
PROPOSED = 10  # trials proposed for one that is trained, at most: the rest lie beyond the limits
WAIT, OVER = "wait", "over"


@dataclass
class Open:
    """A trial that is not finished."""

    trial: Trial
    worker: str | None = None
    heard: float = 0.0
    """When its worker was last heard of."""
    deaths: int = 0


@dataclass
class Ledger:
    """The search, shared by all its workers; every method may be called from any thread."""

    asked: Asked
    key: str
    """Hash of all but values and epochs that decides what comes of a trial."""
    folder: Path
    """Of the finished trials."""
    trials: int | None
    """Trials to train; None: as many as the oracle has."""
    at_once: int | None
    """Trials in a batch; None: all that are left."""
    sign: int
    """1 where more is better, -1 where less is."""
    on_end: Callable[["Ledger", TrialResult, bool], None] = lambda ledger, row, is_new: None
    """Called with every trial that ends; for those that were finished before, is_new is False."""
    now: Callable[[], float] = time.monotonic
    rows: list[TrialResult] = field(default_factory=list)
    """Finished trials, in order of their numbers; of the last batch, in order of their end."""
    _batch: list[Trial] = field(default_factory=list)
    _open: dict[str, Open] = field(default_factory=dict)
    _proposed: int = 0
    _is_over: bool = False
    _lock: Any = field(default_factory=threading.RLock)

    def take(self, worker: str) -> Trial | str:
        """Return a trial to work on; or WAIT, or OVER.

        A worker that asks again has given up what it had; the trial of a silent one goes on.
        """
        with self._lock:
            self._go_on()
            if self._is_over:
                return OVER
            self._give_back(lambda entry: entry.worker == worker, died=False)
            late = self.now() - SILENT_S
            self._give_back(lambda entry: entry.heard < late, died=True)
            self._go_on()
            for entry in self._open.values():
                if entry.worker is None:
                    entry.worker, entry.heard = worker, self.now()
                    return entry.trial
            return OVER if self._is_over else WAIT

    def hear(self, trial: str) -> None:
        """Note that a trial is being worked on."""
        with self._lock:
            if trial in self._open:
                self._open[trial].heard = self.now()

    def end(self, row: TrialResult) -> None:
        """Store the result of a trial; a second result of the same trial is ignored."""
        with self._lock:
            if self._open.pop(row.trial, None) is not None:
                row.write(self._file(row))
                self._count(row, is_new=True)
                self._take_finished()
            self._go_on()

    def lose(self, worker: str) -> None:
        """Give back what a worker had, as it died."""
        with self._lock:
            self._give_back(lambda entry: entry.worker == worker, died=True)

    def is_over(self) -> bool:
        """Tell whether all trials are finished."""
        with self._lock:
            self._go_on()
            return self._is_over

    def trials_left(self) -> int | None:
        """Return how many trials are still to be finished; None: it is not known."""
        with self._lock:
            if self.trials is None or self._is_over:
                return len(self._open)
            return max(len(self._open), self.trials - self._trained())

    def _give_back(self, is_lost: Callable[[Open], bool], *, died: bool) -> None:
        """Make trials free again; one that several workers died over is finished by that."""
        for entry in list(self._open.values()):
            if entry.worker is None or not is_lost(entry):
                continue
            entry.worker, entry.deaths = None, entry.deaths + died
            if entry.deaths >= DEATHS:
                reason = f"{DEATHS} workers died over it, or fell silent for {SILENT_S:g} s"
                self.end(TrialResult(**dict(entry.trial), reason=reason))

    def _go_on(self) -> None:
        """Ask for the next trials while all that were asked for are finished."""
        while not self._open and not self._is_over:
            if self._batch:
                self._deliver()
            count = self._wanted()
            found = self.asked.propose(count) if count is None or count > 0 else []
            self._is_over = not found
            self._proposed += len(found)
            self._batch = list(found)
            self._open = {row.trial: Open(row) for row in found}
            self._take_finished()

    def _take_finished(self) -> None:
        """Reuse known results of open trials: earlier ones, or those of an equal trial."""
        for name, entry in list(self._open.items()):
            path = self._file(entry.trial)
            if path.exists():
                del self._open[name]
                known = TrialResult.read(path)
                self._count(known.model_copy(update={"trial": name}), is_new=False)

    def _wanted(self) -> int | None:
        """Return how many trials to ask for; None: as many as there are."""
        if self.trials is None:
            return self.at_once
        left = self.trials - self._trained()
        left = min(left, PROPOSED * self.trials - self._proposed)
        return left if self.at_once is None else min(left, self.at_once)

    def _trained(self) -> int:
        """Return how many trials were trained, or tried to."""
        return sum(not row.exceeds_limits for row in self.rows)

    def _deliver(self) -> None:
        """Tell the oracle what came of the batch.

        A trial that was refused counts as bad as the worst one that was not: an oracle that knew
        nothing of it would propose the like again and again.
        """
        done = {row.trial: row for row in self.rows}
        scores = [row.score for row in self.rows if row.score is not None]
        worst = min(scores, key=lambda score: self.sign * score) if scores else None
        told = [done[row.trial].score for row in self._batch]
        self.asked.tell([worst if score is None else score for score in told])
        self.rows.sort(key=lambda row: row.trial)
        self._batch = []

    def _count(self, row: TrialResult, *, is_new: bool) -> None:
        self.rows.append(row)
        self.on_end(self, row, is_new)

    def _file(self, row: Trial) -> Path:
        return self.folder / f"{name_of(row, self.key)}.json"


def name_of(row: Trial, key: str) -> str:
    """Return what a trial's files are called: the same trial, the same name."""
    return sha256_json([key, row.values, row.epochs])[:16]
