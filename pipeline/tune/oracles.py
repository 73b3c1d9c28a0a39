"""The oracles that choose the next trial's values: KerasTuner's, and a grid of our own.

An oracle lives as long as the process: its state is restored by asking it the same questions
(see ledger.py), so its own files are thrown away.
"""

import itertools
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras_tuner
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from pipeline.config.tune_space import Space, Values, conditions, grid, in_order
from pipeline.documents.trials import Trial

SCORE = "score"
EPOCHS = "tuner/epochs"  # of a trial, where hyperband says how many
OWN = "tuner/"  # what a name begins with that is KerasTuner's own
NO_LIMIT = 1 << 30  # failures in a row after which KerasTuner would stop: the ledger decides that
# Random trials before the first model of the scores: KerasTuner's 3 an entry of the space would
# be all of a short search.
INITIAL_SHARE = 3


def declare(space: Space) -> Any:
    """Return the search space as KerasTuner takes it; a choice goes by its JSON text.

    Args:
        space: dotted path -> {int: [low, high], step}, {float: [low, high], log}, {choice: [...]};
            and `when`: other path -> the values at which it is searched.
    """
    parameters = keras_tuner.HyperParameters()
    for path in in_order(space)[0]:
        _declare(parameters, path, space[path], list(conditions(space[path]).items()))
    return parameters


def _declare(
    parameters: keras_tuner.HyperParameters, path: str, entry: Mapping[str, Any], left: list[Any]
) -> None:
    """Declare an entry inside the scopes of the conditions that are left."""
    if left:
        (other, wanted), *rest = left
        with parameters.conditional_scope(other, [_text(value) for value in wanted]):
            _declare(parameters, path, entry, rest)
    elif "int" in entry:
        parameters.Int(path, *entry["int"], step=entry["step"])
    elif "float" in entry:
        parameters.Float(path, *entry["float"], sampling="log" if entry["log"] else "linear")
    else:
        parameters.Choice(path, [_text(value) for value in entry["choice"]])


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def read_values(space: Space, said: Mapping[str, Any]) -> Values:
    """Return the values of a trial, in the order of the space, from what KerasTuner says."""
    return {
        path: json.loads(said[path]) if "choice" in entry else said[path]
        for path, entry in space.items()
        if path in said
    }


class Grid(keras_tuner.Oracle):
    """Every combination once, in order; KerasTuner's own cannot go on after a kill."""

    def __init__(self, space: Space, **common: object) -> None:
        """Begin at the first combination."""
        super().__init__(**common)
        self._space = space
        self._left = grid(space)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return the next combination."""
        values = next(self._left, None)
        if values is None:
            return {"status": "STOPPED"}
        said = {
            path: _text(value) if "choice" in self._space[path] else value
            for path, value in values.items()
        }
        return {"status": "RUNNING", "values": said}


def oracle_of(
    tuner: str, space: Space, *, direction: str, trials: int | None, epochs: int, seed: int
) -> Any:
    """Return what chooses the trials.

    Args:
        tuner: random, bayesian, hyperband or grid.
        space: as for `declare`.
        direction: up, where more is better; down.
        trials: that will be trained; None: all there are.
        epochs: of a trial; of hyperband, the most.
        seed: decides the choice.
    """
    common = {
        "objective": keras_tuner.Objective(SCORE, "max" if direction == "up" else "min"),
        "seed": 1 + seed,  # KerasTuner draws a seed of its own for 0
        "hyperparameters": declare(space),
        "tune_new_entries": False,
        "max_retries_per_trial": 0,
        "max_consecutive_failed_trials": NO_LIMIT,
    }
    if tuner == "grid":
        return Grid(space, **common)
    if tuner == "hyperband":
        return keras_tuner.oracles.HyperbandOracle(max_epochs=max(2, epochs), **common)
    if tuner == "random":
        return keras_tuner.oracles.RandomSearchOracle(max_trials=None, **common)
    first = max(3, min(2 * len(space), (trials or NO_LIMIT) // INITIAL_SHARE))
    return keras_tuner.oracles.BayesianOptimizationOracle(
        max_trials=None, num_initial_points=first, **common
    )


class Asked:
    """An oracle that gives trials in batches and takes their scores in order."""

    def __init__(
        self, oracle: keras_tuner.Oracle, space: Space, *, epochs: int, folder: Path
    ) -> None:
        """Begin with the first trial.

        Args:
            oracle: of `oracle_of`.
            space: its space.
            epochs: of a trial, where the oracle does not say.
            folder: for files that it writes and nobody reads.
        """
        self._oracle, self._space, self._epochs = oracle, space, epochs
        self._batch: list[Any] = []
        oracle._set_project_dir(str(folder), "oracle")
        oracle.verbose = 0

    def propose(self, most: int | None) -> list[Trial]:
        """Return the next trials, fewer where the oracle has no more before it knows the scores.

        Args:
            most: how many; None: as many as there are.

        Returns:
            The trials; none where the search is over.
        """
        self._batch = []
        for slot in itertools.count() if most is None else range(most):
            trial = self._create(f"slot{slot}")
            if trial.status != "RUNNING":
                break
            self._batch.append(trial)
        return [self._row(trial) for trial in self._batch]

    def _create(self, slot: str) -> Any:
        """Return the next trial; a Gaussian process is fitted by one thread, which is faster."""
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)  # few scores leave it wide open
            return self._oracle.create_trial(slot)

    def _row(self, trial: Any) -> Trial:
        said = trial.hyperparameters.values
        return Trial(
            trial=trial.trial_id,
            values=read_values(self._space, said),
            epochs=int(said[EPOCHS]) if EPOCHS in said else self._epochs,
        )

    def tell(self, scores: list[float | None]) -> None:
        """Take the scores of the last batch; None: of a trial that must not be looked at again."""
        for trial, score in zip(self._batch, scores, strict=True):
            trial.status = "FAILED" if score is None else "COMPLETED"
            if score is not None:
                self._oracle.update_trial(trial.trial_id, {SCORE: score})
            self._oracle.end_trial(trial)
