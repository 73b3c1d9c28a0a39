"""Pages of the documentation that are generated when it is built: the reference.

`mkdocs` calls `on_files`. Each page is made from what the program itself reads: the parser of the
commands, the schema of the config, the table of gates, the schemas of the documents in a bundle.
"""

import argparse
import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from pipeline.cli.parser import make_parser
from pipeline.config.editor import schema_text
from pipeline.documents.schemas import list_documents, schema_of
from pipeline.gate.gates import GATES

Schema = Mapping[str, Any]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to those that are files."""
    for name, make in PAGES.items():
        files.append(File.generated(config, f"reference/{name}.md", content=make()))
    return files


def commands_page() -> str:
    """Return a section for each command, from its parser."""
    lines = [
        "# Commands",
        "`edgeline COMMAND --help` prints the same. After `make setup` the program is "
        "`.venv/bin/edgeline`; `python -m pipeline` is the same program.",
    ]
    for name, parser in _commands(make_parser()):
        usage = re.sub(r"\s+", " ", parser.format_usage().removeprefix("usage: "))
        lines += [f"## edgeline {name}", parser.description or "", f"```text\n{usage.strip()}\n```"]
        rows = [
            (f"`{_invocation(action)}`", action.help or "")
            for action in parser._actions
            if action.dest != "help" and not isinstance(action, argparse._SubParsersAction)
        ]
        if rows:
            lines.append(_table(("argument", "meaning"), rows))
    return "\n\n".join(lines) + "\n"


def config_page() -> str:
    """Return a section for each part of the config, from its JSON schema."""
    schema: Schema = json.loads(schema_text())
    lines = [
        "# Config",
        "Every key of a config, with type, default and meaning. Editors that read YAML schemas "
        "show the same from `configs/schema.json`. `edgeline config show CONFIG` prints a config "
        "with every default filled in. `null` switches a section off.",
        "## The config itself",
        _keys(schema, schema["$defs"]),
    ]
    for name, part in _reachable(schema):
        title = _title(name, part)
        lines += [f"## {title} {{ #{name} }}", part.get("description", "")]
        lines.append(_keys(part, schema["$defs"]))
    return "\n\n".join(lines) + "\n"


def gates_page() -> str:
    """Return the table of gates."""
    settings = json.loads(schema_text())["$defs"]["Gate"]["properties"]
    rows = []
    for name, gate in GATES.items():
        default = settings.get(name, {}).get("default")
        rows.append(
            (
                f"`{name}`",
                f"{gate.meaning}; {gate.direction} the limit",
                gate.unit or "–",
                "–" if default is None else f"`{json.dumps(default)}`",
                "yes" if gate.is_judged_on_validation else "no",
            )
        )
    return "\n\n".join(
        (
            "# Gates",
            "A gate is a limit that `gate` checks after measuring. Set it under `gate:` in the "
            "config; see [Config](config.md#Gate). A gate without a limit is not checked, unless "
            "it always applies. Where one fails, nothing new is published and the exit code is 3. "
            "*On validation*: whether the ladder of remedies can check it before the test split is "
            "read.",
            _table(("gate", "meaning", "unit", "default limit", "on validation"), rows),
            "",
        )
    )


def document_page(name: str, file: str) -> str:
    """Return the keys of a JSON document in the bundle."""
    schema = schema_of(list_documents()[name])
    lines = [
        f"# {file}",
        schema.get("description", ""),
        f"The bundle holds its JSON schema, `{name}.schema.json`.",
        "## The document itself",
        _keys(schema, schema["$defs"]),
    ]
    for part_name, part in _reachable(schema):
        lines += [f"## {part_name} {{ #{part_name} }}", part.get("description", "")]
        if "properties" in part:
            lines.append(_keys(part, schema["$defs"]))
    return "\n\n".join(lines) + "\n"


PAGES = {
    "commands": commands_page,
    "config": config_page,
    "gates": gates_page,
    "manifest": lambda: document_page("manifest", "manifest.json"),
    "preprocess": lambda: document_page("preprocess", "preprocess.json"),
}


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield each command with its parser; of `config` its own commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, own in action.choices.items():
                nested = list(_commands(own))
                yield from ((f"{name} {inner}", each) for inner, each in nested)
                if not nested:
                    yield name, own


def _invocation(action: argparse.Action) -> str:
    """Return how an argument is written, such as `--port N`."""
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
    if not action.option_strings:
        return str(value or action.dest)
    return f"{', '.join(action.option_strings)} {'' if action.nargs == 0 else value}".strip()


def _reachable(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the definitions of a schema in the order in which they are met."""
    met: dict[str, None] = {}
    waiting = _references(schema.get("properties", {}))
    while waiting:
        name = waiting.pop(0)
        if name not in met:
            met[name] = None
            waiting = _references(schema["$defs"][name]) + waiting
    for name in met:
        yield name, schema["$defs"][name]


