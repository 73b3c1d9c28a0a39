"""What an attacker may change, for people and for audit.json and robustness.json."""

import numpy as np

from pipeline.documents import threat_model as documents
from pipeline.documents.preprocess import CategoryColumn
from pipeline.documents.threat_model import InputChange, ValueChange
from pipeline.harden.fit_threat_model import names_of
from pipeline.harden.threat_model import Part
from pipeline.harden.word_substitution import ThreatModel, WordSubstitution
from pipeline.samples import KINDS

MOST_NAMED = 6  # columns or channels that a sentence spells out


def describe_perturbation(threat: ThreatModel) -> str:
    """Return in words how far a sample was moved: `epsilon 0.1 of the input range`."""
    if isinstance(threat, WordSubstitution):
        candidates = threat.near_VN.shape[1]
        return f"at most {threat.most} words, each by one of its {candidates} nearest"
    parts = [_part_words(part) for part in threat.parts]
    return f"{'; '.join(parts)}{' (L2)' if threat.norm == 'l2' else ''}"


def _part_words(part: Part) -> str:
    kind = KINDS[part.entry.kind]
    if kind.has_fixed_range:
        return f"epsilon {float(part.radius):g} of the input range"
    if kind.is_sound and part.is_raw:
        return f"{float(part.radius) / 32768:g} of full scale at every moment of the recording"
    if kind.is_sound:
        return f"{float(part.radius):g} deviations of each band"
    moved = [f"{row.name} {_row_words(row)}" for row in list_changes(part)]
    more = f" and {len(moved) - MOST_NAMED} more" if len(moved) > MOST_NAMED else ""
    return ", ".join(moved[:MOST_NAMED]) + more


def _row_words(row: ValueChange) -> str:
    if row.categories is not None:
        return f"to any of {len(row.categories)} categories"
    return f"by {row.max_change:.4g}"


def threat_model_document(threat: ThreatModel) -> documents.ThreatModel:
    """Return the threat model as a document."""
    if isinstance(threat, WordSubstitution):
        candidates = int(threat.near_VN.shape[1])
        change = InputChange(kind="tokens", tokens=threat.most, candidates=candidates)
        moved = {str(threat.entry.name): change}
    else:
        moved = {
            part.name: InputChange(
                kind=part.entry.kind, is_raw=part.is_raw, values=tuple(list_changes(part))
            )
            for part in threat.parts
        }
    classes = threat.classes
    labels = threat.preprocess.labels or ()
    names = None if classes is None else tuple(labels[k] for k in classes)
    return documents.ThreatModel(inputs=moved, classes=names)


def list_changes(part: Part) -> list[ValueChange]:
    """Return how far each column or channel moves.

    An image, a recording and bands have one row, with the least and greatest value of all.
    """
    kind = KINDS[part.entry.kind]
    if not (kind.is_tabular or kind.has_channels):
        low, high = float(np.min(part.low)), float(np.max(part.high))
        return [_row(part.name, float(part.radius), low, high, bool(part.whole))]
    names = names_of(part.entry)
    arrays = [
        np.broadcast_to(array, (len(names),)) if kind.has_channels else np.asarray(array).ravel()
        for array in (part.radius, part.low, part.high, part.whole)
    ]
    chosen = {choice.index: choice.codes for choice in part.choices}
    found = []
    for i, name in enumerate(names):
        radius, low, high, whole = (array[i] for array in arrays)
        if i in chosen:
            column = (part.entry.columns or ())[i]
            assert isinstance(column, CategoryColumn)
            to = [column.values[int(code)] for code in chosen[i]]
            found.append(_category(name, tuple(map(str, to))))
        elif radius > 0:
            found.append(_row(name, float(radius), float(low), float(high), bool(whole)))
    return found


def _row(name: str, change: float, low: float, high: float, whole: bool) -> ValueChange:
    return ValueChange(
        name=name, max_change=change, low=low, high=high, is_integer=whole, categories=None
    )


def _category(name: str, categories: tuple[str, ...]) -> ValueChange:
    return ValueChange(
        name=name, max_change=None, low=None, high=None, is_integer=None, categories=categories
    )
