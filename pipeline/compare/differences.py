"""Runs and bundles side by side: metrics, what differs, and which equality holds. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.compare.equality import equality, weights
from pipeline.compare.sides import Side
from pipeline.documents.comparison import ComparedPair, ComparedSide, Comparison, Value

ABSENT = "not there"
ON = "on"
SHORT = 12  # signs of a hash that tell files apart


def compare(sides: Sequence[Side]) -> Comparison:
    """Return the comparison of all sides with the first."""
    first = sides[0]
    return Comparison(
        sides=tuple(_head(side) for side in sides),
        metrics=_metrics(sides),
        config=different(settings([side.config for side in sides])),
        packages=different(shared_values([side.packages for side in sides])),
        data=different([flat(asdict(side.data)) for side in sides]),
        files=_files(sides),
        pairs=tuple(_pair(first, other) for other in sides[1:]),
    )


def _head(side: Side) -> ComparedSide:
    return ComparedSide(
        name=side.name,
        kind=side.kind,
        task=side.task,
        ships=side.ships,
        passed=side.passed,
        sha256=side.files[side.ships].sha256,
        made=side.made,
    )


def _metrics(sides: Sequence[Side]) -> dict[str, tuple[Value, ...]]:
    """Return name -> value of each side, of the shipped model and of its reference."""
    names = list(dict.fromkeys(name for side in sides for name in side.reference.metrics))
    shipped = [side.files[side.ships] for side in sides]
    rows = {f"{name} shipped": tuple(own.metrics.get(name) for own in shipped) for name in names}
    rows |= {
        f"{name} trained": tuple(side.reference.metrics.get(name) for side in sides)
        for name in names
    }
    return rows | {
        "ships": tuple(side.ships for side in sides),
        "bytes": tuple(own.bytes for own in shipped),
        "weights": tuple(side.reference.parameters for side in sides),
        "agreement with trained": tuple(own.agreement for own in shipped),
        "robust accuracy": tuple(own.robust_accuracy for own in shipped),
        "test samples": tuple(side.data.samples for side in sides),
        "seconds": tuple(None if side.made is None else side.made.seconds for side in sides),
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


def different(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """Return path -> value of each row, where they are not all equal."""
    paths = dict.fromkeys(path for row in rows for path in row)
    values = {path: tuple(row.get(path, ABSENT) for row in rows) for path in paths}
    return {path: own for path, own in values.items() if any(value != own[0] for value in own)}


def _files(sides: Sequence[Side]) -> dict[str, tuple[str, ...]]:
    """Return file -> how its bytes stand to the first side's; the reference is one of them."""
    forms = dict.fromkeys(form for side in sides for form in side.files)
    hashes = {
        form: [side.files[form].sha256 if form in side.files else None for side in sides]
        for form in forms
    }
    hashes["reference"] = [side.reference.sha256 for side in sides]
    return {
        form: (_said(own[0], None), *(_said(value, own[0]) for value in own[1:]))
        for form, own in hashes.items()
    }


def _said(value: str | None, first: str | None) -> str:
    if value is None:
        return ABSENT
    return "the same" if value == first else value[:SHORT]


def _pair(first: Side, other: Side) -> ComparedPair:
    own = equality(first, other)
    return ComparedPair(
        other=other.name,
        equality=own.equality,
        why=own.why,
        measured=own.measured,
        weights=weights(first, other),
    )
