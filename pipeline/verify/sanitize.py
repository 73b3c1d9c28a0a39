"""What feature squeezing costs, and the detector that is built on it. NumPy.

The detector of Xu et al. 2018 (arXiv:1704.01155, section 5): a sample is suspect where the outputs
with and without squeezing are further apart than those of honest samples. The limit is
split-conformal (Angelopoulos and Bates 2021, arXiv:2107.07511, section 1), so the false positive
rate holds on new honest samples too.

Legend: N samples, K classes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.arrays import Array, Arrays, only
from pipeline.data.dataset import Dataset
from pipeline.device.measure import RunResult, run_file
from pipeline.documents.preprocess import Preprocess
from pipeline.documents.selective import DetectorResult, Sanitization, SanitizedFile
from pipeline.models.predict import in_target_unit
from pipeline.ondevice.decide import l1_distance
from pipeline.ondevice.main import UNSQUEEZED
from pipeline.ondevice.prepare import find_out_of_range
from pipeline.ondevice.sanitize import remove_squeezing
from pipeline.verify.held import Held

FARTHEST = 2.0  # largest distance of two outputs: nothing is beyond


@dataclass(frozen=True)
class Sanitized:
    """The measurements of sanitization."""

    document: Sanitization | None
    """`sanitize` of parity.json; None: nothing is sanitized."""
    plain: Mapping[str, RunResult]
    """Format -> the outputs for samples of the split without squeezing."""

    def golden(self, samples: int) -> dict[str, Array]:
        """Return the first raw outputs without squeezing, for self-tests: name -> (samples, K)."""
        if self.document is None or self.document.false_positive_rate is None:
            return {}
        plain = {form: only(found.raw_outputs) for form, found in self.plain.items()}
        return {form + UNSQUEEZED: values[:samples] for form, values in plain.items()}


def measure_sanitizing(
    detector: float | None,
    held: Held,
    folder: Path,
    *,
    outputs: Mapping[str, Arrays],
) -> Sanitized:
    """Return how every file does with and without squeezing.

    Args:
        detector: false positive rate that is allowed, in (0, 0.5]; None: no detector.
        held: samples to measure on; limits are set on the validation split.
        folder: where the .tflite files are.
        outputs: format -> outputs for those samples, squeezed, in the target's unit.
    """
    preprocess = held.dataset.preprocess
    rules = [entry.sanitize for entry in preprocess.inputs]
    rule = next((rule for rule in rules if rule is not None), None)
    if rule is None:
        return Sanitized(None, {})
    is_squeezed = rule.median is not None or rule.bit_depth is not None
    if not is_squeezed and rule.range == "clip":
        return Sanitized(None, {})
    bare = remove_squeezing(preprocess)
    paths = {form: folder / f"model_{form}.tflite" for form in outputs} if is_squeezed else {}
    plain = {form: run_file(path, bare, held.raw) for form, path in paths.items()}
    files = {
        form: _measure_file(detector, held, paths[form], outputs[form], result.outputs)
        for form, result in plain.items()
    }
    document = Sanitization(
        median=rule.median,
        bit_depth=rule.bit_depth,
        range=rule.range,
        is_squeezed=is_squeezed,
        out_of_range=far_share(held.raw, preprocess),
        false_positive_rate=detector,
        samples=0 if detector is None else len(held.dataset.split("validation")),
        files=files,
    )
    return Sanitized(document, plain)


def _measure_file(
    detector: float | None, held: Held, path: Path, squeezed: Arrays, plain: Arrays
) -> SanitizedFile:
    """Return how one file does, by its outputs with and without squeezing."""
    task, suspects = held.task, None
    if detector is not None:
        limit, known = calibrate_detector(detector, held.dataset, path)
        is_suspect = l1_distance(only(squeezed), only(plain)) > limit
        suspects = measure_detector(
            held.labels, only(squeezed), is_suspect, limit=limit, validation=known > limit
        )
    in_unit = in_target_unit(plain, held.dataset.preprocess)
    return SanitizedFile(
        metric=task.metrics(held.targets, squeezed)[task.metric],
        unsqueezed=task.metrics(held.targets, in_unit)[task.metric],
        detector=suspects,
    )


def calibrate_detector(false_alarms: float, dataset: Dataset, path: Path) -> tuple[float, Array]:
    """Return a file's limit, and the distances (N,) of its outputs on validation samples.

    Args:
        false_alarms: as for `limit_of`.
        dataset: its preprocessing squeezes.
        path: a .tflite file.
    """
    raw, bare = dataset.read(dataset.split("validation")), remove_squeezing(dataset.preprocess)
    both = [only(run_file(path, by, raw).outputs) for by in (dataset.preprocess, bare)]
    known = l1_distance(both[0], both[1])
    return limit_of(false_alarms, known), known


def limit_of(false_alarms: float, distances: Array) -> float:
    """Return the distance above which a sample is suspect.

    Args:
        false_alarms: false positive rate that is allowed, in (0, 1).
        distances: of honest samples (N,), each from 0 to 2.
    """
    ranked = np.sort(distances)
    passed = int(np.ceil((1 - false_alarms) * (len(ranked) + 1)))  # of them, the nearest
    return float(ranked[passed - 1]) if passed <= len(ranked) else FARTHEST


def measure_detector(
    labels: Array, outputs: Array, is_suspect: Array, *, limit: float, validation: Array
) -> DetectorResult:
    """Return what a detector does to honest samples.

    Args:
        labels: class ids (N,).
        outputs: probabilities (N, K).
        is_suspect: whether each sample is beyond the limit (N,).
        limit: of the distance.
        validation: whether each validation sample is beyond it.
    """
    is_wrong, is_answered = outputs.argmax(axis=1) != labels, ~is_suspect
    return DetectorResult(
        limit=limit,
        validation_false_positive_rate=float(validation.mean()),
        false_positive_rate=float(is_suspect.mean()),
        coverage=float(is_answered.mean()),
        selective_error=float(is_wrong[is_answered].mean()) if is_answered.any() else 0.0,
        error=float(is_wrong.mean()),
    )


def far_share(raw: Mapping[str, Array], preprocess: Preprocess) -> float:
    """Return the fraction of raw samples with a value outside the sanitizer's limits, in [0, 1].

    Args:
        raw: input -> raw samples (N, …).
        preprocess: its inputs have the limits.
    """
    found: set[int] = set()
    for entry in preprocess.inputs:
        found |= find_out_of_range(raw[entry.name], entry).keys()
    return len(found) / max(1, len(next(iter(raw.values()))))
