"""YAML text -> plain data, with the place of every key.

YAML 1.2's core schema and no more: `1e-3` is a number, `no` is a string, a repeated key is a
mistake; tags, anchors and aliases are refused. Knows nothing of what a config should hold.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

Path = tuple[str | int, ...]

NESTING_LIMIT = 32  # levels; the schema has 6, and deeper text is an attack or an accident
PLAIN_KEY = re.compile(r"[\w .:/+\-]{1,60}")
# YAML 1.2.2, section 10.3.2: the core schema
NULL = re.compile(r"null|Null|NULL|~|")
TRUE, FALSE = re.compile(r"true|True|TRUE"), re.compile(r"false|False|FALSE")
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
BASES = {"0o": 8, "0x": 16}


@dataclass(frozen=True, order=True)
class Place:
    """Where something was written; sorts as a reader meets it, `--set` last."""

    source: int
    """0: the file; n: the n-th `--set`."""
    line: int
    text: str
    """What a message starts with: `configs/kws.yaml:14`, or `--set train.epochs=3`."""


@dataclass(frozen=True)
class Problem:
    """One mistake: where, in which key, and what is wrong."""

    place: Place
    path: Path
    message: str

    def __str__(self) -> str:
        """Return the line that the user sees."""
        key = f" {dotted_path(self.path)}:" if self.path else ""
        return f"{self.place.text}:{key} {self.message}"


@dataclass
class Document:
    """Plain data as it was written, and what was wrong with the writing."""

    data: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unread: set[Path] = field(default_factory=set)
    """Paths whose value could not be read and stands as null."""

    def place_of(self, path: Path) -> Place:
        """Return where `path` was written, or the nearest thing around it that was."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]


class _NotYaml(Exception):
    """The text cannot be read further; holds the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def dotted_path(path: Path) -> str:
    """Return a path as people write it, on one line."""
    return ".".join(_word(part) for part in path)


def _word(part: str | int) -> str:
    text = str(part)
    return text if PLAIN_KEY.fullmatch(text) else json.dumps(text[:60])


def parse(text: str, place_at: Callable[[int], Place], root: Path = ()) -> Document:
    """Read one YAML document.

    Args:
        text: the YAML.
        place_at: line, counted from 1 -> place.
        root: path at which the document stands.
    """
    document = Document(places={root: place_at(1)})
    reader = _Reader(_events(text, place_at, root), place_at, document)
    try:
        document.data = reader.document(root)
    except _NotYaml as stop:
        document.problems.append(stop.problem)
        document.unread.add(root)
    return document


def _events(text: str, place_at: Callable[[int], Place], root: Path) -> Iterator[Any]:
    """Yield the parser's events; whatever it raises on a text is a fault of the text."""
    events = YAML(typ="safe", pure=True).parse(text)
    line = 1
    while True:
        try:
            event = next(events)
        except StopIteration:
            return
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = line if mark is None else mark.line + 1
            what = ": ".join(part for part in (error.context, error.problem) if part)
            raise _NotYaml(Problem(place_at(line), root, f"not YAML: {what}")) from None
        except Exception as error:
            what = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise _NotYaml(Problem(place_at(line), root, f"not YAML: {what}")) from None
        line = event.start_mark.line + 1
        yield event


class _Reader:
    """Builds data from events; it holds the stream of events, and the document as it grows."""

    def __init__(
        self, events: Iterator[Any], place_at: Callable[[int], Place], document: Document
    ) -> None:
        self.events = events
        self.place_at = place_at
        self.found = document

    def document(self, root: Path) -> Any:
        """Return the data of the only document."""
        data, seen = None, 0
        for event in self.events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                seen += 1
                if event.version and tuple(event.version) != (1, 2):
                    self.problem(event, root, "wanted YAML 1.2; take the %YAML line out")
                if seen > 1:
                    raise _NotYaml(
                        Problem(self.place(event), root, "wanted one document; take '---' out")
                    )
                data = self.value(next(self.events), root)
        return data

    def value(self, event: Any, path: Path) -> Any:
        """Return the data of the node that `event` begins."""
        if len(path) > NESTING_LIMIT:
            raise _NotYaml(
                Problem(self.place(event), path[:4], f"nested over {NESTING_LIMIT} levels deep")
            )
        kind = type(event).__name__
        if kind == "AliasEvent":
            self.problem(event, path, f"alias *{event.anchor}: not read; write the value out")
            self.found.unread.add(path)
            return None
        if event.anchor is not None:
            self.problem(event, path, f"anchor &{event.anchor}: not read; take it out")
        if event.tag is not None:
            self.problem(event, path, f"tag {event.tag}: not read; take it out")
        if kind == "MappingStartEvent":
            return self.mapping(path)
        if kind == "SequenceStartEvent":
            return self.sequence(path)
        return self.scalar(event, path)

    def mapping(self, path: Path) -> dict[str, Any]:
        """Return a mapping; the first of two equal keys counts."""
        data: dict[str, Any] = {}
        while type(event := next(self.events)).__name__ != "MappingEndEvent":
            key_path = (*path, getattr(event, "value", "?"))
            if type(event).__name__ != "ScalarEvent":
                raise _NotYaml(Problem(self.place(event), path, "wanted a word as key"))
            if event.anchor is not None or event.tag is not None:
                self.problem(event, key_path, "anchors and tags are not read; take it out")
            if event.value in data:
                first = self.found.places[key_path].text
                self.problem(event, key_path, f"repeated key; {first} has it already")
                _Reader(self.events, self.place_at, Document()).value(next(self.events), key_path)
                continue
            self.found.places[key_path] = self.place(event)
            data[event.value] = self.value(next(self.events), key_path)
        return data

    def sequence(self, path: Path) -> list[Any]:
        """Return a list."""
        data: list[Any] = []
        while type(event := next(self.events)).__name__ != "SequenceEndEvent":
            item_path = (*path, len(data))
            self.found.places[item_path] = self.place(event)
            data.append(self.value(event, item_path))
        return data

    def scalar(self, event: Any, path: Path) -> Any:
        """Return a scalar: quoted text as it is, plain text by the core schema."""
        is_plain = event.style is None or event.style == ""
        try:
            return resolve(event.value) if is_plain else _text(event.value)
        except ValueError as error:
            self.problem(event, path, str(error))
            self.found.unread.add(path)
            return None

    def place(self, event: Any) -> Place:
        """Return where an event was written."""
        return self.place_at(event.start_mark.line + 1)

    def problem(self, event: object, path: Path, message: str) -> None:
        """Note a mistake after which reading goes on."""
        self.found.problems.append(Problem(self.place(event), path, message))


def resolve(plain: str) -> Any:
    """Return what an unquoted scalar means.

    Raises:
        ValueError: a number that is not finite, or too long.
    """
    if NULL.fullmatch(plain):
        return None
    if TRUE.fullmatch(plain) or FALSE.fullmatch(plain):
        return TRUE.fullmatch(plain) is not None
    if INTEGER.fullmatch(plain):
        if len(plain) > 40:
            raise ValueError(f"a number of {len(plain)} digits is too long")
        return int(plain, BASES.get(plain[:2], 10))
    if FLOAT.fullmatch(plain) or NOT_FINITE.fullmatch(plain):
        if NOT_FINITE.fullmatch(plain) or not math.isfinite(float(plain)):
            raise ValueError(f"wanted a finite number, came {plain[:40]}")
        return float(plain)
    return _text(plain)


def _text(text: str) -> str:
    """Return text that has a UTF-8 form."""
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("half of a surrogate pair is no text")
    return text
