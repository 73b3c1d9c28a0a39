"""Texts with a label each, in one delimited file or in files for train, validation and test.

The file is read twice, row by row: for the labels, and for the texts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.config.schema import TextSource, Words
from pipeline.data.csv_rows import Form, files_of, names_of, refuse_columns, rows_of
from pipeline.data.findings import left_out
from pipeline.data.given_parts import read_part
from pipeline.data.label_encoder import LabelEncoding, Labels
from pipeline.data.samples import Chunk, Finding, Source
from pipeline.documents.preprocess import TokensEntry
from pipeline.ondevice.tokens import encode_text
from pipeline.samples.kind import Input

ROWS = 1024  # of a chunk


def words_input(name: str, words: Words) -> Input:
    """Return the input that a text becomes."""
    entry = TokensEntry(
        name=name,
        shape=[words.length],
        raw_dtype="uint8",
        unit=words.unit,
        lower=words.lower,
        max_bytes=words.max_bytes,
        vocabulary=[],
        vocabulary_size=0,
    )
    return Input(name, "tokens", is_ragged=True, template=entry, vocabulary=words.vocabulary)


@dataclass(frozen=True)
class _Texts:
    source: TextSource
    form: Form
    files: dict[str, Path]
    names: dict[str, list[str]]
    report: str | None

    def rows(self, part: str) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield (line, name -> cell) of each row of a part; its own part as train, … ."""
        names, path, split = self.names[part], self.files[part], self.source.split
        for line, cells in rows_of(path, self.form, len(names)):
            row = dict(zip(names, cells, strict=True))
            if split is not None:
                row[split] = read_part(path, line, split, cell=row[split].strip())
            yield line, row


def open_text(source: TextSource, base: Path, report: str | None) -> Source:
    """Read the labels and describe the source.

    Raises:
        ConfigError: a file that is missing, is empty or has another encoding, a row of another
            length, a missing column; every row is named.
    """
    files = files_of(source, base)
    form = Form(source.delimiter, source.encoding, source.columns, "", quotes=source.quotes)
    names = {part: names_of(path, form) for part, path in files.items()}
    asked = {
        "data.source.text": (source.text,),
        "data.source.label": (source.label,),
        "data.source.group": () if source.group is None else (source.group,),
        "data.source.split": () if source.split is None else (source.split,),
        "data.report_groups": () if report is None else (report,),
    }
    refuse_columns(asked, files, names)
    texts = _Texts(source, form, files, names, report)
    labels = Labels()
    for part, path in files.items():
        for line, row in texts.rows(part):
            if row[source.label].strip():
                labels.see(path, line, row[source.label].strip())
    encoding = labels.encoding("data.source.label", source.labels_alike)
    spec = words_input("text", source.words)
    return Source((spec,), encoding.kind, encoding.names, lambda: _read(texts, encoding))


def _read(texts: _Texts, encoding: LabelEncoding) -> Iterator[Chunk]:
    """Yield the texts of every part, then findings on what is left out."""
    empty: list[str] = []
    unlabeled: list[str] = []
    cut = 0
    for part, path in texts.files.items():
        held: list[tuple[str, dict[str, str]]] = []
        for line, row in texts.rows(part):
            name = f"{path.name}:{line}"
            if not row[texts.source.text].strip() or not row[texts.source.label].strip():
                is_empty = not row[texts.source.text].strip()
                (empty if is_empty else unlabeled).append(name)
                continue
            cut += len(row[texts.source.text].encode()) > texts.source.words.max_bytes
            held.append((name, row))
            if len(held) == ROWS:
                yield _chunk(texts, held, part, encoding)
                held = []
        if held:
            yield _chunk(texts, held, part, encoding)
    found = [
        *encoding.findings,
        *left_out("warning", "empty_texts", "no text", names=empty, noun="row"),
        *left_out("warning", "rows_without_label", "no label", names=unlabeled, noun="row"),
    ]
    if cut:
        text = f"{cut} texts are longer than words.max_bytes and were cut."
        found.append(Finding("info", "long_texts", text, cut))
    yield Chunk({}, np.zeros(0), [], findings=tuple(found))


def _chunk(
    texts: _Texts, held: list[tuple[str, dict[str, str]]], part: str, encoding: LabelEncoding
) -> Chunk:
    source = texts.source
    values: list[Array] = [encode_text(row[source.text], source.words.max_bytes) for _, row in held]
    return Chunk(
        {"text": values},
        encoding.of([row[source.label].strip() for _, row in held]),
        [name for name, _ in held],
        part or None,
        None if source.group is None else [row[source.group] for _, row in held],
        None,
        None if texts.report is None else [row[texts.report] for _, row in held],
        parts=None if source.split is None else [row[source.split] for _, row in held],
    )
