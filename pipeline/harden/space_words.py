"""What an attacker could move, for people and for audit.json and robustness.json."""

from typing import Any

import numpy as np

from pipeline.harden.space import Part, Space
from pipeline.harden.space_fit import TABLES, names_of
from pipeline.harden.space_tokens import Texts

MOST_NAMED = 6  # columns or channels that a sentence spells out


def reach_words(space: Space | Texts) -> str:
    """Return in words how far a sample was moved: `epsilon 0.1 of the input range`."""
    if isinstance(space, Texts):
        candidates = space.near_VN.shape[1]
        return f"at most {space.most} words, each by one of its {candidates} nearest"
    said = [_part_words(part) for part in space.parts]
    return f"{'; '.join(said)}{' (L2)' if space.norm == 'l2' else ''}"


def _part_words(part: Part) -> str:
    kind = part.entry["kind"]
    if kind == "image":
        return f"epsilon {float(part.radius):g} of the input range"
    if kind == "audio" and part.is_raw:
        return f"{float(part.radius) / 32768:g} of full scale at every moment of the recording"
    if kind == "audio":
        return f"{float(part.radius):g} deviations of each band"
    moved = [f"{row['name']} {_row_words(row)}" for row in rows_of(part)]
    more = f" and {len(moved) - MOST_NAMED} more" if len(moved) > MOST_NAMED else ""
    return ", ".join(moved[:MOST_NAMED]) + more


def _row_words(row: dict[str, Any]) -> str:
    if row["to"] is not None:
        return f"to any of {len(row['to'])} categories"
    return f"by {row['change']:.4g}"


def space_document(space: Space | Texts) -> dict[str, Any]:
    """Return the space as plain JSON: each input with what of it moves, how far, in which range."""
    if isinstance(space, Texts):
        name, candidates = space.entry["name"], int(space.near_VN.shape[1])
        moved: dict[str, Any] = {
            name: {"kind": "tokens", "tokens": space.most, "candidates": candidates}
        }
    else:
        moved = {
            part.name: {"kind": part.entry["kind"], "is_raw": part.is_raw, "moved": rows_of(part)}
            for part in space.parts
        }
    classes = space.classes
    names = None if classes is None else [space.preprocess["labels"][k] for k in classes]
    return {"inputs": moved, "classes": names}


def rows_of(part: Part) -> list[dict[str, Any]]:
    """Return name, change, low, high, whole, to of each column or channel that moves.

    An image, a recording and bands have one row, with the least and greatest value of all.
    """
    if part.entry["kind"] not in (*TABLES, "series"):
        low, high = float(np.min(part.low)), float(np.max(part.high))
        return [_row(part.name, float(part.radius), low, high, bool(part.whole))]
    names = names_of(part.entry)
    arrays = [
        np.broadcast_to(array, (len(names),))
        if part.entry["kind"] == "series"
        else np.asarray(array).ravel()
        for array in (part.radius, part.low, part.high, part.whole)
    ]
    chosen = {choice.place: choice.codes for choice in part.choices}
    found = []
    for i, name in enumerate(names):
        radius, low, high, whole = (array[i] for array in arrays)
        if i in chosen:
            values = part.entry["columns"][i]["values"]
            to = [values[int(code)] for code in chosen[i]]
            found.append({**dict.fromkeys(("change", "low", "high", "whole")), "to": to})
            found[-1] = {"name": name, **found[-1]}
        elif radius > 0:
            found.append(_row(name, float(radius), float(low), float(high), bool(whole)))
    return found


def _row(name: str, change: float, low: float, high: float, whole: bool) -> dict[str, Any]:
    return {
        "name": name,
        "change": change,
        "low": low,
        "high": high,
        "whole": whole,
        "to": None,
    }
