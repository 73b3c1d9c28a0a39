"""Where training stands, on disk: everything that the next step depends on, replaced in one move.

`model.variables` holds the seeds of dropout, which no saved model carries; sums of the epoch's logs
and the state of early stopping are here too, so that a resumed run writes the same history.
"""

import json
import logging
import shutil
import time
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.arrays import Array
from pipeline.artifacts import atomic_path, write_arrays
from pipeline.train.interrupt import is_asked, stop_if_asked
from pipeline.train.workers import is_chief

if TYPE_CHECKING:
    from pipeline.train.loop import Trainer

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.npz"  # in a training's work folder
TRAINED = "trained.npz"  # beside the trials of a search: where the picked one ended
# Of keras.callbacks.EarlyStopping and ReduceLROnPlateau, and of those in harden/epoch_selection.py.
STATE = (
    "best",
    "wait",
    "best_epoch",
    "stopped_epoch",
    "cooldown_counter",
    "collapsed_epoch",
    "is_back_due",
)


@dataclass
class Progress:
    """Epoch and step to make next, sums of this epoch's logs, and rows of finished epochs."""

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    saved_at: float = float("-inf")
    """When the last checkpoint was written; the first is due at once."""

    def add(self, logs: Mapping[str, Any], *, steps: int) -> None:
        """Count `steps` finished steps with their logs, name -> (steps,)."""
        self.step += steps
        for name, values in logs.items():
            for value in (
                values.tolist()
            ):  # one by one, in float64: the sum is the same however calls are cut
                self.sums[name] = self.sums.get(name, 0.0) + value

    def end_epoch(self, logs: Mapping[str, float]) -> None:
        """Keep the epoch's row and go on to the next one."""
        self.history.append({"epoch": self.epoch + 1, **logs})
        self.epoch, self.step, self.sums = self.epoch + 1, 0, {}

    def is_due(self, seconds: float) -> bool:
        """Tell whether the last save is longer ago than that, or the program is asked to end."""
        return is_asked() or time.monotonic() - self.saved_at >= seconds


@dataclass(frozen=True)
class _State:
    """What a checkpoint holds beside its arrays, as JSON."""

    epoch: int
    step: int
    sums: dict[str, float]
    history: list[dict[str, float]]
    stop: bool
    callbacks: list[dict[str, float | int | None]]


def save_checkpoint(
    path: Path, trainer: "Trainer", callbacks: Sequence[Any], *, progress: Progress
) -> None:
    """Write weights, seeds, optimizer, callbacks and position, whole or not at all.

    Of several workers, whose weights are the same, the chief writes.

    Raises:
        KeyboardInterrupt: they are written, and the program was asked to end.
    """
    if is_chief():
        write_arrays(path, arrays_of(trainer, callbacks, progress))
    progress.saved_at = time.monotonic()
    stop_if_asked()


def arrays_of(trainer: "Trainer", callbacks: Sequence[Any], progress: Progress) -> dict[str, Any]:
    """Return weights, seeds, optimizer, callbacks and position: name -> array, or text."""
    state = _State(
        progress.epoch,
        progress.step,
        progress.sums,
        progress.history,
        trainer.model.stop_training,
        [{k: _plain(getattr(c, k)) for k in STATE if hasattr(c, k)} for c in callbacks],
    )
    arrays = {f"variable_{i}": v for i, v in enumerate(_variables(trainer))}
    for i, callback in enumerate(callbacks):
        for j, weights in enumerate(getattr(callback, "best_weights", None) or []):
            arrays[f"best_{i}_{j}"] = weights
    return {"state": json.dumps(vars(state)), **{k: np.asarray(v) for k, v in arrays.items()}}


def load_checkpoint(path: Path, trainer: "Trainer", callbacks: Sequence[Any]) -> Progress:
    """Restore everything that `save_checkpoint` stored; without a complete file nothing changes."""
    trainer.model.stop_training = False
    try:
        saved = _read(path, _variables(trainer))
    except FileNotFoundError:
        return Progress()
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        log.warning("%s: damaged (%s): its epochs are trained again", path, error)
        return Progress()
    return put_back(saved, trainer, callbacks)


def put_back(saved: Mapping[str, Any], trainer: "Trainer", callbacks: Sequence[Any]) -> Progress:
    """Restore trainer and callbacks from the arrays of `arrays_of`, and return the position."""
    state = _State(**json.loads(str(saved["state"])))
    for i, variable in enumerate(_variables(trainer)):
        variable.assign(saved[f"variable_{i}"])
    for i, (callback, values) in enumerate(zip(callbacks, state.callbacks, strict=True)):
        for name, value in values.items():
            setattr(callback, name, value)
        best = [name for name in saved if name.startswith(f"best_{i}_")]
        if best:
            callback.best_weights = [saved[f"best_{i}_{j}"] for j in range(len(best))]
    trainer.model.stop_training = state.stop
    return Progress(state.epoch, state.step, state.sums, state.history)


def _read(path: Path, variables: Sequence[Any]) -> dict[str, Any]:
    """Return the arrays of a checkpoint, all of them read before anything is changed.

    Raises:
        ValueError, KeyError: it is not that of these variables.
    """
    with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
        arrays = {name: saved[name] for name in saved.files}
    json.loads(str(arrays["state"]))
    for i, variable in enumerate(variables):
        if arrays[f"variable_{i}"].shape != tuple(variable.shape):
            raise ValueError(f"variable {i} has another shape")
    return arrays


def take_over(trials: Path, work: Path) -> None:
    """Go on from the end of the trial that `tune` picked, where that was trained in full.

    Args:
        trials: folder of the search; it holds the checkpoint, or none.
        work: folder of the checkpoint of this training; one that is there stays.
    """
    ended, own = trials / TRAINED, work / CHECKPOINT
    if ended.exists() and not own.exists():
        with atomic_path(own) as partial:
            shutil.copyfile(ended, partial)


def _variables(trainer: "Trainer") -> list[Any]:
    return [*trainer.model.variables, *trainer.optimizer.variables]


def _plain(value: float | int | Array | None) -> float | int | None:
    return value if value is None or isinstance(value, int) else float(value)
