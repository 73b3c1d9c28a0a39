"""Parts that the data give: files of a part each, or a column that says the part of a row."""

from pathlib import Path

from pipeline.data.folder_layout import part_of
from pipeline.errors import ConfigError


def read_part(path: Path, line: int, column: str, *, cell: str) -> str:
    """Return train, validation or test of a row.

    Args:
        path: of the file.
        line: of the row.
        column: that says the part.
        cell: what stands there.

    Raises:
        ConfigError: it is none of these, nor another usual word for one.
    """
    part = part_of(cell) if cell else None
    if part is None:
        raise ConfigError(
            f"{path}:{line}: {column}: {cell!r} is no part; wanted train, validation or test; "
            "repair it, or leave data.source.split out"
        )
    return part
