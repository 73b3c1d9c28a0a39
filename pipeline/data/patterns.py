"""What a sample's name says: its group, and whether it is of the test part."""

import re

import numpy as np

from pipeline.data.samples import GIVEN, Array
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
    matches = [compiled.search(str(name)) for name in ids]
    missed = [str(name) for name, match in zip(ids, matches, strict=True) if match is None]
    if missed:
        raise ConfigError(
            f"data.split.pattern: {pattern!r} finds nothing in {len(missed)} of {len(ids)} names, "
            f"such as {missed[0]}"
        )
    return np.array([match.group(1) for match in matches if match is not None])


def held_out(ids: Array, pattern: str) -> Array:
    """Return the code of test for each sample whose name the pattern finds, else 0 (N,).

    Raises:
        ConfigError: it finds none, or all.
    """
    is_test = np.array([re.search(pattern, str(name)) is not None for name in ids])
    if is_test.all() or not is_test.any():
        raise ConfigError(
            f"data.split.test_pattern: {pattern!r} finds {int(is_test.sum())} of {len(ids)} names, "
            f"such as {ids[0]}; wanted some"
        )
    return np.where(is_test, GIVEN["test"], 0).astype(np.int8)
