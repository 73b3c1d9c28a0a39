"""Search hyper-parameters.

Reads dataset, spec; writes spec.json and budget.json (rewritten with the trial that was picked),
trials.json, trials.csv, and trained.npz (where that trial ended, if it was trained in full).
"""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline.artifacts import WORK, Inputs, Metrics, read_json, sha256_json
from pipeline.config.schema import Config
from pipeline.documents.spec import Batches, Spec
from pipeline.documents.trials import TrialResult, Trials
from pipeline.errors import ConfigError
from pipeline.models.describe import build_network, count
from pipeline.models.save import START
from pipeline.seeds import fold_seed
from pipeline.tasks import task_of
from pipeline.train.checkpoint import CHECKPOINT, TRAINED
from pipeline.tune import local, remote
from pipeline.tune.bench import Bench, apply_trial, bench_of
from pipeline.tune.goal import fronts, goal_of, pick_trial, rank_trials
from pipeline.tune.ledger import OVER, Ledger, name_of
from pipeline.tune.oracles import Asked, oracle_of
from pipeline.tune.table import Watch, write_csv, write_hparams
from pipeline.tune.trial import measure

log = logging.getLogger(__name__)

TRIALS = 10  # trained, where the config does not say and the tuner has no end of its own
TRIALS_FILE = "trials.json"


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Try values of the space on validation data, and write the spec of the chosen trial."""
    settings = config.tune
    assert settings is not None  # else the stage is off
    is_shared = settings.parallel > 1 and not _is_chief()
    threads = local.threads_of(settings.parallel) if is_shared else None
    bench = bench_of(
        config,
        Spec.read(inputs["spec"] / "spec.json"),
        inputs["dataset"],
        start=inputs["spec"],
        work=out / WORK,
        logs=out / "tensorboard",
        threads=threads,
    )
    metric, direction = goal_of(settings.objective, task_of(config.task, config.task_metric))
    kept = _kept(inputs.previous, bench)
    with tempfile.TemporaryDirectory(prefix="edgeline_tune_") as scratch:
        watch = Watch(metric, direction)
        ledger = _ledger(bench, Path(scratch), watch)
        with watch.show_table():
            _search(bench, ledger, inputs)
    rows = rank_trials(ledger.rows, direction)
    done = [row for row in rows if row.score is not None]
    if not done:
        last = rows[-1].reason if rows else "the space has none"
        raise ConfigError(f"tune: no trial could be finished; the last one: {last}")
    taken = _taken(config, done, direction)
    _write_network(bench, taken, inputs, out, kept)
    _write_trials(bench, rows, taken, out)
    write_hparams(out / "tensorboard", rows, metric)
    refused = {f"trial {r.trial}": str(r.reason) for r in rows if r.score is None}
    return Metrics(
        {"trials": (len(rows), ""), f"best_{metric}": (done[0].known_score, "")}, refused
    )


def _kept(previous: Path | None, bench: Bench) -> Path | None:
    """Bring over the trials of an earlier search that measured the same; return its folder."""
    if previous is None or not (previous / TRIALS_FILE).exists():
        return None
    key = sha256_json(bench.key)
    if read_json(previous / TRIALS_FILE).get("key") != key:  # another search, or another version
        return None
    for row in Trials.read(previous / TRIALS_FILE).trials:
        row.write(bench.work / f"{name_of(row, key)}.json")
    return previous


def _ledger(bench: Bench, scratch: Path, watch: Watch) -> Ledger:
    """Return the ledger of the search, with earlier results."""
    config, settings = bench.config, bench.config.tune
    assert settings is not None
    space = {path: entry.model_dump(mode="json") for path, entry in settings.space.items()}
    has_end = settings.tuner in ("grid", "hyperband")
    trials = settings.max_trials or (None if has_end else TRIALS)
    direction = goal_of(settings.objective, task_of(config.task, config.task_metric))[1]
    oracle = oracle_of(
        settings.tuner,
        space,
        direction=direction,
        trials=trials,
        epochs=settings.epochs,
        seed=fold_seed(config.seed, "tune"),
    )
    return Ledger(
        Asked(oracle, space, epochs=settings.epochs, folder=scratch),
        key=sha256_json(bench.key),
        folder=bench.work,
        trials=trials,
        at_once=settings.parallel if settings.tuner == "bayesian" else None,
        sign=1 if direction == "up" else -1,
        on_end=watch,
    )


def _search(bench: Bench, ledger: Ledger, inputs: Inputs) -> None:
    """Measure all trials: here, in processes of this machine, or by workers elsewhere."""
    settings = bench.config.tune
    assert settings is not None
    if _is_chief():
        host, port = os.environ["KERASTUNER_ORACLE_IP"], os.environ["KERASTUNER_ORACLE_PORT"]
        with remote.serve_workers(ledger, bench.key, f"{host}:{port}") as (address, desk):
            log.info("          workers are awaited at %s", address)
            while not ledger.is_over() or not remote.told_all(desk):
                time.sleep(0.2)
    elif settings.parallel > 1:
        job = _job(bench, inputs)
        with (
            remote.serve_workers(ledger, bench.key, "127.0.0.1:0") as (address, _),
            local.workers(job, address, settings.parallel, bench.work) as started,
        ):
            local.until_over(ledger, started)
    else:
        while (row := ledger.take("here")) != OVER:
            assert not isinstance(row, str)  # no other process has one, so there is nothing to wait
            ledger.end(measure(bench, row))


def _is_chief() -> bool:
    """Tell whether workers elsewhere measure, as KerasTuner's variables say it."""
    return os.environ.get("KERASTUNER_TUNER_ID") == "chief"


