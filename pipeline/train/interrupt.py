"""Ctrl-C and SIGTERM while a network learns: the step is finished and saved, then the program ends.

A second signal ends it at once; the last checkpoint remains.
"""

import functools
import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

Result = TypeVar("Result")

log = logging.getLogger(__name__)

_asked = threading.Event()


def finishing_steps(learn: Callable[..., Result]) -> Callable[..., Result]:
    """Hold signals back while a function runs that calls `is_asked` and `stop_if_asked`.

    One that comes after its last save ends the program when it returns.
    """

    @functools.wraps(learn)
    def held(*arguments: object, **named: object) -> Result:
        if threading.current_thread() is not threading.main_thread():
            return learn(*arguments, **named)  # signals reach only the main thread
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for number in before:
                signal.signal(number, _note)
            result = learn(*arguments, **named)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            was_asked = is_asked()
            _asked.clear()
        if was_asked:  # after the last save
            raise KeyboardInterrupt
        return result

    return held


def is_asked() -> bool:
    """Tell whether the program was asked to end, so that it is time to save."""
    return _asked.is_set()


def stop_if_asked() -> None:
    """End here, after a save, where that was asked for.

    Raises:
        KeyboardInterrupt: it was.
    """
    if _asked.is_set():
        raise KeyboardInterrupt


def _note(number: int, frame: FrameType | None) -> None:
    """Note the first signal; the second ends the program as Python does."""
    if _asked.is_set():
        signal.default_int_handler(number, frame)
    _asked.set()
    log.warning("          finishing this step and saving; again to stop at once")
