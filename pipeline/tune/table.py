"""What a search shows while it runs, and its table as a file: rank, metric, costs, time left."""

import contextlib
import csv
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.console import Console
from rich.live import Live
from rich.table import Table
from tensorboard.plugins.hparams import summary_v2

from pipeline.documents.trials import TrialResult
from pipeline.terminal import has_bars
from pipeline.tune.cost import NAMES
from pipeline.tune.goal import rank_trials
from pipeline.tune.ledger import Ledger

log = logging.getLogger(__name__)

SHOWN = 12  # best trials in the live table


@contextlib.contextmanager
def training_unsaid() -> Iterator[None]:
    """Keep the lines of every training back while the block runs, but for warnings."""
    training = logging.getLogger("pipeline.train")
    training.setLevel(logging.WARNING)
    try:
        yield
    finally:
        training.setLevel(logging.NOTSET)


@dataclass
class Watch:
    """Shows every trial that ends: in a table on a terminal, in a plain line elsewhere."""

    metric: str
    direction: str
    began: float = field(default_factory=time.monotonic)
    measured: int = 0
    """Trials that ended since; those that were finished before took no time."""
    rows: list[TrialResult] = field(default_factory=list)
    live: Any = None

    def __call__(self, ledger: Ledger, row: TrialResult, is_new: bool) -> None:
        """Show what came of a trial."""
        self.rows = list(ledger.rows)
        self.measured += is_new and not row.exceeds_limits
        left = self._left(ledger)
        if self.live is not None:
            self.live.update(self._table(left))
            return
        place = 1 + [r.trial for r in rank_trials(self.rows, self.direction)].index(row.trial)
        said = f"refused: {row.reason}" if row.score is None else self._said(row)
        rank = "" if row.score is None else f"  rank {place}/{len(self.rows)}"
        rank += "" if is_new else "  (finished before)"
        log.info("          trial %s%s  %s  %s%s", row.trial, rank, said, _values(row), left)

    @contextlib.contextmanager
    def show_table(self) -> Iterator[None]:
        """Show the table while the block runs, where there is a terminal."""
        with training_unsaid():
            if not has_bars():
                yield
                return
            console = Console(stderr=True)
            with Live(self._table(""), console=console, refresh_per_second=2) as self.live:
                yield
            self.live = None

    def _left(self, ledger: Ledger) -> str:
        """Return the time that is left, if the rest takes as long as what was done."""
        count = ledger.trials_left()
        if not count or not self.measured:
            return ""
        minutes = (time.monotonic() - self.began) / self.measured * count / 60
        return f"  {minutes:.0f} min left" if minutes >= 1 else "  less than a minute left"

    def _said(self, row: TrialResult) -> str:
        costs = row.costs
        parts = [f"{self.metric} {row.score:.4f}", f"{row.known_cost('bytes') / 1000:.1f} kB"]
        if costs.get("latency_ms") is not None:
            parts.append(f"{costs['latency_ms']:.3g} ms")
        return "  ".join(parts)

    def _table(self, left: str) -> Table:
        table = Table(caption=f"{len(self.rows)} trials{left}")
        for name in ("rank", "trial", self.metric, "kB", "ms", "values"):
            table.add_column(name)
        for rank, row in enumerate(rank_trials(self.rows, self.direction)[:SHOWN], 1):
            if row.score is None:
                table.add_row("–", row.trial, "refused", "–", "–", row.reason)
                continue
            latency, size = row.costs.get("latency_ms"), row.costs["bytes"]
            assert size is not None  # of every file that is made
            table.add_row(
                str(rank),
                row.trial,
                f"{row.score:.4f}",
                f"{size / 1000:.1f}",
                "–" if latency is None else f"{latency:.3g}",
                _values(row),
            )
        return table


def _values(row: TrialResult) -> str:
    return "  ".join(
        f"{path} {value:.4g}" if isinstance(value, float) else f"{path} {value}"
        for path, value in row.values.items()
    )


def write_csv(path: Path, rows: Sequence[TrialResult], names: Sequence[str]) -> None:
    """Write a line a trial, best first.

    Args:
        path: of the file.
        rows: ranked.
        names: paths of the space; a value that a trial has not is left empty.
    """
    costs = [name for name in NAMES if any(name in row.costs for row in rows)]
    measured = ("metric_drop", "agreement", "robust_accuracy")
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["rank", "trial", "epochs", "score", *costs, *measured, *names, "reason"])
        for rank, row in enumerate(rows, 1):
            values = [row.values.get(name) for name in names]
            own = [row.costs.get(name) for name in costs] + [getattr(row, n) for n in measured]
            start = [rank, row.trial, row.epochs, row.score]
            writer.writerow([*start, *own, *values, row.reason])


def write_hparams(folder: Path, rows: Sequence[TrialResult], metric: str) -> None:
    """Write a run a trial below `folder`; refused trials have no metrics and are left out.

    Args:
        folder: of TensorBoard logs.
        rows: of the ledger.
        metric: name of the score.
    """
    for row in rows:
        if row.score is None:
            continue
        values = {path: _plain(value) for path, value in row.values.items()}
        measured = {metric: row.score, **row.costs}
        writer = tf.summary.create_file_writer(str(folder / row.trial))
        with writer.as_default():
            summary_v2.hparams(values | {"epochs": row.epochs}, trial_id=row.trial)
            for name, value in measured.items():
                if value is not None:
                    tf.summary.scalar(f"trial/{name}", float(value), step=row.epochs)
        writer.close()


def _plain(value: object) -> Any:
    """Return a value as the page takes it: a number, a word or true or false."""
    return value if isinstance(value, int | float | str | bool) else str(value)
