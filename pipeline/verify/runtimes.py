"""Run a file on every runtime, and compare the outputs with LiteRT's."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.arrays import Arrays
from pipeline.device.measure import RunResult, run_file
from pipeline.device.runtimes import RUNTIMES, why_missing
from pipeline.documents.parity import RuntimeResult
from pipeline.errors import ArtifactError
from pipeline.models.predict import in_target_unit
from pipeline.tasks.task import Task
from pipeline.verify.held import Held

FIRST = "litert"  # runs every file; the others are compared with it

log = logging.getLogger(__name__)


def run_everywhere(
    path: Path, form: str, held: Held, *, runtimes: tuple[str, ...], skipped: dict[str, str]
) -> dict[str, RunResult]:
    """Return runtime -> its outputs (N, K) in the target's unit; LiteRT comes first.

    The reason of a runtime that does not run the file goes into `skipped`.

    Raises:
        ArtifactError: LiteRT does not run it, or another does not run the int8 file, though it has
            all the operations that LiteRT has.
    """
    results = {}
    for name in dict.fromkeys((FIRST, *runtimes)):
        runtime, item = RUNTIMES[name], f"{path.name} on {name}"
        reason = why_missing(name) or runtime.refuses.get(form)
        if reason is not None:
            skipped[item] = reason
            continue
        try:
            found = run_file(path, held.dataset.preprocess, held.raw, runtime=name)
        except ArtifactError as error:
            if name == FIRST or (form == "int8" and not runtime.lacks_operations):
                raise
            skipped[item] = str(error).removeprefix(f"{path}: ")
            log.warning("          %s: %s", path.name, skipped[item])
            continue
        outputs = in_target_unit(found.outputs, held.dataset.preprocess)
        results[name] = replace(found, outputs=outputs)
    return results


def compare_runtimes(
    task: Task, targets: Arrays, reference: Arrays, *, results: Mapping[str, RunResult]
) -> dict[str, RuntimeResult]:
    """Compare each runtime with the reference by decisions, and with the first by outputs.

    Args:
        task: whose decisions count.
        targets: name -> (N, ...).
        reference: outputs of the reference, name -> (N, ...).
        results: of `run_everywhere`.
    """
    first = next(iter(results.values()))
    rows = {}
    for name, result in results.items():
        answers = task.decisions(result.outputs)
        same = task.agree(task.decisions(reference), answers, targets)
        kept = task.agree(task.decisions(first.outputs), answers, targets)
        rows[name] = RuntimeResult(
            version=result.version,
            kernels=RUNTIMES[name].kernels,
            agreement=float(same.mean()),
            disagreements=int((kept < 1).sum()),
            max_abs_lsb=_max_steps(result.raw_outputs, first.raw_outputs),
            arena_bytes=result.arena_bytes,
        )
    return rows


def _max_steps(outputs: Arrays, others: Arrays) -> int | None:
    """Return how many steps raw outputs differ by, at most; None: none of them is of integers."""
    steps = [
        int(np.abs(values.astype(np.float64) - others[name]).max())
        for name, values in outputs.items()
        if np.issubdtype(values.dtype, np.integer)
    ]
    return max(steps, default=None)
