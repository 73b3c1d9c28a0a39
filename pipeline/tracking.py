"""MLflow, where it is asked for: params, metrics by epoch and stage, and artifacts of a run.

Asked for by EDGELINE_MLFLOW, the address of a tracking store (file:///path, or http://host). It is
no setting of the config: a config decides bytes, an address belongs to a machine. A run whose
results are recorded already is not recorded again.
"""

import contextlib
import importlib.util
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts import MANIFEST, TIMINGS, sha256_json
from pipeline.documents.dataset import DatasetDocument
from pipeline.documents.stages import StageManifest, Timings
from pipeline.documents.verdict import Verdict
from pipeline.errors import ConfigError, GateError
from pipeline.executor import Run, run_chain
from pipeline.stages import NAMES

log = logging.getLogger(__name__)

ADDRESS = "EDGELINE_MLFLOW"
EXPERIMENT = "EDGELINE_MLFLOW_EXPERIMENT"
DEFAULT_EXPERIMENT = "edgeline"
KEY_TAG = "edgeline.key"
LONGEST = 500  # signs of a parameter's value that every store takes
ONCE = 100  # parameters in one call
HISTORIES = ("train", "harden")
ARTIFACTS = {  # stage -> files of it that are recorded
    "report": ("report.html", "MODEL_CARD.md"),
    "verify": ("parity.json",),
    "gate": ("verdict.json",),
    "audit": ("audit.json",),
    "export": ("*.tflite",),
}


def address() -> str | None:
    """Return where to record; None: nowhere.

    Raises:
        ConfigError: it is asked for, and MLflow is not installed.
    """
    found = os.environ.get(ADDRESS)
    if not found:
        return None
    if importlib.util.find_spec("mlflow") is None:
        raise ConfigError(
            f"{ADDRESS}={found}: MLflow is not installed; run: pip install 'edgeline[mlflow]', or "
            f"unset {ADDRESS}"
        )
    return found


def tracked_chain(run: Run, *, until: str, force: str | None) -> None:
    """Run the stages, and record what came of them where that is asked for, failed gate or not.

    Raises:
        GateError: a gate failed.
        ConfigError: config, data or arguments are wrong, or MLflow is not installed.
        ArtifactError: an artifact does not match its hash.
    """
    where, failed = address(), None
    try:
        run_chain(run, until=until, force=force)
    except GateError as error:
        failed = error
    if where is not None:
        record(run.folder, run.config.model_dump(mode="json"), where)
    if failed is not None:
        raise failed


def record(run: Path, config: Mapping[str, Any], where: str) -> None:
    """Record what a run folder holds; a store that fails is logged, and the run stands.

    Args:
        run: the run folder.
        config: the resolved config, dumped.
        where: address of the store.
    """
    done = {name: run / name for name in NAMES if (run / name / MANIFEST).is_file()}
    if not done:
        return
    keys = {name: StageManifest.read(folder / MANIFEST).key for name, folder in done.items()}
    key = sha256_json(keys)
    try:
        with _mlflow(where) as (mlflow, experiment):
            query = f"tags.`{KEY_TAG}` = '{key}'"
            if mlflow.MlflowClient().search_runs([experiment], filter_string=query):
                log.info("          mlflow: recorded already")
                return
            with mlflow.start_run(experiment_id=experiment, run_name=str(config["name"])) as own:
                _write(mlflow, done, config, key)
            log.info("          mlflow: recorded as %s in %s", own.info.run_id, where)
    except Exception as error:  # of a server, a disk, a client of another version
        log.warning(
            "          mlflow: not recorded in %s: %s; the run itself is whole", where, error
        )


@contextlib.contextmanager
def _mlflow(where: str) -> Iterator[tuple[Any, str]]:
    """Give the module and the id of the experiment, set to the store, without their warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        import mlflow

        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(where)
        name = os.environ.get(EXPERIMENT, DEFAULT_EXPERIMENT)
        try:
            yield mlflow, mlflow.set_experiment(name).experiment_id
        finally:
            mlflow.set_tracking_uri(before)


def _write(mlflow: Any, done: Mapping[str, Path], config: Mapping[str, Any], key: str) -> None:
    """Write params, metrics, tags and artifacts into the run that is open."""
    from pipeline.compare.differences import flat

    params = {name: str(value)[:LONGEST] for name, value in flat(config).items()}
    names = list(params)
    for start in range(0, len(names), ONCE):
        mlflow.log_params({name: params[name] for name in names[start : start + ONCE]})
    mlflow.set_tags({KEY_TAG: key, **_tags(done)})
    for name, folder in done.items():
        for row in StageManifest.read(folder / MANIFEST).metrics:
            mlflow.log_metric(f"{name}.{_plain(row.name)}", float(row.value))
        mlflow.log_metric(f"seconds.{name}", Timings.read(folder / TIMINGS).seconds)
    for name in HISTORIES:
        if name in done:
            _write_history(mlflow, name, done[name] / "history.csv")
    for name, patterns in ARTIFACTS.items():
        for pattern in patterns if name in done else ():
            for file in sorted(done[name].glob(pattern)):
                mlflow.log_artifact(str(file), artifact_path=name)


def _write_history(mlflow: Any, stage: str, path: Path) -> None:
    """Write the learning curves, by epoch."""
    from pipeline.report.gather import read_history

    history = read_history(path)
    epochs = history.pop("epoch")
    for column, values in history.items():
        for epoch, value in zip(epochs, values, strict=True):
            mlflow.log_metric(f"{stage}/{column}", value, step=int(epoch))


def _tags(done: Mapping[str, Path]) -> dict[str, str]:
    """Return what a person looks for: the commit, the data, and whether it ships."""
    found: dict[str, str] = {}
    if (folder := done.get("data")) is not None:
        document = DatasetDocument.read(folder / "dataset.json")
        found |= {"data.fingerprint": document.fingerprint}
    latest = Timings.read(list(done.values())[-1] / TIMINGS)
    found |= {"host": latest.host, "commit": str(latest.commit)}
    if (folder := done.get("gate")) is not None:
        verdict = Verdict.read(folder / "verdict.json")
        found |= {"passed": str(verdict.passed).lower(), "ships": verdict.ships}
    return found


def _plain(name: str) -> str:
    """Return a metric's name in the signs that MLflow allows."""
    return "".join(sign if sign.isalnum() or sign in "_-. /" else "_" for sign in name)
