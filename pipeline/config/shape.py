"""The schema as a tree: what stands at a path, which keys it knows, and in words what it wants.

pydantic names the place of an error by field names and by the tags of unions; here those places
turn into paths as they stand in the file.
"""

import types
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Tag
from pydantic.fields import FieldInfo

from pipeline.config.document import Path
from pipeline.config.section import Section, Wanted

SHOWN_KEYS = 12  # more known keys than these would bury the message
TAGS = ("kind", "mode")  # keys that tell the sections of a union apart
NUMBERS = {int: "a whole number", float: "a number"}
BOUNDS = {"ge": "of at least", "gt": "above", "le": "at most", "lt": "below"}


def locate(section: type[Section], loc: Sequence[str | int]) -> tuple[Path, Any]:
    """Return the path in the file of an error's place, and the type that stands there.

    Args:
        section: the type of the whole file.
        loc: pydantic's `loc`.

    Returns:
        The path, and None as type where the schema knows no such key.
    """
    path: Path = ()
    shape: Any = section
    for part in loc:
        if part == "[key]":
            break
        members = _members(shape)
        if len(members) > 1:
            shape = next((m for m in members if part in _tags(m)), None)
            continue
        path = (*path, part)
        shape = _child(members[0], part) if members else None
    return path, shape


def keys_of(shape: object) -> tuple[str, ...]:
    """Return the keys that a section, or a mapping with closed keys, knows; else nothing."""
    members = _members(shape)
    bare = _bare(members[0]) if len(members) == 1 else None
    if isinstance(bare, type) and issubclass(bare, Section):
        return tuple(bare.model_fields)
    if get_origin(bare) is dict and get_origin(get_args(bare)[0]) is Literal:
        return get_args(get_args(bare)[0])
    return ()


def tag_of(shape: object) -> str | None:
    """Return the key that tells the sections of a union apart; None where no single one does."""
    members = _members(shape)
    fields = [getattr(_bare(member), "model_fields", {}) for member in members]
    tags = [tag for tag in TAGS if all(tag in each for each in fields)]
    return tags[0] if len(members) > 1 and tags else None


def kinds_of(shape: object) -> tuple[str, ...]:
    """Return the kinds of a union of sections that one key tells apart; else nothing."""
    tag = tag_of(shape)
    if tag is None:
        return ()
    fields = [_bare(member).model_fields[tag] for member in _members(shape)]
    return tuple(get_args(field.annotation)[0] for field in fields)


def choices_of(shape: object) -> tuple[str, ...]:
    """Return the words of a closed choice; else nothing."""
    members = _members(shape)
    bare = _bare(members[0]) if len(members) == 1 else None
    return get_args(bare) if get_origin(bare) is Literal else ()


def find_key(section: type[Section], key: str, path: Path = ()) -> Iterator[Path]:
    """Yield the paths at which a section of the schema has a key of this name."""
    for name, field in section.model_fields.items():
        here = (*path, name)
        if name == key:
            yield here
        for member in _members(field.annotation):
            bare = _bare(member)
            if isinstance(bare, type) and issubclass(bare, Section):
                yield from find_key(bare, key, here)


def describe(shape: object) -> str:
    """Return in words what a type wants: `a number above 0 and at most 0.5`."""
    members = _members(shape)
    if kinds := kinds_of(shape):
        words = f"a mapping with {tag_of(shape)}: {one_of(kinds)}"
    else:
        words = ", or ".join(dict.fromkeys(_describe_one(member) for member in members))
    return f"{words}, or null" if _allows_null(shape) else words


def one_of(words: Sequence[Any]) -> str:
    """Return a list of choices as a phrase."""
    return str(words[0]) if len(words) == 1 else f"one of {', '.join(str(w) for w in words)}"