def _references(value: Any) -> list[str]:
    """Return the names of the definitions that a part of a schema refers to, in order."""
    if isinstance(value, Mapping):
        own = [value["$ref"].rsplit("/", 1)[1]] if "$ref" in value else []
        return own + [name for part in value.values() for name in _references(part)]
    if isinstance(value, list):
        return [name for part in value for name in _references(part)]
    return []


def _title(name: str, part: Schema) -> str:
    """Return the heading of a section: with its `kind`, where it is one of several."""
    kind = part.get("properties", {}).get("kind", {}).get("const")
    return f"{name} (`kind: {kind}`)" if kind else name


def _keys(part: Schema, definitions: Schema) -> str:
    """Return the table of a section's keys."""
    required = part.get("required", ())
    rows = [
        (
            f"`{name}`",
            _type(own, definitions),
            _default(name, own, required),
            " ".join(_meaning(own, definitions).split()),
        )
        for name, own in part.get("properties", {}).items()
    ]
    return _table(("key", "type", "default", "meaning"), rows)


def _meaning(own: Schema, definitions: Schema) -> str:
    """Return what a key means; of a section without words of its own, the section's."""
    named = definitions.get(own.get("$ref", "").rsplit("/", 1)[-1], {})
    return str(own.get("description") or named.get("description", ""))


def _default(name: str, own: Schema, required: Sequence[str]) -> str:
    """Return the default of a key, in a cell; a section's own defaults stand with it."""
    if name in required:
        return "required"
    value = own.get("default", own.get("const"))
    if isinstance(value, Mapping):
        return f"`kind: {value['kind']}`" if "kind" in value else "its defaults"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _type(own: Schema, definitions: Schema) -> str:
    """Return the type of a value in words, with links to the sections that it may be."""
    if "$ref" in own:
        name = own["$ref"].rsplit("/", 1)[1]
        part = definitions[name]
        if "enum" in part:
            return _type(part, definitions)
        return f"[{name}](#{name})"
    if "const" in own:
        return f"`{own['const']}`"
    if "enum" in own:
        return ", ".join(f"`{json.dumps(value)}`".replace('"', "") for value in own["enum"])
    for key in ("anyOf", "oneOf"):
        if key in own:
            return " or ".join(dict.fromkeys(_type(each, definitions) for each in own[key]))
    kind = own.get("type", "any JSON value")
    if kind == "array":
        items = own.get("items") or {"anyOf": own.get("prefixItems", [])}
        return f"list of {_type(items, definitions)}" if items else "list"
    if kind == "object":
        values = own.get("additionalProperties")
        return f"mapping to {_type(values, definitions)}" if isinstance(values, Mapping) else kind
    return f"{kind}{_range(own)}"


def _range(own: Schema) -> str:
    """Return the allowed range of a number or length, such as ` (≥ 0, ≤ 1)`."""
    marks = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{mark} {own[key]:,}" for key, mark in marks.items() if key in own]
    return f" ({', '.join(limits)})" if limits else ""


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; nothing in a cell can end it."""
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    lines += [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Return text for a cell: on one line, without HTML outside of code, `|` escaped."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()).replace("|", "\\|"))
    return "".join(p if p.startswith("`") else html.escape(p, quote=False) for p in parts)
