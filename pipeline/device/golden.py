"""Compare a file's outputs elsewhere with its golden outputs. Pure NumPy.

Kernels come in classes (XNNPACK, the reference ones, the built-in ones), and the golden outputs are
XNNPACK's. Inside that class integers are equal to the bit, and floats differ by their rounding;
across classes few decisions may differ. A decision is the device's result: a class, anomalous
or not, abstain. A value is another decision where it is further off than one step of the file and
than what counts as agreement in `verify`.

Legend: N samples, R copies of each of them.
"""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, Arrays, only
from pipeline.device.runtimes import RUNTIMES
from pipeline.documents.manifest import ModelFile
from pipeline.documents.preprocess import Preprocess
from pipeline.errors import ArtifactError
from pipeline.ondevice.bounds import read_arrays
from pipeline.ondevice.decide import abstain_rule, decide_outputs
from pipeline.ondevice.files import prefix_errors
from pipeline.ondevice.outputs import golden_name
from pipeline.ondevice.predict import decode_outputs
from pipeline.ondevice.prepare import prepare_inputs
from pipeline.tasks.task import allowed_changes

MADE_BY = "xnnpack"  # kernels of the golden outputs
KERNELS = {  # runtime, as the runner names it -> class of its kernels
    **{name: runtime.kernels for name, runtime in RUNTIMES.items()},
    "tensorflow": "xnnpack",
}
LABELS = "labels"  # in golden.npz: names of the classes in the order of the outputs
MOST_SHARE = 0.005  # of the decisions may differ across classes; one always may
ROUNDING = 1e-4  # of the largest output; floats summed in another order differ by 4e-7
NEAR = 0.01  # of NORMAL_RANGE: two values nearer than this are one decision
NORMAL_RANGE = 3.29  # deviations from the 5 to the 95 % point of a normal distribution
STEP = 1.001  # a step of an integer file, and what float32 makes of it
EXACT = ("int8", "int16x8")
DRIFTING = ("dynamic",)  # finds its ranges as it runs: the last bit of a float may move a step


@dataclass(frozen=True)
class Finding:
    """How one file did."""

    differ: int
    """Decisions that differ."""
    distance: float
    """Largest difference of an output: in steps of an integer, else in numbers."""
    problem: str | None
    """Why it does not conform; None where it does."""


def golden_outputs(stored: Arrays, model: ModelFile) -> dict[str, Array]:
    """Return a file's raw outputs, name -> (N, ...), of the contents of golden.npz.

    Raises:
        ArtifactError: they are not there.
    """
    names = [output.name for output in model.outputs]
    places = {name: golden_name(model.format, name, names) for name in names}
    for place in places.values():
        if place not in stored:
            raise ArtifactError(f"golden.npz: has no outputs {place!r}; get the whole bundle again")
    return {name: stored[place] for name, place in places.items()}


def read_bundle_arrays(path: Path) -> dict[str, Array]:
    """Return name -> array, of any shape, of a .npz file of a bundle; none is absurdly large.

    Raises:
        ArtifactError: it is no such file, or damaged.
    """
    try:
        with prefix_errors(str(path)):
            return read_arrays(str(path))
    except (ValueError, TypeError, OSError, zlib.error, NotImplementedError, RuntimeError) as error:
        words = " ".join(str(error).split())
        raise ArtifactError(f"{path}: cannot be read: {words.removeprefix(f'{path}: ')}") from None


def select_inputs(stored: Arrays, preprocess: Preprocess) -> dict[str, Array]:
    """Return name -> raw samples (N, ...) of each input, of the contents of golden.npz.

    Raises:
        ArtifactError: an input is not there, or they are not of one length.
    """
    names = {entry.name: f"input_{entry.name}" for entry in preprocess.inputs}
    absent = [place for place in names.values() if place not in stored]
    if absent:
        raise ArtifactError(f"golden.npz: has no {', '.join(absent)}; get the whole bundle again")
    raw = {name: stored[place] for name, place in names.items()}
    lengths = {values.shape[:1] for values in raw.values()}
    if len(lengths) > 1 or lengths & {(), (0,)}:
        raise ArtifactError("golden.npz: inputs of different lengths; get the whole bundle again")
    return raw


