"""Adversarial examples on the page: tables, texts, curves, sounds and pictures. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape

from pipeline.arrays import Array
from pipeline.documents.preprocess import AudioEntry, Entry, TokensEntry
from pipeline.ondevice.document import column_name
from pipeline.ondevice.tokens import split_tokens
from pipeline.report import pictures, words
from pipeline.report.gather import Documents
from pipeline.report.samples import (
    COLUMNS,
    WIDE,
    cells,
    curves,
    row_cells,
    row_table,
    sound,
)
from pipeline.samples import KINDS

Cells = Mapping[str, str]

FULL_SCALE = 32768  # of 16-bit sound
UNKNOWN, PAST_END = 1, 0  # codes of words
NAMED = 6  # channels whose change is named
AROUND = 12  # words that stand on either side of one that was replaced


def draw_examples(documents: Documents) -> Markup:
    """Return HTML of samples before and after the attack; empty where none was stored."""
    figures = documents.figures.get("audit", {})
    entries = [e for e in documents.preprocess.inputs if f"before_{e.name}" in figures]
    if not entries:
        return Markup("")
    notes = _notes(documents, figures)
    if all(KINDS[entry.kind].is_tabular for entry in entries):
        return _table(figures, entries, notes)
    items = [
        f'<li><div class="drawn">{"".join(_drawn(figures, e, i, note) for e in entries)}</div>'
        f"{escape(note)}</li>"
        for i, note in enumerate(notes)
    ]
    kind = "texts" if KINDS[entries[0].kind].is_text else "pictures triples"
    return Markup(f'<ul class="{kind}">{"".join(items)}</ul>')


def _notes(documents: Documents, figures: Mapping[str, Array]) -> list[str]:
    keys = ("labels", "prediction_clean", "prediction_adversarial")
    rows = zip(*(figures[key] for key in keys), strict=True)
    named = ([words.class_name(documents, value) for value in row] for row in rows)
    return [
        f"true {label}: " + (f"still {clean}" if clean == after else f"{clean} → {after}")
        for label, clean, after in named
    ]


def _drawn(figures: Mapping[str, Array], entry: Entry, index: int, note: str) -> str:
    before, after = (figures[f"{when}_{entry.name}"][index] for when in ("before", "after"))
    kind = KINDS[entry.kind]
    if isinstance(entry, TokensEntry):
        return _text(figures[f"text_{entry.name}"][index], before, after, entry)
    if kind.is_tabular:
        rows = _changes(cells(before, entry), cells(after, entry))
        return "".join(f"<p>{escape(name)}: {cell}</p>" for name, cell in rows.items())
    if kind.has_channels:
        return _series(before, after, entry, note)
    if isinstance(entry, AudioEntry) and before.ndim == 1:
        return _recording(before, after, entry, note)
    return _picture(before, after, entry, note)


def _table(figures: Mapping[str, Array], entries: Sequence[Entry], notes: Sequence[str]) -> Markup:
    """Return one table: a row a sample, a column for each column that changed in any of them."""
    before, after = (
        [
            row_cells({e.name: figures[f"{when}_{e.name}"] for e in entries}, entries, i)
            for i in range(len(notes))
        ]
        for when in ("before", "after")
    )
    rows = list(zip(before, after, strict=True))
    moved = [name for name in before[0] if any(old[name] != new[name] for old, new in rows)]
    hidden = len(moved[COLUMNS:])
    more = f"; {hidden} more changed columns are not shown" if hidden else ""
    shown = [{name: _cell(old[name], new[name]) for name in moved[:COLUMNS]} for old, new in rows]
    caption = f"One row per sample, one column per changed value{more}"
    return row_table(caption, shown, notes)


def _cell(old: str, new: str) -> str:
    if old == new:
        return f"<small>{escape(old)}</small>"
    return f"{escape(old)} → <strong>{escape(new)}</strong>"


def _changes(before: Cells, after: Cells) -> dict[str, str]:
    return {
        name: _cell(old, after[name]) for name, old in before.items() if old != after[name]
    } or {"columns": "unchanged"}


def _text(raw: Array, before: Array, after: Array, entry: TokensEntry) -> str:
    """Return the words around replaced ones: the old word struck out, the new word marked."""
    own = [word.decode("utf-8", "replace") for word in split_tokens(raw, entry)]
    count = int((before != PAST_END).sum())
    replaced = np.flatnonzero(before[:count] != after[:count])
    near = {j for i in replaced for j in range(i - AROUND, i + AROUND + 1)}
    shown: list[str] = []
    for i in range(count):
        if near and i not in near:
            if not shown or shown[-1] != "…":
                shown.append("…")
        elif i in replaced:
            new = entry.vocabulary[int(after[i]) - 2] if after[i] > UNKNOWN else "?"
            shown.append(f"<del>{escape(own[i])}</del> <ins>{escape(new)}</ins>")
        else:
            shown.append(str(escape(own[i])))
    gap = " " if entry.unit == "words" else ""
    return f"<q>{gap.join(shown)}</q>"


def _series(before: Array, after: Array, entry: Entry, note: str) -> str:
    """Return curves before and after, the change, and the largest change of each channel."""
    old, new = before.astype(np.float64), after.astype(np.float64)
    change = new - old
    drawn = (
        curves(old, f"before: {note}"),
        curves(new, f"after: {note}"),
        curves(change, "the change"),
    )
    most = np.where(np.isnan(change), 0, np.abs(change)).max(axis=0)
    columns = entry.columns or [str(i + 1) for i in range(change.shape[1])]
    names = [column_name(c) for c in columns]
    far = [f"{name} {words.number(float(m))}" for name, m in zip(names, most, strict=True) if m > 0]
    listed = ", ".join(far[:NAMED]) + (f" and {len(far) - NAMED} more" if far[NAMED:] else "")
    return f'<div class="triple">{"".join(drawn)}</div><p>largest change: {escape(listed)}</p>'


def _recording(before: Array, after: Array, entry: AudioEntry, note: str) -> str:
    """Return players of a recording before and after, and the largest change."""
    most = float(np.abs(after - before).max()) / FULL_SCALE
    both = [
        f"<div>{sound(np.round(x).astype(np.int16), entry, f'{when}: {note}')}</div>"
        for when, x in (("before", before), ("after", after))
    ]
    note = f"largest change: {most:.3g} of full scale"
    return f'<div class="triple">{"".join(both)}</div><p>{note}</p>'


def _picture(before: Array, after: Array, entry: Entry, note: str) -> str:
    """Return a spectrogram (time to the right, low bands below) or a picture, and its change."""
    old, new = (x.astype(np.float32) for x in (before, after))
    is_sound = KINDS[entry.kind].is_sound
    if is_sound:
        old, new = (x.transpose(1, 0, 2)[::-1] for x in (old, new))
        low, high = float(min(old.min(), new.min())), float(max(old.max(), new.max()))
        old, new = ((x - low) / max(high - low, 1e-9) for x in (old, new))
    wide = WIDE if is_sound else pictures.SIDE
    drawn = (
        pictures.picture(old, alt=f"before: {note}", wide=wide),
        pictures.picture(new, alt=f"after: {note}", wide=wide),
        pictures.picture(pictures.difference(old, new), alt="the change", wide=wide),
    )
    return f'<div class="triple">{"".join(drawn)}</div>'