def did_you_mean(word: object, known: Sequence[str]) -> str:
    """Return the end of a message that names the nearest known word; empty where none is near."""
    near = get_close_matches(str(word)[:60].lower(), known, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def _describe_one(shape: object) -> str:
    """Return in words what one member of a union wants."""
    bare, marks = _bare(shape), _marks(shape)
    said = next((mark.words for mark in marks if isinstance(mark, Wanted)), None)
    if said is not None:
        return said
    if get_origin(bare) is Literal:
        return one_of(get_args(bare))
    if bare in NUMBERS:
        return f"{NUMBERS[bare]}{_bounds(marks)}"
    if get_origin(bare) is tuple:
        return f"a list of {_length(marks)}{_plural(describe(get_args(bare)[0]))}"
    if get_origin(bare) is dict:
        return f"a mapping of names to {describe(get_args(bare)[1])}"
    if bare is bool:
        return "true or false"
    if bare is str:
        return "a text that is not empty" if _bound(marks, "min_length") else "a text"
    if bare is None or bare is type(None):
        return "null"
    return f"a mapping with the keys {', '.join(keys_of(bare)[:SHOWN_KEYS])}"


def _plural(words: str) -> str:
    """Return the words for one element as words for all of them."""
    return f"[{words}]" if " " in words else words


def _bounds(marks: list[Any]) -> str:
    """Return the limits of a number in words."""
    said = [
        f"{word} {_bound(marks, mark):g}"
        for mark, word in BOUNDS.items()
        if _bound(marks, mark) is not None
    ]
    return f" {' and '.join(said)}" if said else ""


def _length(marks: list[Any]) -> str:
    """Return the limits of a list's length in words."""
    least, most = _bound(marks, "min_length"), _bound(marks, "max_length")
    if least is not None and least == most:
        return f"{least} of "
    return f"at least {least} of " if least else ""


def _bound(marks: list[Any], name: str) -> Any:
    return next(
        (getattr(mark, name) for mark in marks if getattr(mark, name, None) is not None), None
    )


def _bare(shape: object) -> Any:
    """Return a type without its annotations."""
    return get_args(shape)[0] if get_origin(shape) is Annotated else shape


def _marks(shape: object) -> list[Any]:
    """Return a type's annotations, those inside `Field(...)` too."""
    marks = get_args(shape)[1:] if get_origin(shape) is Annotated else ()
    inner = [mark.metadata if isinstance(mark, FieldInfo) else [mark] for mark in marks]
    return [mark for group in inner for mark in group]


def _is_union(shape: object) -> bool:
    return get_origin(shape) in (Union, types.UnionType)


def _members(shape: object) -> tuple[Any, ...]:
    """Return the members of a union but for null; a plain type is its own only member."""
    if shape is None:
        return ()
    bare = _bare(shape)
    if not _is_union(bare):
        return (shape,)
    members = [member for member in get_args(bare) if member is not type(None)]
    if len(members) == 1:
        return _members(members[0])
    return tuple(members)


def _allows_null(shape: object) -> bool:
    bare = _bare(shape)
    return _is_union(bare) and type(None) in get_args(bare)


def _tags(member: object) -> tuple[Any, ...]:
    """Return the names by which pydantic may call a member of a union."""
    marks = get_args(member)[1:] if get_origin(member) is Annotated else ()
    tags = tuple(mark.tag for mark in marks if isinstance(mark, Tag))
    kind = getattr(_bare(member), "model_fields", {}).get("kind")
    return tags or (get_args(kind.annotation) if kind else (getattr(member, "__name__", member),))


def is_told_by_keys(shape: object) -> bool:
    """Return whether the members of a union differ by their keys rather than by a tag."""
    return len(_members(shape)) > 1 and not kinds_of(shape)


def first_keys(shape: object) -> tuple[str, ...]:
    """Return the required keys of the members of a union of sections."""
    sections = [getattr(_bare(member), "model_fields", {}) for member in _members(shape)]
    return tuple(
        name for fields in sections for name, field in fields.items() if field.is_required()
    )


def _child(shape: object, part: str | int) -> Any:
    """Return the type at a key or position; None where there is none."""
    bare = _bare(shape)
    if isinstance(bare, type) and issubclass(bare, Section):
        field = bare.model_fields.get(str(part))
        if field is None:
            return None
        return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    if get_origin(bare) is tuple:
        return get_args(bare)[0]
    if get_origin(bare) is dict:
        return get_args(bare)[1]
    return None
