"""Hyper-parameter search: KerasTuner chooses the values, a function of ours measures a trial.

KerasTuner keeps its state in a folder, so a killed search goes on with the next trial.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine import base_tuner

from pipeline.errors import ConfigError

Values = dict[str, Any]
Measure = Callable[[Values, int], float]
OBJECTIVE = "score"


class OverBudget(Exception):
    """A trial costs more than the limits allow; its text is the reason."""


class Search(base_tuner.BaseTuner):
    """A tuner whose trials are measured by a plain function."""

    def __init__(self, oracle: Any, measure: Measure, *, epochs: int, folder: Path) -> None:
        """Take up the search in `folder`, or begin one.

        Args:
            oracle: chooses the values.
            measure: (values, epochs) -> score.
            epochs: of a trial, where the oracle does not say.
            folder: the search's state.
        """
        self._measure, self._epochs = measure, epochs
        super().__init__(oracle, directory=str(folder), project_name="search", overwrite=False)

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Values:
        """Measure one trial; a trial over budget fails with its reason."""
        values = dict(trial.hyperparameters.values)
        epochs = int(values.get("tuner/epochs", self._epochs))
        own = {name: value for name, value in values.items() if not name.startswith("tuner/")}
        try:
            return {OBJECTIVE: self._measure(own, epochs)}
        except OverBudget as reason:
            raise keras_tuner.errors.FailedTrialError(str(reason)) from reason


def declare(space: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the search space as KerasTuner takes it.

    Args:
        space: dotted path -> {int: [low, high], step}, {float: [low, high], log}, {choice: [...]}.
    """
    parameters = keras_tuner.HyperParameters()
    for path, entry in space.items():
        if "int" in entry:
            parameters.Int(path, *entry["int"], step=entry["step"])
        elif "float" in entry:
            sampling = "log" if entry["log"] else "linear"
            parameters.Float(path, *entry["float"], sampling=sampling)
        else:
            parameters.Choice(path, list(entry["choice"]))
    return parameters


def oracle_of(
    tuner: str, parameters: Any, *, direction: str, max_trials: int, epochs: int, seed: int
) -> Any:
    """Return KerasTuner's oracle; hyperband has its own count of trials (Li et al. 2018)."""
    goal = keras_tuner.Objective(OBJECTIVE, "max" if direction == "up" else "min")
    common = {
        "objective": goal,
        "seed": seed,
        "hyperparameters": parameters,
        "tune_new_entries": False,
        "max_retries_per_trial": 0,
        "max_consecutive_failed_trials": max_trials,
    }
    if tuner == "hyperband":
        return keras_tuner.oracles.HyperbandOracle(max_epochs=max(2, epochs), **common)
    oracles = {
        "random": keras_tuner.oracles.RandomSearchOracle,
        "bayesian": keras_tuner.oracles.BayesianOptimizationOracle,
    }
    return oracles[tuner](max_trials=max_trials, **common)


def search(oracle: Any, measure: Measure, *, epochs: int, folder: Path) -> list[dict[str, Any]]:
    """Run the search to its end and return the trials, best first, failed ones last.

    Raises:
        ConfigError: every trial failed; the message has the last one's reason.
    """
    tuner = Search(oracle, measure, epochs=epochs, folder=folder)
    try:
        tuner.search(verbose=0)
    except RuntimeError as error:
        reasons = str(error).strip().splitlines()
        raise ConfigError(
            f"tune: no trial could be finished: {reasons[-1] if reasons else error}"
        ) from error
    sign = -1 if oracle.objective.direction == "max" else 1
    trials = [_row(trial) for trial in oracle.trials.values()]
    done = [row for row in trials if row["score"] is not None]
    if not done:
        raise ConfigError(f"tune: every trial failed: {trials[-1]['reason']}")
    ranked = sorted(done, key=lambda row: (sign * row["score"], row["trial"]))
    return ranked + [row for row in trials if row["score"] is None]


def _row(trial: Any) -> dict[str, Any]:
    """Return a trial as plain data."""
    values = {k: v for k, v in trial.hyperparameters.values.items() if not k.startswith("tuner/")}
    reason = (trial.message or "").strip().splitlines()
    return {
        "trial": trial.trial_id,
        "score": None if trial.score is None else float(trial.score),
        "values": values,
        "reason": reason[-1] if reason else None,
    }
