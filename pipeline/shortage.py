"""Memory or disk that runs out: whose error it is, which stage met it, and what to lower.

Libraries say it in many ways, some without the system's error number. No TensorFlow here.
"""

import contextlib
import errno
from collections.abc import Iterator
from typing import Any

from pipeline.errors import STORAGE_ERRORS, ShortageError
from pipeline.last_words import last_words

# Of numpy's tofile, HDF5, and TensorFlow's writers, which call a full disk an exhausted resource.
DISK_WORDS = ("No space left on device", "requested and 0 written", "errno = 28", "File too large")
MEMORY_KINDS = ("ResourceExhaustedError", "MemoryError", "_ArrayMemoryError")
MEMORY_WORDS = (
    "bad_alloc",
    "Cannot allocate memory",
    "CUDA_ERROR_OUT_OF_MEMORY",
    "OOM when allocating",
    "could not create a memory object",  # oneDNN, by TensorFlow's AbortedError
    "Cannot parse tensor from proto",  # TensorFlow, of a constant that finds no room
)
QUOTED = 160  # characters of what a library says
LOWER = {  # stage -> settings that its memory grows with, the strongest first
    "data": ("data.source", "data.batch_size"),
    "baseline": ("baseline",),
    "build": ("model",),
    "tune": ("data.batch_size", "tune.parallel"),
    "train": ("data.batch_size",),
    "harden": ("data.batch_size",),
    "compress": ("data.batch_size", "data.calibration_samples"),
    "export": ("data.calibration_samples",),
    "audit": ("audit.samples",),
}
ADVICE = {
    "data.source": "smaller samples (height, width, length or seconds in data.source)",
    "baseline": "no classical models (baseline: null)",
    "model": "a smaller network (model)",
}


def is_disk(error: BaseException) -> bool:
    """Tell whether an error says that a disk is full, whatever its kind."""
    said = str(error)
    is_partial = "requested and" in said and said.endswith("written")  # numpy's, without a number
    is_known = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return is_known or is_partial or any(words in said for words in DISK_WORDS)


def is_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out, whatever its kind."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    is_known = isinstance(error, OSError) and error.errno == errno.ENOMEM
    return (
        is_known
        or not kinds.isdisjoint(MEMORY_KINDS)
        or any(words in str(error) for words in MEMORY_WORDS)
    )


def words_of(error: BaseException) -> str | None:
    """Return what ran out, in a line; None where nothing did."""
    if is_disk(error):
        number = errno.EFBIG if "File too large" in str(error) else errno.ENOSPC
        place = getattr(error, "filename2", None) or getattr(error, "filename", None)
        return (f"{place}: " if place else "") + STORAGE_ERRORS[number]
    if is_memory(error):
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        telling = (line for line in lines if any(words in line for words in MEMORY_WORDS))
        said = next(telling, lines[0] if lines else type(error).__name__)
        return f"out of memory ({said[:QUOTED].rstrip()})"
    return None


@contextlib.contextmanager
def explain_shortage(stage: str, config: Any) -> Iterator[None]:
    """Turn what ran out in a stage into one message: the stage, and what to lower.

    Raises:
        ShortageError: memory or disk ran out.
    """
    try:
        with last_words(_message(stage, config, "out of memory (std::bad_alloc)")):
            yield
    except ShortageError as error:  # of another process: it knows neither stage nor config
        raise ShortageError(_message(stage, config, str(error))) from error
    except Exception as error:
        words = words_of(error)
        if words is None:
            raise
        raise ShortageError(_message(stage, config, words)) from error


def _message(stage: str, config: Any, words: str) -> str:
    if "out of memory" not in words:
        return f"{stage}: {words}"
    wanted = [_setting(path, config) for path in LOWER.get(stage, ())]
    cure = " or ".join(text for text in wanted if text)
    return f"{stage}: {words}. Try {cure or 'a smaller network (model)'}, or free memory"


def _setting(path: str, config: Any) -> str | None:
    """Return a setting with its value, as something to lower; None where it is off."""
    if path in ADVICE:
        return ADVICE[path]
    section, _, key = path.partition(".")
    value = getattr(getattr(config, section), key, None)
    return None if value is None or value == 1 else f"a lower {path} (now {value})"
