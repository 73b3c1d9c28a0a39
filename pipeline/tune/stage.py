"""Search hyper-parameters. Reads dataset, spec; writes spec.json, trials.json, trials.csv.

The spec is rewritten with the best trial.
"""

import csv
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import keras

from pipeline.artifacts import SCHEMA, WORK, Inputs, Metrics, read_json, write_json
from pipeline.config.overrides import put, resolve
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset, open_dataset
from pipeline.models import MODELS, budget
from pipeline.models.save import START, give_start
from pipeline.seeds import fold_seed
from pipeline.tasks import TASKS
from pipeline.train.supervised import train_network
from pipeline.tune.search import OverBudget, declare, oracle_of, search

log = logging.getLogger(__name__)


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Try values of the space on validation data, and write the spec that did best."""
    settings = config.tune
    assert settings is not None  # else the stage is off
    dataset = open_dataset(inputs["dataset"])
    spec = read_json(inputs["spec"] / "spec.json")
    task = TASKS[config.task]
    oracle = oracle_of(
        settings.tuner,
        declare({path: entry.model_dump() for path, entry in settings.space.items()}),
        direction=task.direction,
        max_trials=settings.max_trials,
        epochs=settings.epochs,
        seed=fold_seed(config.seed, "tune"),
    )

    def measure(values: dict[str, Any], epochs: int) -> float:
        return _trial(config, spec, values, epochs, dataset, out, inputs["spec"])

    trials = search(oracle, measure, epochs=settings.epochs, folder=out / WORK)
    best = trials[0]
    tuned, chosen = _apply(config, spec, best["values"])
    searched_training = any(path.startswith("train.") for path in settings.space)
    extra = {"train": json.loads(chosen.train.model_dump_json())} if searched_training else {}
    write_json(out / "spec.json", tuned | extra)
    if (inputs["spec"] / START).exists():
        shutil.copyfile(inputs["spec"] / START, out / START)
    write_json(out / "trials.json", {"schema": SCHEMA, "metric": task.metric, "trials": trials})
    _write_csv(out / "trials.csv", trials, list(settings.space))
    return Metrics({"trials": (len(trials), ""), f"best_val_{task.metric}": (best["score"], "")})


def _apply(
    config: Config, spec: dict[str, Any], values: dict[str, Any]
) -> tuple[dict[str, Any], Config]:
    """Return the spec and the config with a trial's values in place."""
    data = json.loads(config.model_dump_json())
    for path, value in values.items():
        put(data, resolve(data, tuple(path.split("."))), value)
    chosen = Config.model_validate_json(json.dumps(data))
    return spec | {"model": spec["model"] | chosen.model.model_dump(mode="json")}, chosen


def _trial(
    config: Config,
    spec: dict[str, Any],
    values: dict[str, Any],
    epochs: int,
    dataset: Dataset,
    out: Path,
    start: Path,
) -> float:
    """Train one trial, unless it is over budget, and return its validation metric."""
    tuned, chosen = _apply(config, spec, values)
    _check_limits(config, tuned)
    folder = out / WORK / "trial"
    shutil.rmtree(folder, ignore_errors=True)  # a trial that was killed starts again
    (folder / WORK).mkdir(parents=True)
    trained = train_network(
        tuned,
        chosen.train.model_copy(update={"epochs": epochs}),
        dataset,
        batch_size=config.data.batch_size,
        augment=[change.model_dump() for change in config.data.augment],
        seed=config.seed,
        out=folder,
        begin=lambda model: give_start(model, start),
        is_watched=False,
    )
    score = float(trained.validation[f"val_{TASKS[config.task].metric}"])
    shown = "  ".join(f"{path} {value}" for path, value in values.items())
    log.info("          trial: %.4f  %s", score, shown)
    return score


def _check_limits(config: Config, spec: dict[str, Any]) -> None:
    """Refuse a trial whose network costs more than the limits, before it is trained."""
    assert config.tune is not None
    keras.utils.clear_session()
    model = MODELS[spec["model"]["kind"]](keras, spec)
    found = {"parameters": budget.parameters(model), "macs": budget.macs(model)}
    found["bytes"] = found["parameters"]  # one byte a weight, in int8
    for name, limit in config.tune.limits.model_dump().items():
        if limit is not None and found[name] > limit:
            raise OverBudget(f"{found[name]} {name}, the limit is {limit}")


def _write_csv(path: Path, trials: list[dict[str, Any]], names: list[str]) -> None:
    """Write a line a trial, best first."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["rank", "trial", "score", *names, "reason"])
        for rank, row in enumerate(trials, 1):
            values = [row["values"][name] for name in names]
            writer.writerow([rank, row["trial"], row["score"], *values, row["reason"] or ""])
