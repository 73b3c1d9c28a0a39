"""The C library on an emulated Cortex-M0, M4F and M55: it computes there what it does here."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.device.compiled import compile_library, find_compiler, run_library
from pipeline.ondevice.prepare import prepare_inputs
from tests.device_code.cases import CASES
from tests.device_code.cortex import CORES, build, emulate, footprint, why_missing
from tests.device_code.test_library import SOUND_TOLERANCE, draw_outputs

COUNT = 60
KINDS = ["table_abstains", "columns", "codes", "series_squeezed", "forecast", "anomaly"]
KINDS += ["image", "image_detector", "words", "characters", "sound", "mfcc", "two_inputs"]
SMALL = ["-DIMAGE_IMAGE_MAX_HEIGHT=48", "-DIMAGE_IMAGE_MAX_WIDTH=48"]
MOST_FLASH = 12_000  # bytes: of any one kind, without its vocabulary
MOST_INSTRUCTIONS = 60_000  # of a frame: 40 log-mel bands at 16 kHz, 30 ms
SINGLE_TOLERANCE = 1e-3  # of a log-mel band in single precision, where none is far weaker
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_compiler() is None, reason="no C compiler here"),
    pytest.mark.skipif(why_missing() is not None, reason=str(why_missing())),
]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("core", CORES)
def test_a_microcontroller_computes_what_the_host_does(
    core: str, name: str, tmp_path: Path
) -> None:
    case = CASES[name]
    raw, outputs = case.sample(COUNT, 0), draw_outputs(case, COUNT, 1)
    build(tmp_path, name, case, CORES[core], SMALL)
    found, counts = emulate(tmp_path, case, CORES[core], raw=raw, outputs=outputs)
    program = compile_library(
        tmp_path, name, case.preprocess, file=case.file, compiler=[str(find_compiler())]
    )
    bare = outputs if case.preprocess.detector else None
    here = run_library(
        [program], case.preprocess, raw, file=case.file, outputs=outputs, unsqueezed=bare
    )
    np.testing.assert_array_equal(found.status, here.status)
    good = here.status == 0
    is_sound = "sound" in case.draw
    for tensor, wanted in here.inputs.items():
        atol = SOUND_TOLERANCE if is_sound else 0
        np.testing.assert_allclose(
            found.inputs[tensor][good].astype(float), wanted[good].astype(float), rtol=0, atol=atol
        )
    np.testing.assert_array_equal(found.decisions, here.decisions)
    np.testing.assert_array_equal(found.why, here.why)
    np.testing.assert_allclose(found.values, here.values, rtol=1e-12)
    assert min(counts) > 0


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", CASES)
def test_a_library_is_small(core: str, name: str, tmp_path: Path) -> None:
    more = [f"-D{name.upper()}_FLOAT32"]
    build(tmp_path, name, CASES[name], CORES[core], more)
    assert footprint(tmp_path, name, CORES[core], more).flash <= MOST_FLASH


def test_a_frame_of_sound_costs_a_float_unit_60000_instructions(tmp_path: Path) -> None:
    case, core = CASES["speech"], CORES["cortex-m4f"]
    build(tmp_path, "speech", case, core, ["-DSPEECH_FLOAT32"])
    raw, outputs = case.sample(3, 0), draw_outputs(case, 3, 1)
    found, (instructions, _) = emulate(tmp_path, case, core, raw=raw, outputs=outputs)
    assert instructions / 49 <= MOST_INSTRUCTIONS
    ours = prepare_inputs({"sound": np.array(raw["sound"])}, case.preprocess)["sound"]
    np.testing.assert_allclose(found.inputs["sound"], ours, rtol=0, atol=SINGLE_TOLERANCE)
