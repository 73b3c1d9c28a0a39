"""The stage table, in order, and the runner: what is fresh, what runs, what a manifest says.

Imports no TensorFlow: module paths are strings, and a stage's module is imported when it runs.
"""

import contextlib
import fcntl
import importlib
import importlib.metadata
import logging
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pipeline.artifacts import (
    MANIFEST,
    SCHEMA,
    TIMINGS,
    WORK,
    Inputs,
    check_files,
    describe_files,
    finish_swap,
    read_json,
    sha256_json,
    swap_in,
    write_json,
)
from pipeline.config.schema import Config
from pipeline.data.watch import source_state
from pipeline.errors import ArtifactError, ConfigError

log = logging.getLogger(__name__)

TRAINING = ("edgeline", "tensorflow", "keras")
EXPORT = (*TRAINING, "tf-keras", "ai-edge-litert", "ai-edge-quantizer", "ethos-u-vela")


@dataclass(frozen=True)
class Stage:
    """One row of the table: what a stage reads and writes, and what makes it stale."""

    name: str
    version: int
    """Raised by hand when the same inputs would give other results."""
    reads: tuple[str, ...]
    writes: Mapping[str, tuple[str, ...]]
    """Kind -> patterns of its files."""
    sections: tuple[str, ...]
    """Config sections that change the result."""
    optional: tuple[str, ...] = ()
    """Kinds that are read where a stage wrote them."""
    packages: tuple[str, ...] = TRAINING
    """Distributions whose version changes the result."""

    @property
    def module(self) -> str:
        """Where its `run` lives."""
        return f"pipeline.{'models' if self.name == 'build' else self.name}.stage"


REFERENCE = ("model.keras",)
STAGES = (
    Stage(
        "data",
        1,
        (),
        {"dataset": ("dataset.json", "preprocess.json", "splits.npz", "figures.npz", "*.npy")},
        ("data", "task", "seed"),
    ),
    Stage(
        "baseline", 1, ("dataset",), {"baseline": ("baseline.json",)}, ("baseline", "task", "seed")
    ),
    Stage(
        "build",
        1,
        ("dataset",),
        {"spec": ("spec.json",), "budget": ("budget.json",)},
        ("model", "task", "seed", "export"),
    ),
    Stage(
        "tune",
        1,
        ("dataset", "spec"),
        {"spec": ("spec.json",), "trials": ("trials.*",)},
        ("tune", "train", "model", "task", "seed", "data"),
    ),
    Stage(
        "train",
        1,
        ("dataset", "spec"),
        {"reference": REFERENCE, "history": ("history.csv",)},
        ("train", "task", "seed", "data"),
    ),
    Stage(
        "harden",
        1,
        ("dataset", "reference"),
        {"reference": REFERENCE, "robustness": ("robustness.json", "history.csv")},
        ("harden", "train", "task", "seed", "data"),
    ),
    Stage(
        "compress",
        1,
        ("dataset", "spec", "reference"),
        {
            "model": REFERENCE,
            "recipe": ("recipe.json", "calibration.npz"),
            "ladder": ("ladder.json",),
        },
        ("compress", "export", "gate", "task", "seed"),
        packages=EXPORT,
    ),
    Stage(
        "export",
        1,
        ("spec", "model", "recipe"),
        {"files": ("files.json", "*.tflite", "*.cc", "*.h")},
        ("export",),
        packages=EXPORT,
    ),
    Stage(
        "verify",
        1,
        ("dataset", "reference", "files"),
        {"parity": ("parity.json", "golden.npz", "figures.npz")},
        ("verify", "task", "seed"),
        packages=EXPORT,
    ),
    Stage(
        "audit",
        1,
        ("dataset", "reference", "files"),
        {"audit": ("audit.json", "figures.npz")},
        ("audit", "harden", "verify", "task", "seed"),
        packages=EXPORT,
    ),
    Stage(
        "gate",
        1,
        ("files", "parity", "budget"),
        {"verdict": ("verdict.json",)},
        ("gate", "task"),
        optional=("audit",),
    ),
    Stage(
        "report",
        1,
        ("dataset", "spec", "budget", "history", "recipe", "files", "parity", "verdict"),
        {"report": ("report.html", "MODEL_CARD.md")},
        ("name", "report", "task", "data", "model", "train", "harden", "gate"),
        optional=("baseline", "trials", "robustness", "audit"),
    ),
    Stage(
        "bundle",
        1,
        (
            "dataset",
            "spec",
            "budget",
            "reference",
            "recipe",
            "files",
            "parity",
            "verdict",
            "report",
        ),
        {"bundle": ("bundle.json",)},
        tuple(Config.model_fields),
        optional=("baseline", "audit", "robustness"),
    ),
)
NAMES = tuple(stage.name for stage in STAGES)


