"""Rules for `tune.space`: every path is a setting, and every value at its ends may stand there."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path as File
from typing import Any

from pydantic import ValidationError

from pipeline.config.document import Path, dotted
from pipeline.config.messages import explain
from pipeline.config.overrides import put, resolve
from pipeline.config.shape import did_you_mean

SEARCHED = ("model", "train")


def check_space(config: Any, base: File) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong with the search space, path and message.

    Args:
        config: has `model`, `train` and `tune`; or is the sound part of a config.
        base: unused; every rule takes it.
    """
    if config.tune is None:
        return
    dumped = config.model_dump(mode="json")
    for dotted_path, searched in config.tune.space.items():
        entry: Path = ("tune", "space", dotted_path)
        path = tuple(dotted_path.split("."))
        wrong = _range_mistake(searched) or _path_mistake(path, config.model.kind)
        if wrong:
            yield entry, wrong
            continue
        for value in _ends(searched):
            wrong = _value_mistake(type(config), dumped, path, value)
            if wrong:
                yield entry, wrong
                break


def _ends(searched: Any) -> tuple[Any, ...]:
    """Return the values that decide whether all of a range may be used."""
    for name in ("int", "float", "choice"):
        if hasattr(searched, name):
            return tuple(getattr(searched, name))
    raise TypeError(type(searched))


def _range_mistake(searched: Any) -> str | None:
    """Return what is wrong with a range in itself."""
    ends = _ends(searched)
    if hasattr(searched, "choice"):
        return "a choice is listed twice; take one out" if _has_twice(ends) else None
    low, high = ends
    if low >= high:
        return f"wanted the lowest value, then a higher one; came [{low:g}, {high:g}]"
    if getattr(searched, "log", False) and low <= 0:
        return f"log: true needs values above 0; came [{low:g}, {high:g}]"
    if getattr(searched, "step", 0) > high - low:
        return f"the step {searched.step} is wider than the range [{low}, {high}]"
    return None


def _has_twice(values: tuple[Any, ...]) -> bool:
    return len({(type(value), value) for value in values}) < len(values)


def _path_mistake(path: Path, kind: str) -> str | None:
    """Return why a path cannot be searched; unknown keys are found when a value is put there."""
    if path[0] not in SEARCHED or not path[1:]:
        near = did_you_mean(path[0], SEARCHED)
        return f"wanted a setting of {' or '.join(SEARCHED)}, such as model.dropout{near}"
    if path[0] == "model" and kind in ("file", "application"):
        return f"the network of {kind} is made before the search; wanted a setting of train"
    if path[-1] == "kind":
        return "a kind brings keys of its own and cannot be searched; write a config for each kind"
    return None


def _value_mistake(section: Any, dumped: dict[str, Any], path: Path, value: Any) -> str | None:
    """Return why a value may not stand at a path; None: it may."""
    data = deepcopy(dumped)
    try:
        path = resolve(data, path)
        put(data, path, value)
        section.model_validate_json(json.dumps(data))
    except ValidationError as error:
        found, message = explain(error.errors(include_url=False)[0], section, data)
        where = "" if found == path else f"{dotted(found)}: "
        return f"{where}{message}"
    except ValueError as error:
        return str(error)
    return None
