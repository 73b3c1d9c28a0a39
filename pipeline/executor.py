"""The executor of stages: what is fresh, what runs, and the manifests of the results.

A stage writes into a temporary folder; its outputs are hashed, the manifest is written last, and
the folder takes its place by a rename. No TensorFlow here: a stage's module is imported when it
runs.
"""

import contextlib
import fcntl
import importlib.metadata
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

from pipeline import host
from pipeline.artifacts import (
    KEY,
    MANIFEST,
    TIMINGS,
    WORK,
    FileHash,
    Inputs,
    Metrics,
    check_files,
    describe_files,
    finish_swap,
    sha256_json,
    swap_in,
)
from pipeline.config.schema import Config
from pipeline.data.source_fingerprint import model_state, source_state
from pipeline.device.runtimes import version as runtime_version
from pipeline.documents.bundles import is_published
from pipeline.documents.stages import (
    Published,
    Skipped,
    StageManifest,
    StageMetric,
    StageRecipe,
    Timings,
)
from pipeline.errors import ArtifactError, ConfigError
from pipeline.freshness import is_fresh, is_usable
from pipeline.resource_errors import explain_shortage
from pipeline.run_summary import tell_begun, tell_ended, tell_fresh, tell_off
from pipeline.source_hash import hash_source
from pipeline.stages import NAMES, STAGES, Stage, is_enabled, writer_of
from pipeline.targets.registry import TARGETS
from pipeline.tensorflow_env import check_training_packages, import_quietly, set_environment


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
        ConfigError: `until` is off in this config, another process works in the run folder, or the
            packages for training are not installed.
        ArtifactError: an artifact does not match its hash.
    """
    check_training_packages()
    stages = [stage for stage in STAGES if is_enabled(stage, run.config)]
    names = [stage.name for stage in stages]
    for name in {until, force} - {None}:
        if name not in names:
            raise ConfigError(f"{name}: this stage is off in the config ({name}: null)")
    with _locked(run.folder):
        tell_off(name for name in NAMES[: NAMES.index(until)] if name not in names)
        forced = False
        for stage in stages[: names.index(until) + 1]:
            forced = forced or stage.name == force
            _run_stage(stage, stages, run, forced=forced)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the run folder for this process; the kernel lets go of it however the process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+", errors="replace") as file:
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
    key = sha256_json(recipe.dump())
    if not forced and is_fresh(folder, key) and _is_published(stage, run):
        tell_fresh(stage.name)
        return
    tell_begun(stage.name)
    for kind, (source, described) in bound.items():
        check_files(source, described, f"Run again with --force {source.name} ({kind}).")
    _clear_partial(partial, key, keep_work=not forced)
    inputs = Inputs(
        folders={kind: source for kind, (source, _) in bound.items()},
        base=run.base,
        exported=run.exported,
        previous=folder if is_usable(folder, recipe.code) else None,
    )
    started = time.monotonic()
    with explain_shortage(stage.name, run.config):
        metrics = _import(stage).run(run.config, inputs, partial)
    _finish(stage, recipe, metrics, partial, time.monotonic() - started)
    swap_in(partial, folder)
    tell_ended(stage.name, metrics, time.monotonic() - started)


Bound = dict[str, tuple[Path, dict[str, FileHash]]]


def _bind(stage: Stage, stages: list[Stage], runs: Path) -> Bound:
    """Return kind -> (folder, files with their hashes) of everything that a stage reads."""
    bound: Bound = {}
    for kind in (*stage.reads, *stage.optional):
        writer = writer_of(kind, stages, stage)
        if writer is None:
            if kind in stage.reads:
                raise ArtifactError(f"{stage.name}: no enabled stage writes {kind!r}")
            continue
        outputs = StageManifest.read(runs / writer.name / MANIFEST).outputs
        bound[kind] = runs / writer.name, _of_kind(outputs, writer.writes[kind])
    return bound


def _of_kind(outputs: Mapping[str, FileHash], patterns: tuple[str, ...]) -> dict[str, FileHash]:
    return {
        name: entry for name, entry in outputs.items() if any(fnmatch(name, p) for p in patterns)
    }


def _recipe(stage: Stage, bound: Bound, run: Run) -> StageRecipe:
    """Return all that decides a stage's result; equal recipes give equal bytes."""
    sections = None if stage.sections is None else set(stage.sections)
    return StageRecipe(
        stage=stage.name,
        code=hash_source(stage.module),
        seed=run.config.seed,
        config=run.config.model_dump(mode="json", include=sections),
        packages={name: importlib.metadata.version(name) for name in stage.packages},
        inputs={
            kind: {name: entry.sha256 for name, entry in described.items()}
            for kind, (_, described) in bound.items()
        },
        outside=_outside(stage, run),
    )


