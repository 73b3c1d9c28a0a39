"""Runs and bundles side by side: figures, what differs, and which equality holds. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.artifacts import SCHEMA
from pipeline.compare.equality import CLASSES, equality, weights
from pipeline.compare.sides import Side

ABSENT = "not there"
ON = "on"
SHORT = 12  # signs of a hash that tell files apart


def compare(sides: Sequence[Side]) -> dict[str, Any]:
    """Return all that is told of the sides; the first is what the others are compared with.

    Returns:
        sides: a row each; figures: name -> value of each; config, packages, data, files: path ->
        value of each, where they differ; pairs: the first with each other, with its equality and
        that of the reference weights.
    """
    first = sides[0]
    return {
        "schema": SCHEMA,
        "sides": [_head(side) for side in sides],
        "figures": _figures(sides),
        "config": different(settings([side.config for side in sides])),
        "packages": different(shared_values([side.packages for side in sides])),
        "data": different([flat(side.data) for side in sides]),
        "files": _files(sides),
        "pairs": [_pair(first, other) for other in sides[1:]],
    }


def _head(side: Side) -> dict[str, Any]:
    own = side.files[side.ships]
    return {
        "name": side.name,
        "kind": side.kind,
        "task": side.task,
        "ships": side.ships,
        "passed": side.passed,
        "sha256": own["sha256"],
        "made": dict(side.made),
    }


def _figures(sides: Sequence[Side]) -> dict[str, list[Any]]:
    """Return name -> value of each side, of the file that ships and of its reference."""
    metrics = list(dict.fromkeys(name for side in sides for name in side.reference["metrics"]))
    shipped = [side.files[side.ships] for side in sides]
    rows = {
        f"{name} as it ships": [own["metrics"].get(name) for own in shipped] for name in metrics
    }
    rows |= {
        f"{name} trained": [side.reference["metrics"].get(name) for side in sides]
        for name in metrics
    }
    return rows | {
        "ships": [side.ships for side in sides],
        "bytes": [own["bytes"] for own in shipped],
        "weights": [side.reference["parameters"] for side in sides],
        "agreement with trained": [own["parity"]["agreement"] for own in shipped],
        "robust accuracy": [own["robust"] for own in shipped],
        "test samples": [side.data["samples"] for side in sides],
        "seconds": [side.made.get("seconds") for side in sides],
    }


def settings(configs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return dotted path -> value of each config, without the name of the run.

    A section that is off in one and on in another is one row.
    """
    rows = []
    for config in configs:
        own = {name: value for name, value in config.items() if name != "name"}
        for name in own:
            others = [other.get(name) for other in configs]
            if own[name] is not None and any(value is None for value in others):
                own[name] = ON
        rows.append(flat(own))
    return rows


def shared_values(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what every row has: a bundle names fewer packages than a run."""
    common = set.intersection(*(set(row) for row in rows))
    return [{name: row[name] for name in sorted(common)} for row in rows]


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return dotted path -> value of nested mappings; lists stay whole."""
    if not isinstance(value, Mapping) or not value:
        return {path: value}
    found: dict[str, Any] = {}
    for name, part in value.items():
        found |= flat(part, f"{path}.{name}" if path else str(name))
    return found


def different(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return path -> value of each row, where they are not all equal."""
    paths = dict.fromkeys(path for row in rows for path in row)
    found = {path: [row.get(path, ABSENT) for row in rows] for path in paths}
    return {path: values for path, values in found.items() if any(v != values[0] for v in values)}


def _files(sides: Sequence[Side]) -> dict[str, list[str]]:
    """Return file -> how its bytes stand to the first side's; the reference is one of them."""
    forms = dict.fromkeys(form for side in sides for form in side.files)
    hashes = {
        form: [side.files[form]["sha256"] if form in side.files else None for side in sides]
        for form in forms
    }
    hashes["reference"] = [side.reference["sha256"] for side in sides]
    return {
        form: [_said(found[0], None), *(_said(value, found[0]) for value in found[1:])]
        for form, found in hashes.items()
    }


def _said(value: str | None, first: str | None) -> str:
    if value is None:
        return ABSENT
    return "the same" if value == first else value[:SHORT]


def _pair(first: Side, other: Side) -> dict[str, Any]:
    found = equality(first, other)
    return {
        "with": other.name,
        "class": found["class"],
        "says": CLASSES[found["class"]],
        "why": found["why"],
        "measured": found["measured"] if isinstance(found["measured"], dict) else None,
        "weights": weights(first, other),
    }
