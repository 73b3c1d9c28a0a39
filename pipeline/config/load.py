"""A config file and `--set` arguments -> Config, or every mistake in them at once."""

import json
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path as File
from typing import Any, cast

from pydantic import ValidationError, create_model

from pipeline.config.document import Document, Path, Place, Problem, parse
from pipeline.config.messages import problems_of, quote_value
from pipeline.config.overrides import override
from pipeline.config.rules import broken_rules
from pipeline.config.schema import Config, Section
from pipeline.config.shape import did_you_mean, locate
from pipeline.errors import ConfigError

SIZE_LIMIT = 1 << 20  # bytes; a config is a page or two, and the parser reads 40 kB a second


def load(path: File, overrides: Sequence[str] = ()) -> Config:
    """Read a config.

    Args:
        path: the YAML file; relative paths inside start at its folder.
        overrides: `--set` arguments, `key=value`, laid over the file in order.

    Raises:
        ConfigError: every mistake in the file and the arguments, in the order of the lines.
    """
    document = parse(_read(path), lambda line: Place(0, line, f"{path}:{line}"))
    if () not in document.unread and not isinstance(document.data, dict):
        came = "nothing" if document.data is None else quote_value(document.data)
        document.problems.append(
            Problem(document.place_of(()), (), f"wanted a mapping (key: value lines); came {came}")
        )
    config = None
    if isinstance(document.data, dict):
        for number, argument in enumerate(overrides, 1):
            override(document, number, argument)
        _refuse_halves(path, document.data)
        config = _validate(document, path.parent)
    if config is None or document.problems:
        raise ConfigError(*dict.fromkeys(str(p) for p in sorted(document.problems, key=_place)))
    return config


def has_section(path: File, name: str) -> bool:
    """Tell whether a config file has a section; what else is in it is not looked at.

    Raises:
        ConfigError: the file cannot be read.
    """
    data = parse(_read(path), lambda line: Place(0, line, f"{path}:{line}")).data
    return isinstance(data, dict) and name in data


def _refuse_halves(path: File, data: object) -> None:
    """Refuse half of a character, which YAML can escape and no text can hold."""
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start : error.start + 1].encode("ascii", "backslashreplace")
        raise ConfigError(
            f"{path}: wanted text; {half.decode()} is half of a character. Write it whole"
        ) from None


def _place(problem: Problem) -> Place:
    return problem.place


def _read(path: File) -> str:
    """Return the text of a config file."""
    try:
        with path.open("rb") as file:
            raw = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file{_nearest_file(path)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: wanted a config file; this is a folder") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    if len(raw) > SIZE_LIMIT:
        raise ConfigError(f"{path}: wanted a config of 1 MiB at most; this file is larger")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: wanted UTF-8 text; save the file as UTF-8") from None


def _nearest_file(path: File) -> str:
    """Return the end of a message that names a config beside the missing one."""
    near = did_you_mean(path.name, sorted(file.name for file in path.parent.glob("*.yaml")))
    return near or "; wanted the path of a config, such as configs/digits_cnn.yaml"


def _validate(document: Document, base: File) -> Config | None:
    """Return the config; on mistakes None, and the document holds them."""
    config, part, broken = None, Section(), set(document.unread)
    try:
        part = config = Config.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        found = list(problems_of(error, Config, document))
        document.problems += [
            problem
            for problem in found
            if not any(problem.path[: len(unread)] == unread for unread in document.unread)
            and not any(_is_entry_of(problem.path, other.path) for other in found)
        ]
        part, removed = sound_part(document.data, error)
        broken |= removed
    for path, message in broken_rules(cast(Config, part), base, broken):
        document.problems.append(Problem(document.place_of(path), path, message))
    return config


def _is_entry_of(path: Path, other: Path) -> bool:
    """Tell whether `other` is in an entry of the list at `path`: a wrong one counts as missing."""
    rest = other[len(path) :]
    return other[: len(path)] == path and bool(rest) and isinstance(rest[0], int)


def sound_part(data: Any, error: ValidationError) -> tuple[Section, set[Path]]:
    """Return a config without its wrong values, and the paths of these.

    Args:
        data: what was validated; not modified.
        error: what came of it.
    """
    data, broken = deepcopy(data), set[Path]()
    left_out: set[str | int] = set()
    while True:
        for entry in error.errors(include_url=False, include_context=False, include_input=False):
            path, _ = locate(Config, entry["loc"])
            cut = _whole(path[:-1] if entry["type"] == "missing" and path[1:] else path)
            broken |= {path, cut}
            if not _remove(data, cut) or len(cut) == 1:
                left_out.add(cut[0])
        kept = {key: value for key, value in data.items() if key not in left_out}
        model = _without(frozenset(left_out))
        try:
            return model.model_validate_json(json.dumps(kept)), broken | {(k,) for k in left_out}
        except ValidationError as next_error:
            error = next_error


@cache
def _without(left_out: frozenset[str | int]) -> type[Section]:
    """Return Config without some of its sections."""
    fields: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in Config.model_fields.items()
        if name not in left_out
    }
    return create_model("Part", __base__=Section, **fields)


def _whole(path: Path) -> Path:
    """Return the path, cut at the outermost list: a list without an entry is another list."""
    positions = (at for at, part in enumerate(path) if isinstance(part, int))
    return path[: next(positions, len(path))]


def _remove(data: Any, path: Path) -> bool:
    """Remove a path from the data; return whether it, or a parent of it, was removed."""
    *above, last = path
    for part in above:
        if part not in data:
            return len(path) > 1
        data = data[part]
    if not isinstance(data, dict) or last not in data:
        return False
    del data[last]
    return True
