"""Rules of what can be attacked, and how. They judge and never rewrite; see rules.py.

What only the data can show (an unknown category, a column that was left out) is reported by
`harden` and `audit`, from the prepared dataset.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path as File
from typing import Any

from pipeline.config import source_rules
from pipeline.config.document import Path
from pipeline.config.schema import Config
from pipeline.config.shape import did_you_mean
from pipeline.config.source_schema import Source
from pipeline.errors import ConfigError
from pipeline.tasks import TASKS

Finding = tuple[Path, str]
FITS = {  # setting -> form of a sample that it is for
    "columns": "table",
    "channels": "series",
    "on": "sound",
}


def attacks_fit(config: Config, base: File) -> Iterator[Finding]:
    """An attack needs classes, and moves what its form of sample has."""
    attacks: list[tuple[Path, Any]] = []
    if config.harden is not None:
        attacks.append((("harden", "attack"), config.harden.attack))
    if config.audit is not None:
        attacks.append((("audit",), config.audit))
    if config.harden is not None and not TASKS[config.task].can_be_attacked:
        yield (
            ("harden",),
            f"attacks are for classification and the task is {config.task}; wanted null",
        )
        attacks = attacks[1:]
    for where, settings in attacks:
        if where == ("audit",) and not TASKS[config.task].can_be_attacked:
            yield from _asked_in_vain(config.task, settings)
            continue
        yield from _fits_form(config.data.source, where, settings)
        yield from _columns_are_there(config.data.source, base, where, settings)
        yield from _changes_make_sense(where, settings)


def _asked_in_vain(task: str, settings: Any) -> Iterator[Finding]:
    """An audit attacks only classifiers: other threat models are never used."""
    for key in ("columns", "channels", "on", "tokens", "classes", "inputs"):
        if getattr(settings, key) is not None:
            yield (
                ("audit", key),
                f"attacks are for classification and the task is {task}; wanted null",
            )


def _fits_form(source: Source, where: Path, settings: Any) -> Iterator[Finding]:
    form = source_rules.form_of(source)
    if form is None:  # known only when the data is read
        return
    said = source_rules.article(form)
    kind = getattr(settings, "kind", None)
    for key, right in FITS.items():
        if getattr(settings, key, None) is not None and form != right:
            yield (
                (*where, key),
                f"is for {source_rules.article(right)}, and this set is {said}; wanted null",
            )
    is_of_words = kind == "substitute" or getattr(settings, "tokens", None) is not None
    if is_of_words and form != "text":
        key = "kind" if kind == "substitute" else "tokens"
        wanted = "pgd" if kind == "substitute" else "null"
        yield (*where, key), f"replaces words, and this set is {said}; wanted {wanted}"
    if kind is not None and kind != "substitute" and form == "text":
        yield (*where, "kind"), f"{kind} moves numbers, and this set is text; wanted substitute"
    if kind not in (None, "substitute") and form == "table" and settings.columns is None:
        yield (
            (*where, "columns"),
            "missing; wanted the columns that an attacker can change, such as "
            "{amount: {change: 50}}: those that are not listed stay",
        )


def _columns_are_there(source: Source, base: File, where: Path, settings: Any) -> Iterator[Finding]:
    """Columns and channels that a config names are looked for in the header, where there is one."""
    names = _header(source, base)
    if names is None:
        return
    no_inputs = {
        getattr(source, key, None): f"data.source.{key}" for key in ("label", "group", "time")
    } | dict.fromkeys(getattr(source, "drop", ()), "data.source.drop")
    for key in ("columns", "channels"):
        for name in getattr(settings, key, None) or ():
            path: Path = (*where, key, name) if key == "columns" else (*where, key)
            if name not in names:
                there = ", ".join(names[:20])
                near = did_you_mean(name, names)
                yield path, f"no such column: {name}; there are {there}{near}"
            elif name in no_inputs:
                yield path, f"{name} is {no_inputs[name]}, which the model does not see"


def _header(source: Source, base: File) -> Sequence[str] | None:
    """Return the names of a table's columns or a series' channels; None: unknown yet."""
    from pipeline.data.csv_rows import Form, names_of

    if source.kind == "series_csv":
        return tuple(source.values)
    if source.kind != "csv":
        return None
    path = base / File(source.path).expanduser()
    if not path.is_file():  # another rule says so
        return None
    try:
        return names_of(path, Form(source.delimiter, source.encoding, source.columns, source.strip))
    except ConfigError:  # `data` says what is wrong with the file, with its line
        return None


def _changes_make_sense(where: Path, settings: Any) -> Iterator[Finding]:
    for name, change in (getattr(settings, "columns", None) or {}).items():
        if change.low is not None and change.high is not None and change.low > change.high:
            yield (
                (*where, "columns", name, "low"),
                f"wanted at most high ({change.high:g}); came {change.low:g}",
            )
        numbers = (change.change, change.low, change.high, change.whole)
        if change.to is not None and any(value is not None for value in numbers):
            yield (
                (*where, "columns", name, "to"),
                "is for categories; change, low, high and whole are for numbers",
            )


def unfit_for_inputs(where: str, settings: Any, inputs: Sequence[Any]) -> list[str]:
    """Return what an attack asks for that the inputs of an opened source do not have.

    Args:
        where: key of the section.
        settings: of `harden.attack` or `audit`.
        inputs: each with a name, a kind and, where they have names, columns.
    """
    words = getattr(settings, "kind", None) == "substitute" or getattr(settings, "tokens", None)
    asked = settings.inputs
    known = [spec.name for spec in inputs]
    problems = _unknown(f"{where}.inputs", asked or (), known)
    chosen = [spec for spec in inputs if asked is None or spec.name in asked]
    kinds = {spec.kind for spec in chosen}
    right = {"tokens"} if words else {"image", "audio", "series"}
    if getattr(settings, "columns", None) and not words:
        right |= {"columns", "codes", "table"}
    is_hardened = where != "audit"
    if chosen and not kinds & right and (is_hardened or words):
        found = ", ".join(f"{spec.name} ({spec.kind})" for spec in chosen)
        wanted = "words are replaced only in texts" if words else _wanted(kinds)
        problems.append(f"{where}: {found}: {wanted}")
    for key, fitting in (("columns", ("columns", "codes", "table")), ("channels", ("series",))):
        names = [name for spec in chosen if spec.kind in fitting for name in spec.columns or ()]
        problems += _unknown(f"{where}.{key}", getattr(settings, key, None) or (), names)
    return problems


def _wanted(kinds: set[str]) -> str:
    """Return how inputs of some kinds are attacked."""
    if kinds & {"columns", "codes", "table"}:
        return "a table is attacked by its columns; wanted `columns`, those that can be changed"
    return "a text is attacked word by word; wanted kind: substitute"


def _unknown(key: str, asked: Sequence[str], known: Sequence[str]) -> list[str]:
    return [
        f"{key}: no such name: {name}; there are {', '.join(known[:20])}{did_you_mean(name, known)}"
        for name in asked
        if name not in known
    ]
