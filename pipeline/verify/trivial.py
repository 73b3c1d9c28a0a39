"""What takes no model: constant predictions and, of a series, its value one season ago.

A file that is no better than the best of them does not ship: see `pipeline.gate.gates`.
"""

import numpy as np

from pipeline.arrays import Array, Arrays, only, take
from pipeline.tasks.intervals import bootstrap
from pipeline.tasks.task import Task
from pipeline.verify.held import Held
from pipeline.verify.seasonal import SeasonalNaive, windows_of

RESAMPLES = 1000  # as of the metric drop: see parity.py
FITTED = 20_000  # training windows by which a season is found; more find no other


def score_trivial(held: Held) -> dict[str, float]:
    """Return what each prediction without a model is called -> the task's metric of it.

    The train split says what is predicted.
    """
    dataset, count = held.dataset, len(held.positions)
    train = dataset.split("train")
    classes = len(dataset.class_names or ())
    found = {
        name: np.tile(np.asarray(row, np.float64), (count, 1))
        for name, row in held.task.constants(np.asarray(dataset.labels[train]), classes).items()
    }
    target = dataset.preprocess.target
    if target is not None and target.horizon is not None:
        some = train[np.linspace(0, len(train) - 1, min(len(train), FITTED)).astype(int)]
        seasonal = SeasonalNaive(target.horizon)
        seasonal.fit(windows_of(dataset, some), np.asarray(dataset.labels[some]))
        changes = seasonal.predict(windows_of(dataset, held.positions))
        found["the value one season ago"] = changes[:, None]
    return {
        name: held.task.score(held.targets, dict.fromkeys(held.reference, values))
        for name, values in found.items()
    }


def skill_interval(
    task: Task, targets: Arrays, outputs: Arrays, *, seed: int
) -> tuple[float, float]:
    """Return the 95 % interval of the task's skill score, by the bootstrap over samples.

    Args:
        task: whose skill counts.
        targets: name -> (N, ...).
        outputs: name -> (N, ...).
        seed: of the resampling.
    """

    def skill(drawn: Array) -> float:
        return task.skill(take(targets, drawn), take(outputs, drawn))

    return bootstrap(skill, len(next(iter(targets.values()))), resamples=RESAMPLES, seed=seed)


def missing_classes(
    names: tuple[str, ...] | None, targets: Arrays, decisions: Array
) -> dict[str, str] | None:
    """Return name -> why, of classes without a sample or a prediction; None: there are no classes.

    Args:
        names: of the classes.
        targets: of a split: name -> class ids (N,).
        decisions: class ids that a file predicts for it (N,).
    """
    if names is None:
        return None
    known, predicted = (
        np.bincount(ids, minlength=len(names)) for ids in (only(targets), decisions)
    )
    return {
        name: "no sample has this class" if known[k] == 0 else "it is never predicted"
        for k, name in enumerate(names)
        if known[k] == 0 or predicted[k] == 0
    }
