"""Memory or disk that runs out: whose error it is, which stage met it, and what to lower.

Libraries say it in many ways, some without the system's error number. No TensorFlow here.
"""

import contextlib
import ctypes
import errno
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.errors import STORAGE_ERRORS, ShortageError

if TYPE_CHECKING:
    from pipeline.config.schema import Config

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
SET_TERMINATE = "_ZSt13set_terminatePFvvE"  # std::set_terminate(void (*)()), Itanium C++ ABI
NO_MEMORY = (b"St9bad_alloc", b"St20bad_array_new_length")  # names of types, by the same ABI
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
def explain_shortage(stage: str, config: "Config") -> Iterator[None]:
    """Turn what ran out in a stage into one message: the stage, and what to lower.

    Raises:
        ShortageError: memory or disk ran out.
    """
    try:
        with report_bad_alloc(_message(stage, config, "out of memory (std::bad_alloc)")):
            yield
    except ShortageError as error:  # of another process: it knows neither stage nor config
        raise ShortageError(_message(stage, config, str(error))) from error
    except Exception as error:
        words = words_of(error)
        if words is None:
            raise
        raise ShortageError(_message(stage, config, words)) from error


def _message(stage: str, config: "Config", words: str) -> str:
    if "out of memory" not in words:
        return f"{stage}: {words}"
    wanted = [_setting(path, config) for path in LOWER.get(stage, ())]
    cure = " or ".join(text for text in wanted if text)
    return f"{stage}: {words}. Try {cure or 'a smaller network (model)'}, or free memory"


def _setting(path: str, config: "Config") -> str | None:
    """Return a setting with its value, as something to lower; None where it is off."""
    if path in ADVICE:
        return ADVICE[path]
    section, _, key = path.partition(".")
    value = getattr(getattr(config, section), key, None)
    return None if value is None or value == 1 else f"a lower {path} (now {value})"


@contextlib.contextmanager
def report_bad_alloc(message: str) -> Iterator[None]:
    """While the block runs, an uncaught std::bad_alloc ends the process with a message.

    TensorFlow's kernels throw it in threads where nobody catches it. The C++ runtime then calls its
    terminate handler, and this installs one. Where there is no libstdc++, nothing changes.
    """
    try:
        cpp = ctypes.CDLL("libstdc++.so.6")
        install, current = getattr(cpp, SET_TERMINATE), cpp.__cxa_current_exception_type
    except (OSError, AttributeError):
        yield
        return
    install.restype, install.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    current.restype = ctypes.c_void_p
    line, code = f"{message}\n".encode(), ShortageError.exit_code

    def end() -> None:
        kind = current()
        if kind and _type_name(kind) in NO_MEMORY:
            os.write(2, line)
            os._exit(code)
        os.abort()

    handler = ctypes.CFUNCTYPE(None)(end)  # alive as long as the block
    before = install(ctypes.cast(handler, ctypes.c_void_p))
    try:
        yield
    finally:
        install(before)


def _type_name(kind: int) -> bytes | None:
    """Return the name in a std::type_info: the second of its pointers."""
    return ctypes.cast(kind + ctypes.sizeof(ctypes.c_void_p), ctypes.POINTER(ctypes.c_char_p))[0]
