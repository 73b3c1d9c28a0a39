"""What training shows and keeps: history.csv, a progress bar or plain lines, TensorBoard."""

import csv
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from pipeline.config.schema import Train
from pipeline.terminal import event, is_plain
from pipeline.train.freeze import frozen_epochs
from pipeline.train.workers import is_chief

log = logging.getLogger(__name__)

WIDTH = 24  # signs of the bar
EMPTY = ("epoch",)  # columns where nothing was trained


def write_history(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write a header and a line an epoch; numbers in full: equal runs give equal bytes."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0] if rows else EMPTY), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def watchers(out: Path, settings: Train | None = None, *, is_shown: bool = True) -> list[Any]:
    """Return the Keras callbacks of a training.

    Args:
        out: the stage's folder; TensorBoard logs go below it.
        settings: the `train` section, for early stopping and a plateau schedule; None: only
            progress and TensorBoard.
        is_shown: whether to show the progress.
    """
    logs = keras.callbacks.Callback()  # stands in its place where another worker writes
    if is_chief():
        logs = keras.callbacks.TensorBoard(out / "tensorboard", write_graph=False, profile_batch=0)
    callbacks = [ShowProgress(is_shown=is_shown and is_chief()), logs]
    if settings is not None and settings.schedule.kind == "plateau":
        schedule = settings.schedule
        callbacks.append(
            keras.callbacks.ReduceLROnPlateau(
                "val_loss", mode="min", factor=schedule.factor, patience=schedule.patience
            )
        )
    if settings is not None and settings.early_stopping is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_loss",
                mode="min",
                patience=settings.early_stopping.patience,
                restore_best_weights=True,
                start_from_epoch=frozen_epochs(settings.freeze),
            )
        )
    return callbacks


class ShowProgress(keras.callbacks.Callback):
    """A bar with rate and time left on a terminal; one plain line an epoch elsewhere."""

    def __init__(self, *, is_shown: bool = True) -> None:
        """Show it, or nothing at all."""
        super().__init__()
        self._is_shown = is_shown

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Look where the progress goes."""
        self._epoch = 0
        self._began: tuple[float, int] | None = None
        self._is_terminal = self._is_shown and sys.stderr.isatty() and is_plain()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Keep the epoch's number, for the bar."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Draw the bar anew; the clock starts at the first call, when the graph is built."""
        if not self._is_terminal:
            return
        steps, epochs = self.params["steps"], self.params["epochs"]
        done, now = self._epoch * steps + batch + 1, time.monotonic()
        if self._began is None:
            self._began = now, done
        started, first = self._began
        rate = (done - first) / max(now - started, 1e-9)
        timed = f"{rate:.0f} steps/s  {(epochs * steps - done) / rate:.0f} s left" if rate else ""
        drawn = round(WIDTH * done / (epochs * steps))
        bar = "━" * drawn + "╌" * (WIDTH - drawn)
        loss = f"loss {logs['loss']:.4f}" if logs else ""
        sys.stderr.write(
            f"\r          {bar} epoch {self._epoch + 1}/{epochs}  {timed}  {loss}\x1b[K"
        )
        sys.stderr.flush()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the epoch's line."""
        if not self._is_shown:
            return
        shown = "  ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items())
        if self._is_terminal:
            sys.stderr.write("\r\x1b[K")
        told = (epoch + 1, self.params["epochs"], shown)
        facts = {name: float(value) for name, value in (logs or {}).items()}
        numbered = event("epoch", epoch=told[0], epochs=told[1], metrics=facts)
        log.info("          epoch %d/%d  %s", *told, extra=numbered)
