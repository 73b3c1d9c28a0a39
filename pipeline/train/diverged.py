"""A loss or weights that are no numbers any more: stop, keep the last good weights, say what to do.

Weights are looked at before each checkpoint, so that what a checkpoint holds is always good.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from pipeline.errors import ConfigError
from pipeline.models.save import save_keras
from pipeline.train.checkpoint import CHECKPOINT, load_checkpoint
from pipeline.train.workers import is_chief

if TYPE_CHECKING:
    from pipeline.train.loop import Trainer

Result = TypeVar("Result")

LAST_GOOD = "last_good.keras"  # beside the checkpoint


class Diverged(ConfigError):
    """The loss is no longer a number."""


def refuse_bad(trainer: "Trainer", values: Sequence[Any], epoch: int, *, step: int) -> None:
    """Stop where a loss or a weight is no finite number.

    Args:
        trainer: of the training; its rate key is named in the message.
        values: losses, or weights.
        epoch: counted from 0.
        step: counted from 0.

    Raises:
        Diverged: says where, and what to do.
    """
    real = (np.asarray(value) for value in values)
    if not all(np.isfinite(value).all() for value in real if value.dtype.kind == "f"):
        clip = ", or set train.optimizer.clip_norm: 1.0" if trainer.clip_norm is None else ""
        raise Diverged(
            f"the loss is no longer a number at epoch {epoch + 1}, step {step + 1}: the learning "
            f"rate is too high for this net. Lower {trainer.rate_key} (try a tenth){clip}"
        )


def keeping_last_good(fit: Callable[..., Result]) -> Callable[..., Result]:
    """Write the model of the last checkpoint where `fit(trainer, …, callbacks, work)` diverges."""

    @functools.wraps(fit)
    def kept(
        trainer: "Trainer",
        *arguments: object,
        callbacks: Sequence[Any],
        work: Path,
        **named: object,
    ) -> Result:
        try:
            return fit(trainer, *arguments, callbacks=callbacks, work=work, **named)
        except Diverged as error:
            if not is_chief() or not (work / CHECKPOINT).exists():
                raise
            at = load_checkpoint(work / CHECKPOINT, trainer, callbacks)
            save_keras(trainer.model, work / LAST_GOOD)
            raise Diverged(
                f"{error}. The weights of epoch {at.epoch + 1}, step {at.step} are kept in "
                f"{work / LAST_GOOD}, until the config changes"
            ) from None

    return kept
