"""A worker of a chief elsewhere: it has prepared the same data, and measures trials until the end.

Reads dataset, spec; writes nothing that stays.
"""

import logging
import os
import platform
import shutil
from pathlib import Path

from pipeline.artifacts import Inputs
from pipeline.config.schema import Config
from pipeline.documents.spec import Spec
from pipeline.documents.trials import Trial, TrialResult
from pipeline.tune.bench import bench_of
from pipeline.tune.remote import Chief, work
from pipeline.tune.table import training_unsaid
from pipeline.tune.trial import measure

log = logging.getLogger(__name__)


def join(config: Config, inputs: Inputs, address: str, *, folder: Path) -> None:
    """Work for the chief at an address until its search is over, or it is gone.

    Args:
        config: the same as the chief's.
        inputs: dataset and spec, made here.
        address: HOST:PORT.
        folder: for what lies between; trainings that were interrupted go on from there.

    Raises:
        ConfigError: chief and worker would not measure the same.
        Lost: no chief ever replied.
    """
    spec = Spec.read(inputs["spec"] / "spec.json")
    logs = folder / "tensorboard"
    bench = bench_of(config, spec, inputs["dataset"], start=inputs["spec"], work=folder, logs=logs)
    log.info("          working for %s", address)

    def measure_and_log(trial: Trial) -> TrialResult:
        result = measure(bench, trial)
        outcome = result.reason if result.score is None else f"{result.score:.4f}"
        log.info("          trial %s  %s", result.trial, outcome)
        return result

    chief = Chief(address, f"{platform.node()}-{os.getpid()}", bench.key)
    with training_unsaid():
        count = work(chief, measure_and_log)
    shutil.rmtree(folder, ignore_errors=True)
    log.info("          %d trials measured here", count)
