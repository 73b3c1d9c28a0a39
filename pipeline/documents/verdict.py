"""verdict.json: every gate's result for every file, and whether the shipped file passed."""

from typing import Literal

from pydantic import Field

from pipeline.documents.record import Record


class GateResult(Record):
    """How a file stands to one gate."""

    name: str
    """Key of the config's `gate` section, or audit_checks."""
    value: int | float | None
    """What was measured, in the gate's unit; null: not measured, which fails."""
    limit: int | float
    """What was asked, in the same unit."""
    direction: Literal["at least", "at most", "more than"]
    """Which side of the limit passes."""
    passed: bool
    """Whether the value is on that side."""
    remediation: str | None
    """What to try; null where the gate passed."""


class Verdict(Record):
    """Contents of verdict.json, written by `gate`."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    passed: bool
    """Whether the shipped file passed every gate; else nothing is published."""
    ships: str
    """Format of the shipped file."""
    gates: dict[str, tuple[GateResult, ...]]
    """Format -> the results of its file."""

    @property
    def decisive(self) -> tuple[GateResult, ...]:
        """The results of the shipped file."""
        return self.gates[self.ships]
