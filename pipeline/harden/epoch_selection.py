"""Selection of the epoch whose weights are kept, and recovery from a collapse of fast training.

Both look at the logs of each epoch: `val_clean`, `val_robust` (under PGD) and `val_one_step`, which
are accuracies on the same validation samples. Their state is in attributes that the checkpoint
holds, so that a killed run continues as it would have.
"""

import logging
from collections.abc import Hashable, Mapping
from typing import Any

import keras
import numpy as np

log = logging.getLogger(__name__)

# Training has collapsed when PGD accuracy falls by 0.2 below its best (Wong et al. 2020, section
# 5.1, arXiv:2001.03994), or to half of a small best; or when it does not rise and most of what
# is correct under one step is wrong under PGD. Nets that still train keep 0.4 and more of that: on
# digits at epsilon 0.1 and 0.2, from the first epoch on.
FALL, HALF, QUARTER = 0.2, 0.5, 0.25
CHANCE = 0.05  # by which an accuracy on 1,000 samples or fewer may vary from epoch to epoch


def has_fallen(robust: float, best: float) -> bool:
    """Tell whether PGD accuracy is so far below its best that training has collapsed."""
    return robust < best - max(min(FALL, HALF * best), CHANCE)


def is_hollow(robust: float, one_step: float) -> bool:
    """Tell whether PGD accuracy is far below the accuracy under one step."""
    return robust < QUARTER * one_step and one_step - robust > FALL


class Keep(keras.callbacks.Callback):
    """Keeps the most robust epoch whose clean accuracy stays near that of the start."""

    def __init__(self, *, floor: float) -> None:
        """Start with the weights of the model.

        Args:
            floor: least clean accuracy, in [0, 1].
        """
        super().__init__()
        self.floor = floor
        self.best, self.best_epoch = -1.0, 0
        self.best_weights: list[Any] = []

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Take the initial weights; they stay where no epoch is clean enough."""
        self.best_weights = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Take the weights of the epoch where they are the most robust so far."""
        if logs["val_clean"] >= self.floor and logs["val_robust"] > self.best:
            self.best, self.best_epoch = logs["val_robust"], epoch + 1
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Restore the kept weights."""
        self.model.set_weights(self.best_weights)


class Guard(keras.callbacks.Callback):
    """Restores the most robust epoch when training collapses, once."""

    def __init__(self, *, robust: float, warmup_epochs: float, stops: bool) -> None:
        """Start with the weights of the model.

        Args:
            robust: PGD accuracy of the start, in [0, 1].
            warmup_epochs: epochs in which epsilon grows: until then accuracy under PGD may be low.
            stops: whether training ends when it has gone back.
        """
        super().__init__()
        self.warmup_epochs, self.stops = warmup_epochs, stops
        self.best, self.best_epoch = robust, 0
        self.collapsed_epoch = 0
        """Counted from 1; 0: none."""
        self.is_back_due = 0
        self.best_weights: list[Any] = []

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Take the initial weights."""
        self._take()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Take the weights where they are the most robust so far; else test for a collapse."""
        if self.collapsed_epoch:
            return
        robust, one_step = logs["val_robust"], logs["val_one_step"]
        is_stuck = robust <= self.best and epoch + 1 > self.warmup_epochs
        if has_fallen(robust, self.best) or (is_stuck and is_hollow(robust, one_step)):
            self._collapse(epoch, robust, one_step)
        elif robust >= self.best:
            self.best, self.best_epoch = robust, epoch + 1
            self._take()

    def phase(self, epoch: int) -> Hashable:
        """Restore before an epoch where that is due; return whether training has collapsed."""
        if self.is_back_due:
            self._give()
            self.is_back_due = 0
        return self.collapsed_epoch > 0

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Restore where no epoch follows."""
        if self.is_back_due:
            self._give()

    def _collapse(self, epoch: int, robust: float, one_step: float) -> None:
        self.collapsed_epoch, self.is_back_due = epoch + 1, 1
        if self.stops:
            self.model.stop_training = True
        log.warning(
            "          collapsed in epoch %d: accuracy under PGD %.3f (best %.3f), under one step "
            "%.3f; restored %s, then %s",
            epoch + 1,
            robust,
            self.best,
            one_step,
            f"epoch {self.best_epoch}" if self.best_epoch else "the start",
            "stop" if self.stops else "continue with PGD",
        )

    def _take(self) -> None:
        self.best_weights = [np.array(variable) for variable in self._variables()]

    def _give(self) -> None:
        for variable, value in zip(self._variables(), self.best_weights, strict=True):
            variable.assign(value)

    def _variables(self) -> list[Any]:
        """Return weights and the optimizer's moments; the count of steps goes on."""
        optimizer = self.model.optimizer
        moments = [v for v in optimizer.variables if v is not optimizer.iterations]
        return [*self.model.variables, *moments]
