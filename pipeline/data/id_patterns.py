"""What a sample's name says: its group, and whether it is of the test part."""

import re

import numpy as np

from pipeline.arrays import Array
from pipeline.data.memmap_arrays import blocks, map_array, number_of, where
from pipeline.data.samples import GIVEN
from pipeline.errors import ConfigError


def groups_of(ids: Array, pattern: str) -> Array:
    """Return the group that a pattern finds in each sample's name (N,).

    Raises:
        ConfigError: the pattern has no (…), or finds nothing in some names.
    """
    compiled = re.compile(pattern)
    if not compiled.groups:
        raise ConfigError(
            f"data.split.pattern: {pattern!r} has no (…) around the group's name; wanted one"
        )
    missed = where(ids, lambda names: np.array([not compiled.search(str(n)) for n in names]))
    if len(missed):
        raise ConfigError(
            f"data.split.pattern: {pattern!r} finds nothing in {len(missed)} of {len(ids)} names, "
            f"such as {ids[missed[0]]}"
        )

    def found(names: Array) -> Array:
        matches = (compiled.search(str(name)) for name in names)
        return np.array([match.group(1) for match in matches if match is not None])

    width = max((found(ids[part]).dtype.itemsize for part in blocks(ids)), default=4)
    return map_array(ids, found, f"<U{width // 4}")


def held_out(ids: Array, pattern: str) -> Array:
    """Return the code of test for each sample whose name the pattern finds, else 0 (N,).

    Raises:
        ConfigError: it finds none, or all.
    """
    compiled = re.compile(pattern)

    def codes(names: Array) -> list[int]:
        return [GIVEN["test"] if compiled.search(str(name)) else GIVEN[""] for name in names]

    given = map_array(ids, codes, np.int8)
    count = number_of(given, lambda block: block == GIVEN["test"])
    if count in (0, len(ids)):
        raise ConfigError(
            f"data.split.test_pattern: {pattern!r} finds {count} of {len(ids)} names, "
            f"such as {ids[0]}; wanted some"
        )
    return given