def _outside(stage: Stage, run: Run) -> Any:
    """Return what a stage depends on that is neither config nor artifact: data and installations.

    A compiler or a runtime that was installed since makes its stage run again.
    """
    if stage.name == "data":
        return source_state(run.config.data.source, run.base)
    if stage.name == "build":
        return model_state(run.config.model, run.base)
    if stage.name == "export":
        compilers = {TARGETS[name].compiler for name in run.config.export.targets}
        return sorted(name for name in compilers if name and shutil.which(name))
    if stage.name == "verify":
        return {name: runtime_version(name) for name in run.config.verify.runtimes}
    return None


def _is_published(stage: Stage, run: Run) -> bool:
    """Tell whether the bundle still stands in exported/; other stages publish nothing."""
    if stage.name != "bundle":
        return True
    record = Published.read(run.folder / stage.name / "bundle.json")
    return is_published(record, run.exported / run.config.name)


def _clear_partial(partial: Path, key: str, *, keep_work: bool) -> None:
    """Empty the temporary folder, save the checkpoints of an interrupted run of the same recipe."""
    kept = ("tensorboard", WORK)
    key_file = partial / KEY
    resumes = keep_work and key_file.exists() and key_file.read_bytes() == key.encode()
    partial.mkdir(parents=True, exist_ok=True)
    for path in partial.iterdir():
        if resumes and path.name in (*kept, KEY):
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (partial / WORK).mkdir(exist_ok=True)
    key_file.write_text(key)


def inputs_of(run: Run, name: str) -> Inputs:
    """Return what a stage of a run reads, for work that is done beside the chain.

    Raises:
        ArtifactError: an artifact is missing, or does not match its hash.
    """
    set_environment()
    stages = [stage for stage in STAGES if is_enabled(stage, run.config)]
    bound = _bind(next(stage for stage in stages if stage.name == name), stages, run.folder)
    for kind, (source, described) in bound.items():
        check_files(source, described, f"Run again with --force {source.name} ({kind}).")
    return Inputs({kind: source for kind, (source, _) in bound.items()}, run.base, run.exported)


def _import(stage: Stage) -> Any:
    """Import a stage's module; its start is silent."""
    set_environment()
    return import_quietly(stage.module)


def _finish(
    stage: Stage, recipe: StageRecipe, metrics: Metrics, partial: Path, seconds: float
) -> None:
    """Hash the outputs and write the manifest, last."""
    outputs = describe_files(partial)
    for kind, patterns in stage.writes.items():
        if not _of_kind(outputs, patterns):
            raise RuntimeError(
                f"{stage.name} wrote nothing of kind {kind!r} ({', '.join(patterns)})"
            )
    Timings(
        seconds=seconds,
        parts=dict(metrics.seconds),
        host=platform.node(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_commit(),
    ).write(partial / TIMINGS)
    values = metrics.values.items()
    skipped = metrics.skipped.items()
    StageManifest(
        **dict(recipe),
        key=sha256_json(recipe.dump()),
        machine=host.describe_machine(),
        outputs=outputs,
        metrics=tuple(StageMetric(name=n, value=v, unit=u) for n, (v, u) in values),
        skipped=tuple(Skipped(item=item, reason=reason) for item, reason in skipped),
    ).write(partial / MANIFEST)


def _commit() -> str | None:
    """Return the commit of the code, where it lies in a git checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None
