"""What a process says when C++ finds no memory, which ends it without asking Python.

TensorFlow's kernels throw std::bad_alloc in threads where nobody catches it; the C++ runtime then
calls its terminate handler, and this is one. Where there is no libstdc++, nothing changes.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator

from pipeline.errors import ShortageError

SET_TERMINATE = "_ZSt13set_terminatePFvvE"  # std::set_terminate(void (*)()), Itanium C++ ABI
NO_MEMORY = (b"St9bad_alloc", b"St20bad_array_new_length")  # names of types, by the same ABI
Handler = ctypes.CFUNCTYPE(None)


@contextlib.contextmanager
def last_words(message: str) -> Iterator[None]:
    """While the block runs, say this and leave with a shortage's code when C++ has no memory."""
    try:
        cpp = ctypes.CDLL("libstdc++.so.6")
        install, current = getattr(cpp, SET_TERMINATE), cpp.__cxa_current_exception_type
    except (OSError, AttributeError):
        yield
        return
    install.restype, install.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    current.restype = ctypes.c_void_p
    words, code = f"{message}\n".encode(), ShortageError.exit_code

    def end() -> None:
        kind = current()
        if kind and _name(kind) in NO_MEMORY:
            os.write(2, words)
            os._exit(code)
        os.abort()

    handler = Handler(end)  # alive as long as the block
    before = install(ctypes.cast(handler, ctypes.c_void_p))
    try:
        yield
    finally:
        install(before)


def _name(kind: int) -> bytes | None:
    """Return the name in a std::type_info: the second of its pointers."""
    return ctypes.cast(kind + ctypes.sizeof(ctypes.c_void_p), ctypes.POINTER(ctypes.c_char_p))[0]
