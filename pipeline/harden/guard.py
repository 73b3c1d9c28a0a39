"""Which epoch's weights are kept, and the way back when training on one step collapses.

Both look at the logs of each epoch: `val_clean`, `val_robust` (under PGD) and `val_one_step`, which
are shares of the same validation samples. All that they know is in attributes that the checkpoint
holds, so that a killed run goes on as it would have.
"""

import logging
from collections.abc import Hashable, Mapping
from typing import Any

import keras
import numpy as np

log = logging.getLogger(__name__)

# Training has collapsed when PGD accuracy falls by 0.2 below its best (Wong et al. 2020, section
# 5.1, arXiv:2001.03994), or to half of a small best; or when it does not rise and most of what
# withstands one step does not withstand PGD. Nets that are learning keep 0.4 and more of that: on
# digits at epsilon 0.1 and 0.2, from the first epoch on.
FALL, HALF, QUARTER = 0.2, 0.5, 0.25
CHANCE = 0.05  # what 1,000 samples or fewer may move a share by, seen every epoch


def has_fallen(robust: float, best: float) -> bool:
    """Tell whether PGD accuracy is as far below its best as only a collapse brings it."""
    return robust < best - max(min(FALL, HALF * best), CHANCE)


def is_hollow(robust: float, one_step: float) -> bool:
    """Tell whether what withstands one step is hardly ever robust."""
    return robust < QUARTER * one_step and one_step - robust > FALL


class Keep(keras.callbacks.Callback):
    """Keeps the most robust epoch whose clean accuracy stays near that of the start."""

    def __init__(self, *, floor: float) -> None:
        """Begin with the weights that the model has.

        Args:
            floor: least clean accuracy, in [0, 1].
        """
        super().__init__()
        self.floor = floor
        self.best, self.best_epoch = -1.0, 0
        self.best_weights: list[Any] = []

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Take the weights as they came; they stay where no epoch is clean enough."""
        self.best_weights = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Take the weights of the epoch where they are the most robust so far."""
        if logs["val_clean"] >= self.floor and logs["val_robust"] > self.best:
            self.best, self.best_epoch = logs["val_robust"], epoch + 1
            self.best_weights = self.model.get_weights()

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Give the kept weights back to the model."""
        self.model.set_weights(self.best_weights)


class Guard(keras.callbacks.Callback):
    """Goes back to the most robust epoch when training collapses; then it looks no longer."""

    def __init__(self, *, robust: float, warmup_epochs: float, stops: bool) -> None:
        """Begin with the weights that the model has.

        Args:
            robust: PGD accuracy of the start, in [0, 1].
            warmup_epochs: epochs in which epsilon grows: till then a net may withstand one step
                alone.
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
        """Take the weights as they came."""
        self._take()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Take the weights where they are the most robust so far; else see whether it collapsed."""
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
        """Go back before an epoch where that is due; return whether training has collapsed."""
        if self.is_back_due:
            self._give()
            self.is_back_due = 0
        return self.collapsed_epoch > 0

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Go back where no epoch follows that would begin with it."""
        if self.is_back_due:
            self._give()

    def _collapse(self, epoch: int, robust: float, one_step: float) -> None:
        self.collapsed_epoch, self.is_back_due = epoch + 1, 1
        if self.stops:
            self.model.stop_training = True
        log.warning(
            "          collapsed in epoch %d: accuracy under PGD %.3f, under one step %.3f, and it "
            "was %.3f; back to %s, and %s",
            epoch + 1,
            robust,
            one_step,
            self.best,
            f"epoch {self.best_epoch}" if self.best_epoch else "the start",
            "stop" if self.stops else "on with PGD",
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