def judge(
    found: Arrays, expected: Arrays, model: ModelFile, *, golden: "Golden", runtime: str
) -> Finding:
    """Return the differences of a file's outputs from the golden ones, and the problem, if any.

    Args:
        found: name -> raw outputs (R * N, ...) of the copies, one after the other.
        expected: name -> golden raw outputs (N, ...) of the file.
        model: the file's row in the manifest.
        golden: inputs and decision rule of the outputs.
        runtime: as the runner names it.
    """
    samples = len(next(iter(expected.values())))
    if found.keys() != expected.keys():
        names = f"{', '.join(found)}; wanted {', '.join(expected)}"
        return Finding(samples, math.inf, f"outputs are named {names}")
    for name, wanted in expected.items():
        if problem := _form_problem(found[name], wanted):
            return Finding(samples, math.inf, problem)
    copies = {name: found[name].reshape(-1, *wanted.shape) for name, wanted in expected.items()}
    distances = {name: _distance(copies[name], wanted) for name, wanted in expected.items()}
    distance = max(distances.values())
    if any((values != values[0]).any() for values in copies.values()):
        return Finding(samples, distance, "equal inputs get different outputs")
    first = {name: values[0] for name, values in copies.items()}
    differ = int((~golden.same(first, expected, model)).sum())
    if KERNELS.get(runtime) == MADE_BY:
        for name, wanted in expected.items():
            if distances[name] > _bound(wanted, model):
                return Finding(differ, distance, _same_kernels(distances[name], wanted, runtime))
    most = allowed_changes(MOST_SHARE, samples)
    problem = None if differ <= most else f"{differ} of {samples} decisions differ; {most} may"
    return Finding(differ, distance, problem)


def _form_problem(found: Array, expected: Array) -> str | None:
    """Return what is wrong with the form of an output of all copies; None where nothing is."""
    wanted = (len(found) // len(expected) * len(expected), *expected.shape[1:])
    if found.dtype != expected.dtype or found.shape != wanted or not len(found):
        return f"outputs are {found.dtype} {found.shape}, wanted {expected.dtype} {wanted}"
    if np.issubdtype(found.dtype, np.floating) and not np.isfinite(found).all():
        return "outputs hold NaN or infinity"
    return None


def _distance(copies: Array, expected: Array) -> float:
    return float(np.abs(copies.astype(np.float64) - expected.astype(np.float64)).max())


def _same_kernels(distance: float, expected: Array, runtime: str) -> str:
    unit = "LSB" if np.issubdtype(expected.dtype, np.integer) else "at most"
    return (
        f"outputs differ by {distance:.3g} {unit}; {runtime} has the {MADE_BY} kernels of the "
        "golden outputs, so they must be the same"
    )


def _bound(expected: Array, model: ModelFile) -> float:
    """Return the largest difference that is allowed inside a class of kernels."""
    form, is_integer = model.format, np.issubdtype(expected.dtype, np.integer)
    if form in DRIFTING or (form in EXACT and model.float_ops_left):
        return math.inf
    return 0.0 if is_integer else ROUNDING * float(np.abs(expected).max())


@dataclass(frozen=True)
class Golden:
    """Inputs and decision rule of golden outputs."""

    raw: Mapping[str, Array]
    """Name -> raw samples (N, ...)."""
    preprocess: Preprocess
    """Contents of preprocess.json."""

    def same(self, found: Arrays, expected: Arrays, model: ModelFile) -> Array:
        """Tell of each sample (N,) whether two raw outputs are one decision."""
        said, wanted = (self._decisions(raw, model) for raw in (found, expected))
        target = self.preprocess.target
        if target is None:
            return np.array([a == b for a, b in zip(said, wanted, strict=True)])
        scale = target.scale
        (output,) = model.outputs
        step = STEP * (output.scale or 0.0)
        apart = np.abs(np.array(said, np.float64) - np.array(wanted, np.float64))
        return apart <= scale * max(step, NEAR * NORMAL_RANGE)

    def _decisions(self, raw: Arrays, model: ModelFile) -> list[Any]:
        """Return the decision for each sample (N,)."""
        inputs = prepare_inputs(self.raw, self.preprocess)
        details = {
            output.name: {"quantization": (output.scale or 0.0, output.zero_point or 0)}
            for output in model.outputs
        }
        outputs = only(decode_outputs(details, inputs, raw, self.preprocess.anomaly))
        rule = abstain_rule(self.preprocess, model.file)
        return [a["decision"] for a in decide_outputs(outputs, self.preprocess, None, rule)]
