"""pydantic's errors -> what the user reads: where, what was wanted, what came, the nearest word."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from pipeline.config.document import Document, Path, Problem, dotted_path
from pipeline.config.section import Section
from pipeline.config.shape import (
    SHOWN_KEYS,
    choices_of,
    describe,
    did_you_mean,
    find_key,
    first_keys,
    is_told_by_keys,
    keys_of,
    kinds_of,
    locate,
    one_of,
    tag_of,
)

SHOWN_LENGTH = 40  # of a value in a message
RENAMED = {  # key of an earlier version -> what it is called now, which no spelling tells
    "metric_least": "min_metric",
    "metric_most": "max_error",
    "recording_least": "min_recording_auc",
    "robust_least": "min_robust_accuracy",
    "runtime_changes": "max_runtime_disagreement",
}


def problems_of(
    error: ValidationError, section: type[Section], document: Document
) -> list[Problem]:
    """Return one problem for each mistake that pydantic found in a document."""
    found = []
    for entry in error.errors(include_url=False, include_context=False):
        path, message = explain(entry, section, document.data)
        found.append(Problem(document.place_of(path), path, message))
    return list(dict.fromkeys(found))


def explain(entry: Mapping[str, Any], section: type[Section], data: object) -> tuple[Path, str]:
    """Return the path in the file that one of pydantic's errors is about, and the message.

    Args:
        entry: one of `ValidationError.errors()`.
        section: the type of the whole of `data`.
        data: what was validated.
    """
    path, shape = locate(section, entry["loc"])
    match entry["type"]:
        case "extra_forbidden":
            return path, _unknown_key(path, locate(section, entry["loc"][:-1])[1], section)
        case "missing":
            return path, f"missing; wanted {describe(shape)}"
        case "union_tag_not_found" | "union_tag_invalid":
            return _unknown_kind(path, shape, value_at(data, path))
    if entry["loc"][-1:] == ("[key]",):
        return path, _unknown_key(path, locate(section, entry["loc"][:-2])[1], section)
    came = value_at(data, path)
    near = did_you_mean(came, choices_of(shape)) if isinstance(came, str) else ""
    return path, f"wanted {describe(shape)}; came {quote_value(came)}{near}"


def value_at(data: object, path: Path) -> Any:
    """Return what stands at a path; None where there is nothing."""
    for part in path:
        if isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            data = data.get(part) if isinstance(data, dict) else None
    return data


def quote_value(value: object) -> str:
    """Return a value as a message quotes it: short, on one line, in YAML's words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            short = value if len(value) <= SHOWN_LENGTH else value[: SHOWN_LENGTH - 3] + "..."
            return repr(short)
        case dict():
            return "a mapping"
        case list() if any(isinstance(item, list | dict) for item in value) or len(value) > 6:
            return f"a list of {len(value)}"
        case list():
            return f"[{', '.join(quote_value(item) for item in value)}]"
    return str(value)


def _unknown_key(path: Path, around: object, section: type[Section]) -> str:
    """Return what to say of a key that the schema does not know here."""
    known, key = keys_of(around), str(path[-1])
    if RENAMED.get(key) in known:
        return f"unknown key; did you mean '{RENAMED[key]}'?"
    found = list(find_key(section, key))
    below = [
        dotted_path(p) for p in found if p[: len(path) - 1] == path[:-1] and len(p) > len(path)
    ]
    if below:
        return f"unknown key here; did you mean '{below[0]}'?"
    if near := did_you_mean(key, known):
        return f"unknown key{near}"
    elsewhere = list(dict.fromkeys(map(dotted_path, found)))
    if dotted_path(path) in elsewhere:
        return f"unknown key of this kind; there are {', '.join(known)}"
    if elsewhere:
        return f"unknown key here; did you mean '{elsewhere[0]}'?"
    return f"unknown key; known here: {', '.join(known[:SHOWN_KEYS])}"


def _unknown_kind(path: Path, shape: object, value: object) -> tuple[Path, str]:
    """Return what to say of a variant whose `kind` is missing or unknown."""
    if is_told_by_keys(shape) or not isinstance(value, dict):
        keys = (
            f"a mapping with {one_of(first_keys(shape))}"
            if is_told_by_keys(shape)
            else describe(shape)
        )
        return path, f"wanted {keys}; came {quote_value(value)}"
    kinds = kinds_of(shape)
    tag = str(tag_of(shape))
    if tag not in value:
        return (*path, tag), f"missing; wanted {one_of(kinds)}"
    kind = value[tag]
    return (
        *path,
        tag,
    ), f"wanted {one_of(kinds)}; came {quote_value(kind)}{did_you_mean(kind, kinds)}"
