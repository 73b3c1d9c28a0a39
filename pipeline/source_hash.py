"""The hash of the code that a stage runs: all that it imports, lazily too, and data files there.

Comments and docstrings do not count. A file is parsed once: what came of it is kept by the hash of
its bytes, in memory and, as Python keeps its bytecode, in __pycache__.
"""

import ast
import contextlib
import functools
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.artifacts import sha256_file, sha256_json, write_json

PACKAGE = Path(__file__).parent
CACHE = PACKAGE / "__pycache__" / "source_hashes.json"
DOCUMENTS = PACKAGE / "documents"  # docstrings of its fields become schemas in the bundle
NAME = re.compile(r"[\w.]{1,60}")

Parsed = tuple[str, list[str]]
"""Hash of a file's code, and what may name a module or a data file in it."""


@functools.cache
def hash_source(module: str) -> str:
    """Return the hash of a module, such as pipeline.data.stage, and of its imports."""
    used: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting += _graph()[name][1]
    lines = "".join(f"{name} {_graph()[name][0]}\n" for name in sorted(used))
    return hashlib.sha256(lines.encode()).hexdigest()


@functools.cache
def _graph() -> dict[str, tuple[str, list[str]]]:
    """Return module -> hash of its code and of the data beside it, and the modules that it uses."""
    modules, graph = _modules(), {}
    for name, path in modules.items():
        key, names = _parsed_files()[path]
        data, hashes = _data_folder(path.parent)
        if not data.isdisjoint(names):
            key += sha256_json({file.name: found for file, found in hashes.items()})
        graph[name] = key, [n for n in (*names, name.rpartition(".")[0]) if n in modules]
    return graph


@functools.cache
def _modules() -> dict[str, Path]:
    """Return the dotted name of every module of this package -> its file."""
    modules = {}
    for folder, _, files in os.walk(PACKAGE):
        parts = (PACKAGE.name, *Path(folder).relative_to(PACKAGE).parts)
        for file in files:
            stem, suffix = os.path.splitext(file)
            if suffix == ".py":
                name = parts if stem == "__init__" else (*parts, stem)
                modules[".".join(name)] = Path(folder, file)
    return modules


@functools.cache
def _data_folder(folder: Path) -> tuple[frozenset[str], dict[Path, str]]:
    """Return the names of templates, pages and their folders beside code, and file -> hash."""
    entries = [
        path
        for path in folder.iterdir()
        if path.suffix != ".py" and folder != PACKAGE and _is_data(path)
    ]
    files = [part for path in entries for part in (path, *path.rglob("*")) if part.is_file()]
    return frozenset(path.name for path in entries), {part: sha256_file(part) for part in files}


def _is_data(path: Path) -> bool:
    return path.name != CACHE.parent.name and not (path / "__init__.py").exists()


@functools.cache
def _parsed_files() -> dict[Path, Parsed]:
    """Return every file of code -> its hash and names."""
    known: dict[str, Parsed] = {}
    with contextlib.suppress(OSError, ValueError):
        known = dict(json.loads(CACHE.read_text()))
    keys = {path: sha256_file(path) for path in _modules().values()}
    kept = {key: known.get(key) or _parse(path) for path, key in keys.items()}
    if kept != known:
        with contextlib.suppress(OSError):  # where code cannot be written, it is parsed each time
            CACHE.parent.mkdir(exist_ok=True)
            write_json(CACHE, kept)
    return {path: kept[key] for path, key in keys.items()}


def _parse(path: Path) -> Parsed:
    """Return the hash of a file's syntax tree, and the names in it."""
    tree = ast.parse(path.read_text())
    names = sorted(set(_names(tree)))
    if path.parent != DOCUMENTS:
        for node in ast.walk(tree):
            if isinstance(getattr(node, "body", None), list):
                node.body = [part for part in node.body if not _is_text(part)]  # type: ignore[attr-defined]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), names


def _names(tree: ast.Module) -> Iterator[str]:
    """Yield what is imported, and texts that may name a module or a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE.name):
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (node.value,) if NAME.fullmatch(node.value) else ()


def _is_text(node: ast.stmt) -> bool:
    """Tell whether a statement is nothing but a text, which documents what stands above it."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
