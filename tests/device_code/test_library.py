"""The C library computes what the NumPy form does, for every kind, on odd and hostile samples."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.arrays import Array, only
from pipeline.device.compiled import compile_library, find_compiler, run_library
from pipeline.documents.preprocess import AudioEntry
from pipeline.ondevice.decide import (
    ABSTAIN,
    OUTSIDE,
    SUSPECT,
    UNSURE,
    abstain_rule,
    decide_outputs,
    find_doubts,
)
from pipeline.ondevice.predict import decode_outputs, mask_detector_inputs
from pipeline.ondevice.prepare import prepare_inputs
from pipeline.ondevice.quantize import quantize
from pipeline.ondevice.sanitize import remove_squeezing
from tests.device_code.cases import CASES, Case

COUNT = 400
SOUND_TOLERANCE = 2e-5  # of features: logarithms of sums in another order
STATUS = {  # words of the refusal in Python -> code in the header
    "give one row a sample": 1,
    "give (N, height": 1,
    "wanted a number": 2,
    "a category from": 3,
    "far outside": 5,
    "holds NaN": 6,
}
WHY = {OUTSIDE: 1, UNSURE: 2, SUSPECT: 4}
pytestmark = pytest.mark.skipif(find_compiler() is None, reason="no C compiler here")


def detail_of(tensor: Any) -> dict[str, Any]:
    """Return what an interpreter says of a tensor."""
    steps = (tensor.scale or 0.0, tensor.zero_point or 0)
    return {"dtype": np.dtype(tensor.dtype).type, "quantization": steps}


def draw_outputs(case: Case, count: int, seed: int) -> Array:
    """Return raw outputs of a model (N, ...), ties among them."""
    tensor, rng = case.file.outputs[0], np.random.default_rng(seed)
    shape, dtype = (count, *tensor.shape[1:]), np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return rng.choice([0.0, 0.2, 0.25, 0.9], shape).astype(dtype)
    limits = np.iinfo(dtype)
    spread = np.where(rng.random((count,) + (1,) * (len(shape) - 1)) < 0.5, 255, 3)
    return (limits.min + rng.integers(0, 256, shape) % spread).astype(dtype)


class Expected:
    """What Python makes of one sample and the model's output for it."""

    def __init__(self, case: Case, raw: dict[str, Array], output: Array, bare: Array) -> None:
        self.status, self.inputs, self.decision, self.why = 0, {}, {}, 0
        preprocess, file = case.preprocess, case.file
        many = {name: values[None] for name, values in raw.items()}
        model = f"model_{file.format}.tflite"
        details = {t.name: detail_of(t) for t in (*file.inputs, *file.outputs)}
        try:
            with np.errstate(over="ignore"):  # which is refused
                real = prepare_inputs(many, preprocess)
            given = mask_detector_inputs(real, preprocess.anomaly)
            self.inputs = {n: quantize(x, details[n])[0] for n, x in given.items()}
            name = file.outputs[0].name
            decoded = [
                decode_outputs(details, real, {name: q[None]}, preprocess.anomaly)
                for q in (output, bare)
            ]
            squeezed = {id(preprocess): decoded[0]}

            def predict(raw: Any, document: Any) -> Any:
                return squeezed.get(id(document), decoded[1])

            doubts = find_doubts(predict, many, only(decoded[0]), preprocess, model)
            rule = abstain_rule(preprocess, model)
            (self.decision,) = decide_outputs(only(decoded[0]), preprocess, many, rule, doubts)
            self.why = sum(WHY[reason] for reason in self.decision["why"])
        except ValueError as error:
            self.status = next(code for words, code in STATUS.items() if words in str(error))


def expect(case: Case, raw: dict[str, list[Array]], outputs: Array, bare: Array) -> list[Expected]:
    return [
        Expected(case, {name: x[i] for name, x in raw.items()}, outputs[i], bare[i])
        for i in range(len(outputs))
    ]


def run(folder: Path, name: str, flags: Sequence[str] = ()) -> tuple[Any, list[Expected]]:
    case = CASES[name]
    compiler = [find_compiler() or "cc", *flags]
    program = compile_library(folder, name, case.preprocess, file=case.file, compiler=compiler)
    raw = case.sample(COUNT, 0)
    outputs, bare = draw_outputs(case, COUNT, 1), draw_outputs(case, COUNT, 2)
    has_detector = (case.preprocess.detector or {}).get(case.file.format) is not None
    found = run_library(
        [program], case.preprocess, raw, file=case.file, outputs=outputs,
        unsqueezed=bare if has_detector else None,
    )  # fmt: skip
    return found, expect(case, raw, outputs, bare)


@pytest.mark.parametrize("name", CASES)
def test_the_c_library_does_what_python_does(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    found, wanted = run(tmp_path, name)
    np.testing.assert_array_equal(found.status, [row.status for row in wanted])
    good = [i for i, row in enumerate(wanted) if row.status == 0]
    assert good
    is_sound = any(isinstance(entry, AudioEntry) for entry in case.preprocess.inputs)
    for tensor in case.file.inputs:
        ours = np.array([wanted[i].inputs[tensor.name] for i in good])
        theirs = found.inputs[tensor.name][good]
        if is_sound:
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=SOUND_TOLERANCE)
        else:
            np.testing.assert_array_equal(theirs, ours)
    assert found.why[good].tolist() == [wanted[i].why for i in good]
    for i in good:
        check_decision(case, found, i, wanted[i].decision)


def test_a_detector_compares_with_the_sample_as_it_came(tmp_path: Path) -> None:
    case = CASES["image_detector"]
    found, wanted = run(tmp_path, "image_detector")
    raw, bare = case.sample(COUNT, 0), remove_squeezing(case.preprocess)
    good = [i for i, row in enumerate(wanted) if row.status == 0]
    for i in good:
        real = prepare_inputs({"image": raw["image"][i][None]}, bare)["image"]
        ours = quantize(real, detail_of(case.file.inputs[0]))[0]
        np.testing.assert_array_equal(found.unsqueezed["image"][i], ours)
    assert {found.why[i] for i in good} == {0, WHY[SUSPECT]}


def check_decision(case: Case, found: Any, i: int, wanted: dict[str, Any]) -> None:
    labels = case.preprocess.labels
    if labels is None:
        assert (found.decisions[i] == 1) == (wanted["decision"] == ABSTAIN)
        if wanted["decision"] != ABSTAIN:
            np.testing.assert_allclose(found.values[i], wanted["decision"], rtol=1e-12)
        return
    decision = found.decisions[i]
    assert (ABSTAIN if decision < 0 else labels[decision]) == wanted["decision"]
    assert [labels[k] for k in found.top[i]] == [label for label, _ in wanted["top"]]
    chances = [chance for _, chance in wanted["top"]]
    np.testing.assert_allclose(found.probabilities[i], chances, rtol=1e-6)


@pytest.mark.parametrize("name", ["columns", "series_squeezed", "image", "characters"])
def test_refusals_and_reasons_are_all_tried(name: str) -> None:
    case = CASES[name]
    raw = case.sample(COUNT, 0)
    outputs = draw_outputs(case, COUNT, 1)
    seen = {(row.status, row.why) for row in expect(case, raw, outputs, outputs)}
    wanted = {
        "columns": {(0, 0), (2, 0), (3, 0)},
        "series_squeezed": {(0, 0), (0, 1), (2, 0)},
        "image": {(0, 0), (1, 0)},
        "characters": {(0, 0), (0, 1), (1, 0)},
    }
    assert seen >= wanted[name]
