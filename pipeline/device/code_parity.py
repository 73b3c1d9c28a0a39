"""Whether a compiled C library does with samples what run_on_device.py does.

Legend: N samples.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, Arrays, only, take
from pipeline.device.compiled import LibraryRun, run_library
from pipeline.documents.files import FileEntry, ModelTensor
from pipeline.documents.manifest import ModelFile
from pipeline.documents.preprocess import Preprocess
from pipeline.ondevice.decide import ABSTAIN, abstain_rule, decide_outputs, find_doubts
from pipeline.ondevice.predict import decode_outputs, mask_detector_inputs
from pipeline.ondevice.prepare import find_out_of_range, prepare_inputs
from pipeline.ondevice.quantize import quantize
from pipeline.samples import KINDS

BLOCK = 256  # samples at once: those of a large set would fill the memory
TOLERANCE = 1e-6  # of model inputs in floats, and of values relative to their size
SOUND_TOLERANCE = 2e-5  # a logarithm of sums in another order
OUTSIDE_STATUS = 5  # <NAME>_OUTSIDE of the header


@dataclass(frozen=True)
class CodeComparison:
    """How far the C library is from the NumPy form."""

    differs: Array
    """(N,) bool: samples with another model input, refusal, reason or decision."""
    worst: Mapping[str, float]
    """Input -> largest difference of a value: in steps of integers, else in numbers."""


def compare_library(
    program: Path,
    preprocess: Preprocess,
    raw: Arrays,
    *,
    file: FileEntry | ModelFile,
    outputs: Array,
    unsqueezed: Array | None,
) -> CodeComparison:
    """Run the library over samples and compare model inputs and decisions.

    Args:
        program: of `compile_library`.
        preprocess: contents of preprocess.json, with the rules of the file.
        raw: name -> raw samples (N, ...), in the types of training.
        file: the .tflite file's entry.
        outputs: (N, ...), its raw outputs for these samples.
        unsqueezed: (N, ...), the same without squeezing; None: there is no detector.

    Raises:
        PipelineError: the program fails, which is our bug.
    """
    parts, worst = [], dict.fromkeys((t.name for t in file.inputs), 0.0)
    for start in range(0, len(outputs), BLOCK):
        index = slice(start, start + BLOCK)
        some = take(raw, index)
        bare = None if unsqueezed is None else unsqueezed[index]
        found = run_library(
            [program], preprocess, {name: list(x) for name, x in some.items()}, file=file,
            outputs=outputs[index], unsqueezed=bare,
        )  # fmt: skip
        real = prepare_inputs(some, preprocess)
        differs = _compare_inputs(found, real, preprocess, file, worst)
        ours = _Block(preprocess, some, real, file)
        parts.append(differs | ours.differs(found, outputs[index], bare))
    return CodeComparison(np.concatenate(parts), worst)


def _compare_inputs(
    found: LibraryRun,
    real: Arrays,
    preprocess: Preprocess,
    file: FileEntry | ModelFile,
    worst: dict[str, float],
) -> Array:
    """Return which samples (N,) get another model input; note the largest difference in `worst`."""
    given = mask_detector_inputs(real, preprocess.anomaly)
    sounds = {entry.name for entry in preprocess.inputs if KINDS[entry.kind].is_sound}
    differs = np.zeros(len(found.status), bool)
    for tensor in file.inputs:
        ours = quantize(given[tensor.name], detail_of(tensor)).astype(np.float64)
        apart = np.abs(ours - found.inputs[tensor.name].reshape(ours.shape))
        apart[found.status != 0] = 0
        most = SOUND_TOLERANCE if tensor.name in sounds else TOLERANCE
        differs |= (apart.reshape(len(apart), -1) > most).any(axis=1)
        worst[tensor.name] = max(worst[tensor.name], float(apart.max(initial=0.0)))
    return differs


def detail_of(tensor: ModelTensor) -> dict[str, Any]:
    """Return a tensor as an interpreter describes it: `dtype` and `quantization`."""
    steps = (tensor.scale or 0.0, tensor.zero_point or 0)
    return {"dtype": np.dtype(tensor.dtype).type, "quantization": steps}


@dataclass(frozen=True)
class _Block:
    """Some samples, and what Python decides of them."""

    preprocess: Preprocess
    raw: Arrays
    real: Arrays
    """Name -> model input (N, ...), float32 or int32."""
    file: FileEntry | ModelFile

    def differs(self, found: LibraryRun, outputs: Array, unsqueezed: Array | None) -> Array:
        """Return which samples (N,) are refused or decided otherwise in C.

        Args:
            found: what the library made of them.
            outputs: (N, ...), raw outputs of the file.
            unsqueezed: (N, ...), the same without squeezing; None: there is no detector.
        """
        refused = self._refused(len(outputs))
        differs = found.status != np.where(refused, OUTSIDE_STATUS, 0)
        kept = np.flatnonzero(~refused)
        raw = take(self.raw, kept)
        predictions = self._decode(outputs, kept)
        bare = predictions if unsqueezed is None else self._decode(unsqueezed, kept)

        def predict(raw: Arrays, document: Preprocess) -> Arrays:
            return predictions if document is self.preprocess else bare

        model = f"model_{self.file.format}.tflite"
        doubts = find_doubts(predict, raw, only(predictions), self.preprocess, model)
        rule = abstain_rule(self.preprocess, model)
        rows = decide_outputs(only(predictions), self.preprocess, raw, rule, doubts)
        same = self._compare_decision()
        for i, row in zip(kept, rows, strict=True):
            differs[i] |= not same(found, int(i), row["decision"])
        return differs

    def _refused(self, count: int) -> Array:
        """Return which samples (N,) Python refuses as far outside the training range."""
        refused = np.zeros(count, bool)
        for entry in self.preprocess.inputs:
            if entry.sanitize is not None and entry.sanitize.range == "refuse":
                refused[list(find_out_of_range(self.raw[entry.name], entry))] = True
        return refused

    def _decode(self, outputs: Array, kept: Array) -> Arrays:
        """Return the predictions of raw outputs (N, ...), of the samples `kept` (n,)."""
        tensor = self.file.outputs[0]
        raw = {tensor.name: outputs[kept]}
        details = {tensor.name: detail_of(tensor)}
        return decode_outputs(details, take(self.real, kept), raw, self.preprocess.anomaly)

    def _compare_decision(self) -> Callable[[LibraryRun, int, object], bool]:
        """Return what tells whether sample i got a decision: a label, a value, or abstain."""
        labels = self.preprocess.labels

        def same_label(found: LibraryRun, i: int, wanted: object) -> bool:
            place = int(found.decisions[i])
            assert labels is not None
            return bool((ABSTAIN if place < 0 else labels[place]) == wanted)

        def same_value(found: LibraryRun, i: int, wanted: object) -> bool:
            if not isinstance(wanted, float):  # abstain
                return int(found.decisions[i]) == 1
            value = float(found.values[i])
            if math.isnan(value) and math.isnan(wanted):
                return True
            return math.isclose(value, wanted, rel_tol=TOLERANCE, abs_tol=TOLERANCE * 1e-3)

        return same_value if labels is None else same_label
