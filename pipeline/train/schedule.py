"""Learning rate against the step, and the optimizers, from their config sections."""

from typing import Any

UNDECAYED = ["bias", "gamma", "beta"]  # decay is for kernels: Loshchilov and Hutter 2019, section 2


def cosine(keras: Any, *, peak: float, warmup_steps: int, total_steps: int) -> Any:
    """Return linear warm-up to `peak`, then a half cosine to zero at `total_steps`.

    Loshchilov and Hutter 2017, equation 5 without restarts (arXiv:1608.03983).
    """
    decay_steps = max(1, total_steps - warmup_steps)
    if warmup_steps == 0:
        return keras.optimizers.schedules.CosineDecay(peak, decay_steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps, warmup_target=peak, warmup_steps=warmup_steps
    )


def learning_rate(
    keras: Any, schedule: Any, *, peak: float, steps_an_epoch: int, epochs: int
) -> Any:
    """Return what Keras takes as learning rate for a `train.schedule` section."""
    if schedule.kind == "constant":
        return peak
    warmup_steps = round(schedule.warmup_epochs * steps_an_epoch)
    return cosine(keras, peak=peak, warmup_steps=warmup_steps, total_steps=epochs * steps_an_epoch)


def after(keras: Any, steps: int, first: float, later: Any) -> Any:
    """Return a rate that is `first` for some steps, and then begins `later`.

    Args:
        keras: the namespace.
        steps: how many.
        first: a rate.
        later: a rate, or a schedule that begins at its own step 0.
    """

    class After(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> Any:
            done = keras.ops.cast(step, "float32") - steps
            rate = later(keras.ops.maximum(done, 0.0)) if callable(later) else later
            return keras.ops.where(done < 0, first, rate)

    return After()


def optimizer(keras: Any, settings: Any, rate: Any) -> Any:
    """Return the optimizer of a `train.optimizer` section; AdamW decays kernels only.

    Clipping is left to the loop, which does it over all replicas.
    """
    if settings.kind == "sgd":
        return keras.optimizers.SGD(rate, momentum=settings.momentum)
    made = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
    made.exclude_from_weight_decay(var_names=UNDECAYED)
    return made