@dataclass(frozen=True)
class Run:
    """One config, and the folders it is executed in."""

    config: Config
    base: Path
    runs: Path
    exported: Path

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.runs / self.config.name


def run_chain(run: Run, *, until: str = NAMES[-1], force: str | None = None) -> None:
    """Execute every enabled stage up to `until`, skipping the fresh ones.

    Args:
        run: what to execute, and where.
        until: last stage.
        force: stage from which on nothing counts as fresh; None: none.

    Raises:
        ConfigError: `until` is off in this config, or another process works in the run folder.
        ArtifactError: an artifact does not match its hash.
    """
    stages = [stage for stage in STAGES if is_enabled(stage, run.config)]
    names = [stage.name for stage in stages]
    for name in {until, force} - {None}:
        if name not in names:
            raise ConfigError(f"{name}: this stage is off in the config ({name}: null)")
    with _locked(run.folder):
        forced = False
        for stage in stages[: names.index(until) + 1]:
            forced = forced or stage.name == force
            _run_stage(stage, stages, run, forced=forced)


def is_enabled(stage: Stage, config: Config) -> bool:
    """Tell whether a stage runs: a section set to null is a stage that is off."""
    return getattr(config, stage.name, stage) is not None


def writer_of(kind: str, stages: list[Stage], before: Stage) -> Stage | None:
    """Return the latest stage ahead of `before` that writes `kind`."""
    ahead = stages[: stages.index(before)]
    return next((stage for stage in reversed(ahead) if kind in stage.writes), None)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the run folder for this process; the kernel lets go of it however the process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ConfigError(
                f"{folder}: process {file.read().strip() or 'unknown'} works in this run folder; "
                "wait for it, or use another --runs folder"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _run_stage(stage: Stage, stages: list[Stage], run: Run, *, forced: bool) -> None:
    """Bring one stage up to date."""
    folder, partial = run.folder / stage.name, run.folder / f"{stage.name}.partial"
    finish_swap(partial, folder)
    bound = _bind(stage, stages, run.folder)
    recipe = _recipe(stage, bound, run)
    key = sha256_json(recipe)
    if not forced and _is_fresh(folder, key, run.folder / stage.name):
        log.info("%-9s fresh", stage.name)
        return
    for kind, (source, described) in bound.items():
        check_files(source, described, f"Run again with --force {source.name} ({kind}).")
    _clear_partial(partial, key, keep_work=not forced)
    inputs = Inputs(
        folders={kind: source for kind, (source, _) in bound.items()},
        base=run.base,
        exported=run.exported,
        previous=folder if (folder / MANIFEST).exists() else None,
    )
    started = time.monotonic()
    _set_environment()
    metrics = importlib.import_module(stage.module).run(run.config, inputs, partial)
    _finish(stage, recipe, metrics, partial, time.monotonic() - started)
    swap_in(partial, folder)
    shown = "  ".join(
        f"{name} {value:.4g} {unit}".strip() for name, (value, unit) in metrics.values.items()
    )
    log.info("%-9s %6.1f s  %s", stage.name, time.monotonic() - started, shown)


Bound = dict[str, tuple[Path, dict[str, Any]]]


def _bind(stage: Stage, stages: list[Stage], runs: Path) -> Bound:
    """Return kind -> (folder, files with their hashes) of everything that a stage reads."""
    bound: Bound = {}
    for kind in (*stage.reads, *stage.optional):
        writer = writer_of(kind, stages, stage)
        if writer is None:
            if kind in stage.reads:
                raise ArtifactError(f"{stage.name}: no enabled stage writes {kind!r}")
            continue
        outputs = read_json(runs / writer.name / MANIFEST)["outputs"]
        bound[kind] = runs / writer.name, _of_kind(outputs, writer.writes[kind])
    return bound


def _of_kind(outputs: Mapping[str, Any], patterns: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: entry for name, entry in outputs.items() if any(fnmatch(name, p) for p in patterns)
    }


def _recipe(stage: Stage, bound: Bound, run: Run) -> dict[str, Any]:
    """Return all that decides a stage's result; equal recipes give equal bytes."""
    dumped = run.config.model_dump(mode="json", include=set(stage.sections))
    return {
        "schema": SCHEMA,
        "stage": stage.name,
        "version": stage.version,
        "seed": run.config.seed,
        "config": dumped,
        "packages": {name: importlib.metadata.version(name) for name in stage.packages},
        "inputs": {
            kind: {name: entry["sha256"] for name, entry in described.items()}
            for kind, (_, described) in bound.items()
        },
        "source": source_state(run.config.data.source, run.base) if stage.name == "data" else None,
    }


def _is_fresh(folder: Path, key: str, cure_from: Path) -> bool:
    """Tell whether a folder holds the result of this very recipe; its bytes are checked."""
    if not (folder / MANIFEST).exists():
        return False
    manifest = read_json(folder / MANIFEST)
    if manifest["key"] != key or not all((folder / name).exists() for name in manifest["outputs"]):
        return False
    check_files(folder, manifest["outputs"], f"Run again with --force {cure_from.name}.")
    return True


def _clear_partial(partial: Path, key: str, *, keep_work: bool) -> None:
    """Empty the temporary folder, save the checkpoints of an interrupted run of the same recipe."""
    kept = ("tensorboard", WORK)
    key_file = partial / "key"
    resumes = keep_work and key_file.exists() and key_file.read_text() == key
    partial.mkdir(parents=True, exist_ok=True)
    for path in partial.iterdir():
        if resumes and path.name in (*kept, "key"):
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (partial / WORK).mkdir(exist_ok=True)
    key_file.write_text(key)


def _set_environment() -> None:
    """Choose the Keras backend and quiet TensorFlow's start, before anything imports them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.pop("TF_USE_LEGACY_KERAS", None)


def _finish(
    stage: Stage, recipe: dict[str, Any], metrics: Any, partial: Path, seconds: float
) -> None:
    """Hash the outputs and write the manifest, last."""
    shutil.rmtree(partial / WORK, ignore_errors=True)
    (partial / "key").unlink()
    outputs = describe_files(partial)
    for kind, patterns in stage.writes.items():
        if not _of_kind(outputs, patterns):
            raise RuntimeError(
                f"{stage.name} wrote nothing of kind {kind!r} ({', '.join(patterns)})"
            )
    write_json(
        partial / TIMINGS,
        {
            "seconds": seconds,
            "host": platform.node(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": _commit(),
        },
    )
    values = [{"name": n, "value": v, "unit": u} for n, (v, u) in metrics.values.items()]
    skipped = [{"item": item, "reason": reason} for item, reason in metrics.skipped.items()]
    write_json(
        partial / MANIFEST,
        {
            **recipe,
            "key": sha256_json(recipe),
            "outputs": outputs,
            "metrics": values,
            "skipped": skipped,
        },
    )


def _commit() -> str | None:
    """Return the commit of the code, where it lies in a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None