def _job(bench: Bench, inputs: Inputs) -> local.Job:
    """Return what a worker of this machine needs to know."""
    return local.Job(
        config=bench.config.model_dump(mode="json"),
        spec=bench.spec,
        dataset=inputs["dataset"],
        start=bench.start,
        work=bench.work,
        logs=bench.logs,
        threads=bench.threads,
    )


def _taken(config: Config, done: Sequence[TrialResult], direction: str) -> TrialResult:
    """Return the trial that the config's rule takes."""
    assert config.tune is not None
    rule = config.tune.pick
    within, by = (None, "") if isinstance(rule, str) else (rule.smallest_within, rule.by)
    is_relative = task_of(config.task, config.task_metric).is_relative or direction == "down"
    return pick_trial(done, direction, within=within, by=by, is_relative=is_relative)


def _write_network(
    bench: Bench, taken: TrialResult, inputs: Inputs, out: Path, kept: Path | None
) -> None:
    """Write the spec of a trial, its budget, and where its training ended, if that was in full."""
    values = taken.values
    config, spec = apply_trial(bench, values)
    if any(path.startswith("train.") for path in values):
        spec = spec.model_copy(update={"train": config.train})
    if any(path.startswith("data.") for path in values):
        batches = Batches(batch_size=config.data.batch_size, augment=config.data.augment)
        spec = spec.model_copy(update={"batches": batches})
    spec.write(out / "spec.json")
    count(build_network(spec), config.export.targets).write(out / "budget.json")
    if (inputs["spec"] / START).exists():
        shutil.copyfile(inputs["spec"] / START, out / START)
    is_whole = taken.epochs == config.train.epochs and bench.threads is None
    if not is_whole or config.train.pretrain is not None or config.train.distill is not None:
        return
    ended = bench.work / name_of(taken, sha256_json(bench.key)) / WORK / CHECKPOINT
    if not ended.exists() and kept is not None and _was_taken(kept, taken):
        ended = kept / TRAINED
    if ended.exists():
        shutil.copyfile(ended, out / TRAINED)


def _was_taken(previous: Path, row: TrialResult) -> bool:
    """Tell whether an earlier search took the same trial."""
    found = Trials.read(previous / TRIALS_FILE)
    before = next(r for r in found.trials if r.trial == found.picked)
    return (before.values, before.epochs) == (row.values, row.epochs)


def _write_trials(bench: Bench, rows: list[TrialResult], taken: TrialResult, out: Path) -> None:
    """Write all trials, the Pareto front, and the chosen one."""
    config, settings = bench.config, bench.config.tune
    assert settings is not None
    metric, direction = goal_of(settings.objective, task_of(config.task, config.task_metric))
    Trials(
        key=sha256_json(bench.key),
        tuner=settings.tuner,
        metric=metric,
        direction=direction,
        format=bench.form,
        space={path: entry.model_dump(mode="json") for path, entry in settings.space.items()},
        limits=settings.limits.model_dump(mode="json"),
        picked=taken.trial,
        fronts=fronts(rows, direction, settings.limits.model_dump()),
        trials=tuple(rows),
    ).write(out / TRIALS_FILE)
    write_csv(out / "trials.csv", rows, list(settings.space))
