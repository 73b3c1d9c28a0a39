"""What runs out is told once, with the stage and what to do, whichever library says it."""

import errno
import signal
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.config.schema import Config
from pipeline.errors import STORAGE_ERRORS, ShortageError
from pipeline.resource_errors import ADVICE, LOWER, _setting, explain_shortage


class ResourceExhaustedError(Exception):
    """As TensorFlow's, which tells memory and disk by it."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        np._core._exceptions._ArrayMemoryError((1 << 40,), np.dtype(np.uint8)),
        ResourceExhaustedError("OOM when allocating tensor with shape[64,1000000]"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("std::bad_alloc"),
        RuntimeError(
            "Graph execution error:\n\nStatus: 1, message: could not create a memory object"
        ),
        RuntimeError("Graph execution error:\nCannot parse tensor from proto: dtype: DT_FLOAT\n"),
    ],
)
@pytest.mark.parametrize(
    ("stage", "cure"),
    [
        ("train", "a lower data.batch_size (now 64)"),
        ("audit", "a lower audit.samples (now 1000)"),
        ("data", "smaller samples"),
        ("verify", "a smaller network (model)"),
    ],
)
def test_out_of_memory_names_the_stage_and_what_to_lower(
    make_config: Callable[..., Config], error: Exception, stage: str, cure: str
) -> None:
    with (
        pytest.raises(ShortageError) as caught,
        explain_shortage(stage, make_config()),
    ):
        raise error
    message = str(caught.value)
    assert message.startswith(f"{stage}: out of memory (")
    assert cure in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "runs/a/model.keras"),
        OSError("100 requested and 36 written"),
        OSError("Unable to write (errno = 28, error message = 'No space left on device')"),
        ResourceExhaustedError("events.out: No space left on device"),
    ],
)
def test_a_full_disk_is_one_line_whoever_says_it(
    make_config: Callable[..., Config], error: Exception
) -> None:
    with (
        pytest.raises(ShortageError) as caught,
        explain_shortage("train", make_config()),
    ):
        raise error
    assert str(caught.value).startswith("train: ")
    assert str(caught.value).endswith(STORAGE_ERRORS[errno.ENOSPC])


def test_what_another_process_ran_out_of_gets_stage_and_cure(
    make_config: Callable[..., Config],
) -> None:
    with (
        pytest.raises(ShortageError) as caught,
        explain_shortage("compress", make_config()),
    ):
        raise ShortageError("float_file: out of memory (too much)")
    assert "compress: float_file: out of memory" in str(caught.value)
    assert "data.batch_size (now 64) or a lower data.calibration_samples" in str(caught.value)


@pytest.mark.parametrize("error", [ValueError("memory is long"), OSError(errno.EBADF, "ours")])
def test_other_errors_stay_what_they_are(
    make_config: Callable[..., Config], error: Exception
) -> None:
    with (
        pytest.raises(type(error)) as caught,
        explain_shortage("train", make_config()),
    ):
        raise error
    assert caught.value is error


THROW = """
import ctypes, threading
from pipeline.resource_errors import report_bad_alloc
cpp = ctypes.CDLL("libstdc++.so.6")
def fail():
    getattr(cpp, "THROWER")(b"x")
with report_bad_alloc("train: out of memory. Try a lower data.batch_size"):
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="libstdc++ is Linux's")
@pytest.mark.parametrize(
    ("thrower", "code"),
    [("_ZSt17__throw_bad_allocv", 2), ("_ZSt19__throw_logic_errorPKc", -signal.SIGABRT)],
)
def test_memory_that_runs_out_in_cpp_is_told_too(thrower: str, code: int) -> None:
    program = THROW.replace("THROWER", thrower)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    told = "train: out of memory. Try a lower data.batch_size\n"
    assert (done.stderr == told) == (code == 2)


def test_every_setting_that_is_named_exists(make_config: Callable[..., Config]) -> None:
    for paths in LOWER.values():
        for path in paths:
            section, _, key = path.partition(".")
            found = Config.model_fields[section]
            assert found is not None
            assert path in ADVICE or _setting(
                path, make_config("tune={space: {train.ema: {float: [0.1, 0.2]}}, parallel: 2}")
            )
            assert key or path in ADVICE
