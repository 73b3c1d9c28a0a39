"""What an attacker may change of a sample; part of audit.json and robustness.json."""

from pipeline.documents.record import Record


class ValueChange(Record):
    """How far one column, one channel, or all values of an input can be moved."""

    name: str
    """Column or channel; the input's own name where all values move alike."""
    max_change: float | None
    """Largest change under the norm, in the value's own unit; null: a category."""
    low: float | None
    """Smallest value that is reached; null: a category."""
    high: float | None
    """Largest value that is reached; null: a category."""
    is_integer: bool | None
    """Whether it stays a whole number; null: a category."""
    categories: tuple[str, ...] | None
    """Categories that it can become; null: a number."""


class InputChange(Record):
    """What can be changed of one input."""

    kind: str
    """Kind of sample."""
    is_raw: bool = True
    """Whether raw samples are changed; else the prepared model input is."""
    values: tuple[ValueChange, ...] = ()
    """Its columns, channels or values that move."""
    tokens: int | None = None
    """Words of a text that can be replaced, at most; null: no text."""
    candidates: int | None = None
    """Nearest words that each can be replaced by; null: no text."""


class ThreatModel(Record):
    """The perturbation set of an attack."""

    inputs: dict[str, InputChange]
    """Input -> what can be changed of it; other inputs stay."""
    classes: tuple[str, ...] | None
    """Classes whose samples are attacked; null: all."""
