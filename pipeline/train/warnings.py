"""WARNINGS: what goes wrong in a training, each with its cure. Pure; probe.py measures.

A rule takes the evidence after an epoch, and returns a warning or None. Warnings at the end are
stored; those on the way are shown once.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.documents.training import Warned
from pipeline.train.probe import Form, Signs

DEAD = 0.75  # fraction of a layer's units; while training, a healthy net of 16 units had 0.62
VANISHED = 1e-3  # gradient of the first layer against the largest; healthy nets of ours have 0.04
FORGOTTEN = 1e-6  # gradient at the first steps of a sequence against that at the best one
EXPLODED = 1e3  # norm of the gradient; losses are of the order of one, and so are their gradients
STUCK_EPOCHS, STUCK = 3, 0.01  # fraction of the loss that the best of so many epochs has removed
CHANCE = 0.02  # gain over the best constant prediction that counts as having learned something
GROWN, AFTER = 1.15, 3  # validation loss against its least, and epochs since
MATTERS = 0.1  # times the loss of a constant prediction: below, a few confident errors explain it
ROSE, BACK = 1.02, 1.25  # a loss against the epoch before, and against the least so far
WILD, WON = 0.4, 0.2  # fraction of epochs that rose, and of the loss that all of them removed
SMALL = 0.3  # a loss below this fraction of the first may vary
WORSE = 1.5  # a loss relative to that of a constant prediction
STRAIGHT, WORTH = 0.7, 0.03  # second half's fall against the first's, and against the loss
LEFT = 0.5  # of the first loss: below it a net has learned, however steadily
ENOUGH, LATE = 4, 0.9  # epochs to judge by, and fraction of all: many nets begin slowly
SQUASHED = 4  # layers with sigmoid or tanh: their slopes are at most 1/4 and 1
DEEP = 6  # hidden layers with weights
LARGE = 10.0  # of inputs, in root mean square
MARGIN = 0.01  # fraction of targets that an output layer may not reach


@dataclass(frozen=True)
class Evidence:
    """All that is known of a training after an epoch."""

    rows: Sequence[Mapping[str, float]]
    """Logs of finished epochs: loss, val_loss, val_…."""
    signs: Signs
    form: Form
    settings: Any
    """The `train` section."""
    metric: str
    """Name of the validation metric in the rows."""
    sign: int
    """1 where more of the metric is better, else -1."""
    chance: float | None
    """The metric of the best constant prediction; None for a detector, which has none."""
    constant: float
    """The loss of the best constant prediction."""
    unreachable: float
    """Fraction of the targets that the last layer cannot output, in [0, 1]."""

    @property
    def losses(self) -> list[float]:
        """Training loss of each epoch."""
        return [row["loss"] for row in self.rows]

    @property
    def validation_losses(self) -> list[float]:
        """Validation loss of each epoch."""
        return [row["val_loss"] for row in self.rows]


Found = tuple[str, str] | None


def warnings_of(evidence: Evidence) -> list[Warned]:
    """Return what goes wrong, with its cure."""
    found = ((code, rule(evidence)) for code, rule in WARNINGS.items())
    return [
        Warned(code=code, text=told[0], cure=told[1]) for code, told in found if told is not None
    ]


def _dead_relu(e: Evidence) -> Found:
    """Units that a large step has pushed below zero for every sample get no gradient any more.

    Maas et al. 2013, "Rectifier nonlinearities improve neural network acoustic models".
    """
    dead = {name: share for name, share in e.signs.dead.items() if share >= DEAD}
    if not dead:
        return None
    worst = max(dead, key=lambda name: dead[name])
    return (
        f"{dead[worst]:.0%} of the units of {worst} are 0 for every sample and learn no more "
        f"(dead ReLU; {len(dead)} of {len(e.signs.dead)} rectified layers are so)",
        f"lower train.optimizer.learning_rate (now {_rate(e)}), set model.activation: leaky_relu, "
        "or model.batch_norm: true where the family has it; if validation is good, use fewer units",
    )


def _vanishing(e: Evidence) -> Found:
    """Hochreiter 1991; Glorot and Bengio 2010, section 4."""
    largest = max(e.signs.gradients.values(), default=0.0)
    if any(share == 1 for share in e.signs.dead.values()) or not largest:
        return None  # reported as dead
    first = next(iter(e.signs.gradients))
    if e.signs.gradients[first] < VANISHED * largest:
        return (
            f"the gradient of {first} is {e.signs.gradients[first] / largest:.0e} of the largest: "
            "the first layers hardly learn (vanishing gradient)",
            "set model.activation: relu, model.batch_norm: true where the family has it, use fewer "
            "layers, or a family with shortcuts (resnet8)",
        )
    for name, share in e.signs.through_time.items():
        if share < FORGOTTEN:
            return (
                f"the gradient of {name} at the first steps of a sequence is {share:.0e} of that "
                "at the best step: early steps are not learned from (vanishing gradient)",
                "set model.cell: lstm or gru, shorten the window, or use cnn1d or transformer",
            )
    return None


def _exploding(e: Evidence) -> Found:
    """Pascanu et al. 2013 (arXiv:1211.5063), section 2."""
    if e.signs.norm < EXPLODED:
        return None
    return (
        f"the norm of the gradient is {e.signs.norm:.3g} (exploding gradient)",
        f"set train.optimizer.clip_norm: 1.0, lower learning_rate (now {_rate(e)}), or set "
        "model.batch_norm: true where the family has it",
    )


def _stuck(e: Evidence) -> Found:
    losses = e.losses
    if len(losses) < STUCK_EPOCHS or losses[0] - min(losses) >= STUCK * abs(losses[0]):
        return None
    reached = e.rows[-1][e.metric]
    if e.chance is not None and e.sign * (reached - e.chance) >= CHANCE:
        return None  # it was learned within the first epoch
    beside = (
        ""
        if e.chance is None
        else f", and {e.metric} {reached:.3g} is that of a constant prediction"
    )
    return (
        f"the loss does not move: {losses[0]:.4g} in the first epoch, {min(losses):.4g} at best in "
        f"{len(losses)}{beside}",
        f"set train.range_test: true, which finds a rate (now {_rate(e)}); then look whether "
        "labels belong to their samples: report.html shows some of each class",
    )


def _overfitting(e: Evidence) -> Found:
    """Prechelt 1998, "Early stopping: but when?"."""
    losses, validated = e.losses, e.validation_losses
    best = min(range(len(validated)), key=lambda i: validated[i])
    last, then = e.rows[-1], e.rows[best]
    if e.settings.early_stopping is not None or len(validated) - 1 - best < AFTER:
        return None
    is_better = e.chance is not None and e.sign * (last[e.metric] - then[e.metric]) > 0
    is_apart = (
        validated[-1] > GROWN * max(validated[best], losses[-1])
        and validated[-1] - validated[best] > MATTERS * e.constant
    )
    if not is_apart or losses[-1] >= losses[best] or is_better:
        return None
    return (
        f"over-fitting: since epoch {best + 1} the validation loss rose from "
        f"{validated[best]:.4g} to {validated[-1]:.4g} while the training loss fell from "
        f"{losses[best]:.4g} to {losses[-1]:.4g}",
        "set train.early_stopping: {patience: 10}, model.dropout: 0.3, data.augment or more "
        "weight_decay, or use a smaller network",
    )


def _rate_high(e: Evidence) -> Found:
    losses = e.losses
    if len(losses) < STUCK_EPOCHS:
        return None
    cure = (
        f"the learning rate {_rate(e)} is too high: try a third, set train.range_test: true, a "
        "schedule with warmup_epochs, or optimizer.clip_norm: 1.0"
    )
    least = losses[-1]
    if e.settings.class_weights is None:  # else validation counts the classes otherwise
        least = min(least, e.validation_losses[-1])
    if e.constant and least > WORSE * e.constant:
        return f"the loss is {least:.4g}, above a constant prediction's {e.constant:.4g}", cure
    if losses[-1] < SMALL * losses[0]:
        return None
    pairs = list(itertools.pairwise(losses))
    rose = sum(after > ROSE * before for before, after in pairs) / len(pairs)
    is_wild = rose >= WILD and losses[0] - losses[-1] < WON * losses[0]
    if losses[-1] < BACK * min(losses) and not is_wild:
        return None
    return (
        f"the training loss rises: {losses[-1]:.4g} after {min(losses):.4g}, and {rose:.0%} of "
        "the epochs ended above the one before",
        cure,
    )


def _rate_low(e: Evidence) -> Found:
    losses = e.losses[round(getattr(e.settings.schedule, "warmup_epochs", 0)) :]
    is_early = len(losses) < ENOUGH or len(e.rows) < LATE * e.settings.epochs
    if is_early or losses[-1] < LEFT * losses[0]:
        return None
    middle = losses[len(losses) // 2]
    first, second = losses[0] - middle, middle - losses[-1]
    if second < max(STRAIGHT * first, WORTH * losses[0]) or _stuck(e) or _rate_high(e):
        return None
    return (
        f"the training loss still falls as fast as it began: {losses[0]:.4g}, {middle:.4g}, "
        f"{losses[-1]:.4g}",
        f"the learning rate {_rate(e)} is too low for {e.settings.epochs} epochs: try three times "
        "as much, set train.range_test: true, or train longer",
    )


def _loss_output(e: Evidence) -> Found:
    if e.settings.loss == "perceptron" and e.form.weighted:
        return (
            f"train.loss: perceptron on a net with hidden layers ({', '.join(e.form.weighted)}): "
            "it is 0 where a sample is right by however little, and nothing is learned from it",
            "set train.loss: categorical_crossentropy",
        )
    if e.unreachable > MARGIN:
        return (
            f"the last layer ends with {e.form.ending} and cannot give {e.unreachable:.0%} of the "
            "targets",
            "end the network with a layer without activation, or bring its inputs into that range "
            "(model.scale, model.offset)",
        )
    return None


def _squashing(e: Evidence) -> Found:
    """Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward …"."""
    if len(e.form.squashing) < SQUASHED:
        return None
    return (
        f"{len(e.form.squashing)} hidden layers end with a sigmoid or tanh: each makes the "
        "gradient smaller on its way to the first",
        "set model.activation: relu, or gelu",
    )


def _no_norm(e: Evidence) -> Found:
    """Ioffe and Szegedy 2015 (arXiv:1502.03167); LeCun et al. 1998, "Efficient BackProp"."""
    if e.signs.seen > LARGE:
        return (
            f"the first layer is given numbers of size {e.signs.seen:.3g}",
            "bring them near 1: model.scale and model.offset scale the network's inputs, or "
            "begin it with a normalization",
        )
    if len(e.form.weighted) < DEEP or e.form.is_normalized:
        return None
    return (
        f"{len(e.form.weighted)} hidden layers and no normalization between them",
        "set model.batch_norm: true where the family has it, or put BatchNormalization into your "
        "own network",
    )


WARNINGS: dict[str, Callable[[Evidence], Found]] = {
    "dead_relu": _dead_relu,
    "vanishing_gradient": _vanishing,
    "exploding_gradient": _exploding,
    "loss_not_moving": _stuck,
    "over_fitting": _overfitting,
    "rate_too_high": _rate_high,
    "rate_too_low": _rate_low,
    "loss_and_output": _loss_output,
    "sigmoid_in_depth": _squashing,
    "no_normalization": _no_norm,
}


def _rate(e: Evidence) -> str:
    return f"{e.settings.optimizer.learning_rate:g}"
