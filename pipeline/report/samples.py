"""Samples of any kind on the page: pictures, sounds to be played, curves, rows, words. Pure."""

import base64
import io
import wave
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from pipeline.arrays import Array
from pipeline.documents.preprocess import AudioEntry, CategoryColumn, Column, Entry
from pipeline.ondevice.document import column_name
from pipeline.ondevice.prepare import prepare_input
from pipeline.report import pictures
from pipeline.report.charts import COLORS
from pipeline.report.words import number
from pipeline.samples import KINDS

COLUMNS = 12  # of a table that are shown
SIGNS = 240  # of a text
LISTED = {"tokens": "texts", "image": "pictures"}  # kind -> class of its list on the page
WIDE, HIGH = 168, 64  # of a small curve
CURVE = 168  # points of a small curve: as many as it is wide
CHANNELS = 6
UNKNOWN = "–"


def gallery(
    figures: Mapping[str, Array], name: str, entries: Sequence[Entry], *, notes: Sequence[str]
) -> Markup:
    """Draw samples with a note each; empty where none was stored.

    Args:
        figures: name -> array, with `<name>_input_<input>` (n, …) for each input.
        name: `sample` or `changed`.
        entries: of preprocess.json.
        notes: text beside each sample, in order.
    """
    raw = {e.name: figures.get(f"{name}_input_{e.name}", np.zeros(0)) for e in entries}
    count = min([len(notes), *(len(values) for values in raw.values())])
    if count == 0:
        return Markup("")
    if all(KINDS[entry.kind].is_tabular for entry in entries):
        return _rows(raw, entries, notes[:count])
    items = []
    for place in range(count):
        shown = "".join(
            DRAW[e.kind](raw[e.name][place], e, notes[place]) for e in entries if e.kind in DRAW
        )
        items.append(f'<li><div class="drawn">{shown}</div>{escape(notes[place])}</li>')
    kind = LISTED.get(entries[0].kind, "pictures wide")
    return Markup(f'<ul class="{kind}">{"".join(items)}</ul>')


def cells(raw: Array, entry: Entry) -> dict[str, str]:
    """Return column -> value as text, of one row (columns,)."""
    columns = entry.columns
    flat = np.ravel(raw)
    if not columns:
        return {f"value {i + 1}": number(float(v)) for i, v in enumerate(flat[:COLUMNS])}
    return {column_name(c): _cell(float(v), c) for c, v in zip(columns, flat, strict=False)}


def _cell(value: float, column: Column | str) -> str:
    if not isinstance(column, CategoryColumn):
        return UNKNOWN if np.isnan(value) else number(value)
    return UNKNOWN if np.isnan(value) or value < 0 else column.values[int(value)]


def _rows(raw: Mapping[str, Array], entries: Sequence[Entry], notes: Sequence[str]) -> Markup:
    """Return one table: a row a sample, a column a value."""
    rows = [row_cells(raw, entries, place) for place in range(len(notes))]
    names = list(rows[0])[:COLUMNS]
    hidden = len(rows[0]) - len(names)
    more = f"<p class=note>{hidden} more columns are not shown.</p>" if hidden else ""
    shown = [{name: str(escape(row[name])) for name in names} for row in rows]
    return row_table("One row per sample", shown, notes) + Markup(more)


def row_cells(raw: Mapping[str, Array], entries: Sequence[Entry], place: int) -> dict[str, str]:
    """Return column -> value as text, of one sample of tabular inputs.

    Args:
        raw: input -> rows (n, columns).
        entries: of the inputs in preprocess.json.
        place: index of the sample.
    """
    row: dict[str, str] = {}
    for entry in entries:
        row |= cells(raw[entry.name][place], entry)
    return row


def row_table(caption: str, rows: Sequence[Mapping[str, str]], notes: Sequence[str]) -> Markup:
    """Return a table of samples.

    Args:
        caption: text above it.
        rows: of each sample, column -> cell as HTML; all have the same columns.
        notes: the model's prediction for each.
    """
    names = list(rows[0])
    head = "".join(f'<th scope="col" class="num">{escape(name)}</th>' for name in names)
    body = "".join(
        f'<tr><th scope="row">{escape(note)}</th>'
        + "".join(f'<td class="num">{row[name]}</td>' for name in names)
        + "</tr>"
        for note, row in zip(notes, rows, strict=True)
    )
    return Markup(
        f'<div class="scroll" tabindex="0"><table class="rows"><caption>{escape(caption)}</caption>'
        f'<thead><tr><th scope="col">label or prediction</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _image(raw: Array, entry: Entry, note: str) -> str:
    return pictures.picture(raw, alt=f"sample: {note}")


def sound(raw: Array, entry: AudioEntry, note: str) -> str:
    """Return HTML of a recording (T,), int16: its spectrogram, its wave and a player."""
    bands = prepare_input(raw[None], entry)[0, :, :, 0].T[::-1]
    low, high = float(bands.min()), float(bands.max())
    image = ((bands - low) / max(high - low, 1e-9))[..., None].astype(np.float32)
    seen = str(pictures.picture(image, alt=f"spectrogram: {note}", wide=WIDE))
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, entry.sample_rate, 0, "NONE", "not compressed"))
        sound.writeframes(raw.astype("<i2").tobytes())
    content = base64.b64encode(file.getvalue()).decode()
    player = (
        f'<audio controls preload="none" aria-label="{escape(note)}" '
        f'src="data:audio/wav;base64,{content}"></audio>'
    )
    return seen + curves(_envelope(raw)[:, None], f"wave: {note}") + player


def _envelope(raw: Array) -> Array:
    """Return least and greatest value of each stretch in turn: a wave as narrow as it is drawn."""
    parts = np.array_split(raw.astype(np.float64), CURVE // 2)
    return np.array([value for part in parts if len(part) for value in (part.min(), part.max())])


def _series(raw: Array, entry: Entry, note: str) -> str:
    return curves(raw.astype(np.float64), f"recording: {note}")


def curves(values_TC: Array, alt: str) -> str:
    """Return a small drawing of some channels over time, without axes."""
    shown = values_TC[:, :CHANNELS]
    known = shown[np.isfinite(shown)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    span = (high - low) or 1.0
    steps = np.linspace(2, WIDE - 2, max(2, len(shown)))
    lines = []
    for channel, values in enumerate(shown.T):
        points = " ".join(
            f"{x:.1f},{HIGH - 4 - (y - low) / span * (HIGH - 8):.1f}"
            for x, y in zip(steps, values, strict=False)
            if np.isfinite(y)
        )
        lines.append(f'<polyline class="curve thin c{channel % COLORS}" points="{points}"/>')
    return (
        f'<svg class="small" viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{escape(alt)}">'
        f"{''.join(lines)}</svg>"
    )


def _text(raw: Array, entry: Entry, note: str) -> str:
    text = bytes(raw.astype(np.uint8)).rstrip(b"\0").decode("utf-8", "replace")
    cut = text if len(text) <= SIGNS else text[:SIGNS] + " …"
    return f"<q>{escape(cut)}</q>"


DRAW: dict[str, Callable[[Array, Any, str], str]] = {
    "image": _image,
    "audio": sound,
    "series": _series,
    "tokens": _text,
}
