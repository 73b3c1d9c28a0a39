"""advice.json: what to do next, the weightiest first."""

from typing import Literal

from pydantic import Field

from pipeline.documents.record import Record


class Advice(Record):
    """One piece of advice."""

    code: str
    """Name of the rule."""
    weight: float
    """How much it matters, in [0, 1]."""
    text: str
    """A sentence with its evidence."""


class AdviceList(Record):
    """Contents of advice.json, written by `report`."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    advice: tuple[Advice, ...]
    """The weightiest first."""
