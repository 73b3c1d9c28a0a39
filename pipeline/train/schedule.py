"""Learning rate against the step, and the optimizers, from their config sections."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from pipeline.arrays import Namespace, Tensor
from pipeline.config.optimizer_schema import (
    Constant,
    Cosine,
    Exponential,
    OneCycle,
    Optimizer,
    Schedule,
    Step,
)
from pipeline.config.train_schema import RateScaling

Rate: TypeAlias = float | Tensor | Callable[[Tensor], Tensor]
"""A learning rate; a Keras schedule, or another function of the steps that are done."""
UNDECAYED = ["bias", "gamma", "beta"]  # decay is for kernels: Loshchilov and Hutter 2019, section 2


def cosine(keras: Namespace, *, peak: float, warmup_steps: int, total_steps: int) -> Any:
    """Return linear warm-up to `peak`, then a half cosine to zero at `total_steps`.

    Loshchilov and Hutter 2017, equation 5 without restarts (arXiv:1608.03983).
    """
    decay_steps = max(1, total_steps - warmup_steps)
    if warmup_steps == 0:
        return keras.optimizers.schedules.CosineDecay(peak, decay_steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps, warmup_target=peak, warmup_steps=warmup_steps
    )


def step(
    keras: Namespace, schedule: Step, peak: float, steps_an_epoch: int, total_steps: int
) -> Any:
    """Return the rate times a factor every few epochs."""
    every = schedule.epochs * steps_an_epoch
    edges = list(range(every, total_steps, every))
    rates = [peak * schedule.factor**number for number in range(len(edges) + 1)]
    # Keras keeps a rate up to and with its edge; a step of ours begins at it.
    edges = [edge - 1 for edge in edges]
    return keras.optimizers.schedules.PiecewiseConstantDecay(edges, rates) if edges else peak


def exponential(
    keras: Namespace, schedule: Exponential, peak: float, steps_an_epoch: int, total_steps: int
) -> Any:
    """Return the rate times a factor an epoch, a little at each step."""
    return keras.optimizers.schedules.ExponentialDecay(peak, steps_an_epoch, schedule.factor)


def one_cycle(
    keras: Namespace, schedule: OneCycle, peak: float, steps_an_epoch: int, total_steps: int
) -> Any:
    """Return a half cosine up to the peak, and one far down (Smith and Topin 2018)."""
    rising = max(1, round(schedule.rise * total_steps))
    falling, first = max(1, total_steps - rising), peak / schedule.start
    last = first / schedule.end

    def rate(done: Tensor) -> Any:
        up = _half_cosine(keras, done / rising, first, peak)
        down = _half_cosine(keras, (done - rising) / falling, peak, last)
        return keras.ops.where(done < rising, up, down)

    return _of_step(keras, rate)


def _half_cosine(keras: Namespace, share: Tensor, start: float, end: float) -> Any:
    """Return the interpolation from start (fraction 0) to end (fraction 1)."""
    turn = keras.ops.cos(math.pi * keras.ops.clip(share, 0.0, 1.0))
    return end + (start - end) * (1 + turn) / 2


def _cosine_of(
    keras: Namespace, schedule: Cosine, peak: float, steps_an_epoch: int, total: int
) -> Any:
    warmup_steps = round(schedule.warmup_epochs * steps_an_epoch)
    return cosine(keras, peak=peak, warmup_steps=warmup_steps, total_steps=total)


def _constant(
    keras: Namespace, schedule: Schedule, peak: float, steps_an_epoch: int, total: int
) -> Any:
    """Return the peak; of a plateau it is lowered by a callback, see history.py."""
    return peak


SCHEDULES: dict[str, Callable[..., Any]] = {
    "cosine": _cosine_of,
    "constant": _constant,
    "step": step,
    "exponential": exponential,
    "one_cycle": one_cycle,
    "plateau": _constant,
}


def rate_factor(scaling: RateScaling | None, batch: int) -> float:
    """Return what rates that were tuned for one batch size are multiplied with for another.

    Linear: Goyal et al. 2017 (arXiv:1706.02677), section 2.1. Square root, for Adam and its kin:
    Malladi et al. 2022 (arXiv:2205.10287), section 5; their rule for the moments is left out.

    Args:
        scaling: the `train.rate_scaling` section; None: rates are as they are.
        batch: samples a step, over all devices.
    """
    if scaling is None:
        return 1.0
    larger = batch / scaling.batch
    return larger if scaling.rule == "linear" else math.sqrt(larger)


def learning_rate(
    keras: Namespace, schedule: Schedule, *, peak: float, steps_an_epoch: int, epochs: int
) -> Any:
    """Return what Keras takes as learning rate for a `train.schedule` section."""
    total, warmup_steps = epochs * steps_an_epoch, 0
    if isinstance(schedule, Constant | Step | Exponential):  # others have a rise of their own
        warmup_steps = round(schedule.warmup_epochs * steps_an_epoch)
    rate = SCHEDULES[schedule.kind](keras, schedule, peak, steps_an_epoch, total - warmup_steps)
    if not warmup_steps:
        return rate
    return after(keras, warmup_steps, lambda done: peak * done / warmup_steps, later=rate)


def after(keras: Namespace, steps: int, first: Rate, *, later: Rate) -> Any:
    """Return a rate that is `first` for some steps, and then begins `later`.

    Args:
        keras: the namespace.
        steps: how many.
        first: a rate, or a function of the steps that are done.
        later: a rate, or a schedule that begins at its own step 0.
    """

    def rate(done: Tensor) -> Any:
        begun = keras.ops.maximum(done - steps, 0.0)
        early = first(done) if callable(first) else first
        return keras.ops.where(done < steps, early, later(begun) if callable(later) else later)

    return _of_step(keras, rate)


def _of_step(keras: Namespace, rate: Callable[[Any], Any]) -> Any:
    """Return the Keras schedule of a function of the steps that are done, float32."""

    class OfStep(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[name-defined]
        def __call__(self, step: Tensor) -> Any:
            return rate(keras.ops.cast(step, "float32"))

    return OfStep()


OPTIMIZERS: dict[str, str] = {
    "adamw": "AdamW",
    "adam": "Adam",
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "lion": "Lion",
    "muon": "Muon",
}
OWN = ("kind", "learning_rate", "clip_norm", "clip_value")  # settings that are not the optimizer's


def optimizer(
    keras: Namespace, settings: Optimizer, rate: Rate, *, ema: float | None = None
) -> Any:
    """Return the optimizer of a `train.optimizer` section; what decays weights decays kernels only.

    Clipping is left to the loop, which does it over all replicas.

    Args:
        keras: the namespace.
        settings: the section.
        rate: a rate or a schedule.
        ema: weight of the old in a running mean of the weights; None: there is none.
    """
    options = {name: value for name, value in settings.model_dump().items() if name not in OWN}
    if settings.kind == "muon":  # what it leaves to AdamW decays as the matrices do
        options |= {"adam_weight_decay": settings.weight_decay}
    if ema is not None:
        options |= {"use_ema": True, "ema_momentum": ema}
    made = getattr(keras.optimizers, OPTIMIZERS[settings.kind])(rate, **options)
    if "weight_decay" in options:
        made.exclude_from_weight_decay(var_names=UNDECAYED)
    return made
