"""Rules about what is measured, and what must hold."""

from collections.abc import Iterator
from pathlib import Path as File
from typing import Any

from pipeline.config.document import Path

ARENA = ("gate", "arena_bytes")
INTEGERS = ("int8", "int16x8")


def arena_is_measured(config: Any, base: File) -> Iterator[tuple[Path, str]]:
    """Refuse a limit that nothing will be held against."""
    if config.gate.arena_bytes is None:
        return
    if "tflite-micro" not in config.verify.runtimes:
        yield ARENA, "tflite-micro says how much it is; add tflite-micro to verify.runtimes"
    ships = config.export.ships
    if ships not in ("auto", *INTEGERS):
        yield ARENA, f"is for integer files and {ships} ships; wanted export.ships: auto or int8"
