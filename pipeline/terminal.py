"""How a run is printed: plain lines and bars, only errors, or one JSON object a line.

Stages log; a record that carries an event (`extra=event(...)`) has its facts in the JSON form. A
bar is drawn only on a terminal; elsewhere long work writes a plain line now and then.
"""

import contextlib
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Literal, TypeVar

from pipeline.escape import terminal

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Form = Literal["plain", "quiet", "json"]

WIDTH = 24  # signs of the bar
LINE_SECONDS = 10.0  # between two plain lines of one piece of work
DRAW_SECONDS = 0.1  # between two drawings of a bar
BLANK = "\r\x1b[K"


def event(name: str, **facts: object) -> dict[str, Any]:
    """Return what makes a log record an event: `log.info("…", extra=event("stage_ended", …))`."""
    return {"event": {"event": name, **facts}}


@contextlib.contextmanager
def set_output_form(form: Form) -> Iterator[None]:
    """Set the form of the output for a while; other packages log only warnings and errors.

    Args:
        form: plain: lines on stderr; quiet: nothing but errors; json: an object a line on stdout.
    """
    root, own = logging.getLogger(), logging.getLogger("pipeline")
    handler = JsonLines() if form == "json" else PlainLines()
    levels = {"plain": logging.INFO, "quiet": logging.ERROR, "json": logging.DEBUG}
    before = root.level, own.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    own.setLevel(levels[form])
    for noisy in ("absl", "tensorflow"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before[0])
        own.setLevel(before[1])


def has_bars() -> bool:
    """Tell whether bars and tables that move may be drawn on stderr."""
    return sys.stderr.isatty() and is_plain()


def is_plain() -> bool:
    """Return whether the output is plain lines for people."""
    is_json = any(isinstance(handler, JsonLines) for handler in logging.getLogger().handlers)
    is_quiet = logging.getLogger("pipeline").level > logging.INFO
    return not is_quiet and not is_json


class PlainLines(logging.Handler):
    """Writes a record's text on stderr, over a bar that may stand on the line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line."""
        try:
            clear = BLANK if sys.stderr.isatty() else ""
            sys.stderr.write(f"{clear}{terminal(self.format(record))}\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


class JsonLines(logging.Handler):
    """Writes one JSON object a record on stdout."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's event; of another record its level and text."""
        plain = {"event": "message", "level": record.levelname.lower()}
        facts = getattr(record, "event", None)
        if facts is None:
            facts = plain | {"text": self.format(record).strip()}
        try:
            sys.stdout.write(json.dumps(facts, default=str) + "\n")
            sys.stdout.flush()
        except Exception:
            self.handleError(record)


class Bar:
    """Shows how far a piece of work is, its rate, and the time that is left."""

    def __init__(self, total: int, unit: str, what: str) -> None:
        """Begin at nothing.

        Args:
            total: how many steps there will be.
            unit: what a step is, in the plural.
            what: the work, in a word or two.
        """
        self._total, self._unit, self._what = total, unit, what
        self._done, self._began = 0, time.monotonic()
        self._is_drawn = has_bars()
        self._shown = self._began

    def __enter__(self) -> "Bar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_drawn:
            sys.stderr.write(BLANK)
            sys.stderr.flush()

    def advance(self, steps: int = 1) -> None:
        """Count some steps as done, and show it where it is time to."""
        self._done += steps
        now = time.monotonic()
        if now - self._shown < (DRAW_SECONDS if self._is_drawn else LINE_SECONDS):
            return
        self._shown = now
        said = describe_progress(self._done, self._total, self._unit, seconds=now - self._began)
        if self._is_drawn:
            sys.stderr.write(
                f"\r          {draw_bar(self._done / self._total)} {self._what}  {said}"
            )
            sys.stderr.write("\x1b[K")
            sys.stderr.flush()
            return
        facts = {"what": self._what, "unit": self._unit, "done": self._done, "total": self._total}
        log.info("          %s: %s", self._what, said, extra=event("progress", **facts))


def draw_bar(share: float) -> str:
    """Return a bar of which a fraction in [0, 1] is done."""
    full = round(WIDTH * min(max(share, 0.0), 1.0))
    return "━" * full + "╌" * (WIDTH - full)


def describe_progress(done: int, total: int, unit: str, *, seconds: float) -> str:
    """Return how many steps are done, how fast, and how long the others take."""
    rate = done / max(seconds, 1e-9)
    left = f"{(total - done) / rate:.0f} s left" if done else "…"
    return f"{done}/{total} {unit}  {rate:.3g} {unit}/s  {left}"


def show_progress(items: Sequence[Item], unit: str, what: str) -> Iterator[Item]:
    """Yield each item, and show how far they are.

    Args:
        items: all of them.
        unit: what an item is, in the plural.
        what: the work, in a word or two.
    """
    with Bar(len(items), unit, what) as bar:
        for item in items:
            yield item
            bar.advance()
