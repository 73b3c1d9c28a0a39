"""`--set key=value` arguments, laid over a document before it is validated."""

import re
from typing import Any

from pipeline.config.document import (
    NESTING_LIMIT,
    Document,
    Path,
    Place,
    Problem,
    dotted_path,
    parse,
)

PATH_PART = re.compile(r'"([^"]*)"|([^."]+)')
POSITION = re.compile(r"[0-9]{1,6}")
SHOWN_LENGTH = 60  # of an argument in messages; the key stands behind it anyway


def override(document: Document, number: int, argument: str) -> None:
    """Apply one `--set key=value` to a document, in place.

    Args:
        document: what to change.
        number: which `--set` it is, from 1.
        argument: dotted path, `=`, and the value in YAML; `"a.b"` is one part that holds a dot.
    """
    shown = argument if len(argument) <= SHOWN_LENGTH else argument[: SHOWN_LENGTH - 3] + "..."
    place = Place(number, 0, f"--set {' '.join(shown.split())}")
    key, equals, value = argument.partition("=")
    path = _parse_path(key.strip())
    if not equals or path is None or len(path) > NESTING_LIMIT:
        problem = "wanted key=value, such as train.epochs=3"
        document.problems.append(Problem(place, (), problem))
        return
    try:
        path = resolve(document.data, path)
    except ValueError as error:
        document.problems.append(Problem(place, path, str(error)))
        return
    given = parse(value, lambda line: place, path)
    set_value(document.data, path, given.data)
    for old in [old for old in document.places if old[: len(path)] == path]:
        del document.places[old]
    for depth in range(1, len(path)):
        document.places.setdefault(path[:depth], place)
    document.places |= given.places
    document.problems += given.problems
    document.unread = {old for old in document.unread if old[: len(path)] != path} | given.unread


def _parse_path(key: str) -> Path | None:
    """Return the parts of a dotted path; None: it is not one."""
    parts: list[str] = []
    position = 0
    while match := PATH_PART.match(key, position):
        parts.append(match[2] if match[1] is None else match[1])
        position = match.end()
        if position == len(key):
            return tuple(parts)
        if key[position] != ".":
            return None
        position += 1
    return None


def resolve(data: object, path: Path) -> Path:
    """Return a path with numbers for positions in lists.

    Args:
        data: mappings, lists and values; null stands for a mapping that is not written yet.
        path: keys and positions, positions as text or number.

    Raises:
        ValueError: no value can be put there.
    """
    holder: Any = data
    found: Path = ()
    for part in path:
        above, is_position = dotted_path(found), POSITION.fullmatch(str(part)) is not None
        if isinstance(holder, list):
            if not is_position or int(part) >= len(holder):
                raise ValueError(f"{above} has {len(holder)} entries; wanted a position from 0")
            found, holder = (*found, int(part)), holder[int(part)]
            continue
        if holder is None and is_position:
            raise ValueError(f"{above} is not in the file; give the whole list")
        if holder is not None and not isinstance(holder, dict):
            raise ValueError(f"{above} holds one value and no keys")
        found, holder = (*found, part), None if holder is None else holder.get(part)
    return found


def set_value(data: object, path: Path, value: object) -> None:
    """Place a value at a resolved path, in place, making the mappings on the way."""
    holder: Any = data
    for part in path[:-1]:
        if isinstance(holder, dict):
            holder.setdefault(part, None)
        holder[part] = {} if holder[part] is None else holder[part]
        holder = holder[part]
    holder[path[-1]] = value
