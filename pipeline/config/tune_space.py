"""The search space as plain data: its order, its conditions, and values laid over a config. Pure.

An entry is the dump of a section of `tune.space`: a choice, an int or a float range, and `when`.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from pipeline.config.document import Path
from pipeline.config.overrides import resolve, set_value

Entry = Mapping[str, Any]
Space = Mapping[str, Entry]
Values = dict[str, Any]


def ends(entry: Entry) -> list[Any]:
    """Return the values that decide whether all of an entry may be used."""
    if "choice" in entry:
        return list(entry["choice"])
    if "float" in entry:
        return list(entry["float"])
    low, high = entry["int"]
    return [low, high - (high - low) % entry["step"]]


def conditions(entry: Entry) -> dict[str, list[Any]]:
    """Return path -> the values at which an entry is searched."""
    given = entry["when"].items()
    return {path: list(v) if isinstance(v, list | tuple) else [v] for path, v in given}


def is_active(entry: Entry, values: Mapping[str, Any]) -> bool:
    """Tell whether an entry is searched beside these values of others."""
    return all(
        path in values and values[path] in wanted for path, wanted in conditions(entry).items()
    )


def in_order(space: Space) -> tuple[list[str], list[str]]:
    """Return the paths, each behind those it depends on, and the paths that depend in a circle.

    A condition on a path that is not searched counts as none here.
    """
    placed: list[str] = []
    left = list(space)
    while True:
        free = [p for p in left if all(c in placed or c not in space for c in space[p]["when"])]
        if not free:
            return placed, left
        placed.append(free[0])
        left.remove(free[0])


def laid_over(data: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dumped config with values in place; a section of another kind begins anew.

    Raises:
        ValueError: a value cannot be put there.
    """
    laid: dict[str, Any] = deepcopy(dict(data))
    for dotted_path in sorted(values, key=_depth):
        path = resolve(laid, tuple(dotted_path.split(".")))
        section, value = path[:-1], values[dotted_path]
        if path[-1] == "kind" and value != _at(laid, path):
            set_value(laid, section, {"kind": value})
        else:
            set_value(laid, path, deepcopy(value))
    return laid


def _depth(dotted_path: str) -> tuple[int, bool]:
    """Return what puts sections before their parts, and a kind before its section's other keys."""
    *above, last = dotted_path.split(".")
    return len(above) + (last != "kind"), last == "kind"


def _at(data: object, path: Path) -> Any:
    for part in path:
        if isinstance(data, list):
            data = data[int(part)]
        else:
            data = data.get(part) if isinstance(data, dict) else None
    return data


def contexts(space: Space, path: str) -> Iterator[Values]:
    """Yield the values of other entries that decide what may stand at a path, in each combination.

    These are its conditions, theirs in turn, and the choices that replace a section it lies in.
    """
    deciding = _deciding(space, path)
    order = [name for name in in_order(space)[0] if name in deciding]
    for combination in itertools.product(*(ends(space[name]) for name in order)):
        found = dict(zip(order, combination, strict=True))
        active = {name: value for name, value in found.items() if is_active(space[name], found)}
        if active == found and is_active(space[path], found):
            yield found


def _deciding(space: Space, path: str) -> set[str]:
    """Return the choices that matter to a path."""
    wanted = [path]
    found: set[str] = set()
    while wanted:
        name = wanted.pop()
        others = {other for other in space if other != name and _replaces(other, name)}
        for other in sorted(others | set(space[name]["when"])):
            if other in space and other != path and "choice" in space[other] and other not in found:
                found.add(other)
                wanted.append(other)
    return found


def _replaces(path: str, other: str) -> bool:
    """Tell whether a value at a path replaces what another path lies in."""
    section = path.removesuffix(".kind")
    return other != path and (other + ".").startswith(section + ".")


def grid_points(entry: Entry) -> list[Any]:
    """Return the values of an entry that a grid tries, in order."""
    if "choice" in entry:
        return list(entry["choice"])
    low, high = ends(entry)
    if "int" in entry:
        return list(range(low, high + 1, entry["step"]))
    count = entry["points"]
    shares = [step / (count - 1) for step in range(count)]
    if entry["log"]:
        inner = [low * (high / low) ** share for share in shares]
    else:
        inner = [low + share * (high - low) for share in shares]
    return [low, *inner[1:-1], high]


def grid(space: Space) -> Iterator[Values]:
    """Yield every combination of the space once, the last entry changing fastest."""
    yield from _combined(space, in_order(space)[0], {})


def _combined(space: Space, order: Sequence[str], chosen: Values) -> Iterator[Values]:
    if not order:
        yield dict(chosen)
        return
    path, *rest = order
    if not is_active(space[path], chosen):
        yield from _combined(space, rest, chosen)
        return
    for value in grid_points(space[path]):
        yield from _combined(space, rest, {**chosen, path: value})
