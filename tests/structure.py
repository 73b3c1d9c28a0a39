"""How the code is built, counted by ast: `python -m tests.structure` prints the table.

tests/test_guards.py asserts the ceilings. No TensorFlow, and nothing of pipeline/ is imported.
"""

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[1]
GENERATED = ROOT / "pipeline/device/run_on_device.py"  # from pipeline/ondevice, which counts
SOURCES = sorted(set((ROOT / "pipeline").rglob("*.py")) - {GENERATED})
LAYERS = (  # lowest first; an import goes down, or stays in its layer
    ("errors", "seeds", "artifacts", "arrays", "stages", "visible", "escape"),
    (
        "terminal",
        "tensorflow_env",
        "resource_errors",
        "process_limits",
        "wheel",
        "platform_check",
        "source_hash",
        "worker",
    ),
    ("readers",),
    ("documents/record", "tasks"),
    ("targets",),
    ("config", "launch"),
    ("documents",),
    ("ondevice", "device_code", "host", "freshness", "run_summary"),
    ("samples", "gate"),
    ("models", "data"),
    ("train",),
    ("harden", "export"),
    ("compress", "verify", "device"),
    ("audit", "baseline", "report", "bundle", "compare", "tune", "new"),
    ("executor",),
    ("tracking",),
    ("api", "doctor"),
    ("cli", "__main__"),
)
RANKS = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
TASKS = {"classification", "regression", "forecasting", "anomaly"}
KINDS = {"image", "audio", "series", "tokens", "table", "columns", "codes"}
DISCRIMINATED = ("pipeline/config/", "pipeline/documents/")  # schemas' literals
PARTICIPLES = {
    "asleep", "awake", "begun", "bound", "broken", "built", "came", "caught", "chosen", "cut",
    "done", "drawn", "felt", "forgot", "forgotten", "found", "frozen", "given", "gone", "grown",
    "held", "hidden", "kept", "known", "laid", "learnt", "left", "lost", "made", "meant", "met",
    "put", "said", "seen", "sent", "shown", "shut", "sold", "spent", "split", "spread", "sunk",
    "taken", "taught", "thought", "told", "understood", "won", "worn", "woven", "written",
}  # fmt: skip
NO_PARTICIPLES = {  # verbs, nouns and names that a library calls
    "embed", "feed", "need", "seed", "speed", "shed", "weed", "bed", "put", "cut", "split",
    "spread", "shut", "string", "ring", "thing", "sampling", "encoding", "recording", "embedding",
    "training", "reading", "warning", "setting", "padding", "meaning", "during", "spring",
}  # fmt: skip
NO_DOCUMENTS = {
    "Literal",
    "Annotated",
    "Iterator",
    "environ",
    "os.environ",
    "sys.modules",
    "inputs",
}
ARRAY = re.compile(r"\b(Array|NpzArray|Tensor|Tensors|ndarray)\b")
SHAPE = re.compile(r"\bshapes?\b|\bscalars?\b|\([\w*.…]+,(?: ?[\w*.…+/ -]+,?)*\)")
BANNED = re.compile(  # docs/terms.md: the right column, and British spelling
    r"\banswer(s|ed|ing)?\b|\bwithst(and|ands|ood)\b|\bfool(s|ed)?\b|\btwins?\b|\btold\b(?! apart)"
    r"|\bsaid\b|\bof one mind\b|\bislands?\b|\bquantities\b|\blikeness\b|\bimitat\w*"
    r"|\bthe file that ships\b|\bheld-out\b|\bheld back\b|\bfalsely\b|\bshares? of\b"
    r"|\blearnt\b|\b(colour|neighbour|behaviour|licence|normalis|unlabelled)\w*"
    r"|\b(labelled|centred|grey|catalogue|judgement)\b",
    re.IGNORECASE,
)
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """Return a file's name from the repository's root on."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text())


def functions_of(path: Path) -> list[Function]:
    """Return all functions and methods of a file."""
    nodes = ast.walk(tree_of(path))
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def public_functions(path: Path) -> list[Function]:
    """Return functions and methods that others may call: of the module and of public classes."""
    found: list[Function] = []
    for node in tree_of(path).body:
        inner = node.body if isinstance(node, ast.ClassDef) and node.name[0] != "_" else [node]
        found += [
            part
            for part in inner
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and part.name[0] != "_"
        ]
    return found


def module_of(path: Path) -> str:
    """Return the dotted name of a file's module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


@cache
def imports_of(path: Path) -> frozenset[Path]:
    """Return the files of pipeline/ that a file imports, lazily too; those for types alone not."""
    found: set[Path] = set()
    for node in _run_nodes(tree_of(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in names]
        else:
            continue
        found |= {MODULES[name] for name in names if name in MODULES}
    return frozenset(found - {path})


def _run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Walk over a tree, but for what stands under TYPE_CHECKING."""
    yield node
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        children: Iterator[ast.AST] = iter(node.orelse)
    else:
        children = ast.iter_child_nodes(node)
    for child in children:
        yield from _run_nodes(child)


def room_of(path: Path) -> str:
    """Return the folder of a file below pipeline/, or its own name where LAYERS has that."""
    name = path.relative_to(ROOT / "pipeline").with_suffix("").as_posix()
    return name if name in RANKS else name.partition("/")[0]


def upward_imports() -> list[str]:
    """Return the imports that run against the layers, and rooms that no layer names."""
    strangers = {room_of(path) for path in SOURCES} - set(RANKS) - {"__init__"}
    pairs = [
        f"{name_of(path)} -> {name_of(other)}"
        for path in SOURCES
        for other in sorted(imports_of(path))
        if RANKS.get(room_of(path), 99) < RANKS.get(room_of(other), -1)
    ]
    return pairs + [f"{room}: in no layer" for room in sorted(strangers)]


def cycles() -> list[list[str]]:
    """Return the files that import each other, one list a knot (Tarjan's components)."""
    order: dict[Path, int] = {}
    low: dict[Path, int] = {}
    stack: list[Path] = []
    knots: list[list[str]] = []

    def visit(path: Path) -> None:
        order[path] = low[path] = len(order)
        stack.append(path)
        for other in imports_of(path):
            if other not in order:
                visit(other)
            if other in stack:
                low[path] = min(low[path], low[other])
        if low[path] == order[path]:
            at = stack.index(path)
            knot = stack[at:]
            del stack[at:]
            if len(knot) > 1:
                knots.append(sorted(name_of(part) for part in knot))

    sys.setrecursionlimit(10_000)
    for path in SOURCES:
        if path not in order:
            visit(path)
    return knots


def parameters() -> tuple[list[str], int]:
    """Return the annotated parameters that are bare `Any`, and how many are annotated."""
    bare, annotated = [], 0
    for path in SOURCES:
        for node in functions_of(path):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            every += [arg for arg in (node.args.vararg, node.args.kwarg) if arg is not None]
            noted = [arg for arg in every if arg.annotation is not None]
            annotated += len(noted)
            bare += [
                f"{name_of(path)}:{arg.lineno} {node.name}({arg.arg})"
                for arg in noted
                if arg.annotation is not None and ast.unparse(arg.annotation) == "Any"
            ]
    return bare, annotated


def string_subscripts() -> list[str]:
    """Return subscripts of documents by a constant string, as in `entry["kind"]`.

    Types, the environment and the folders that a stage reads from are no documents.
    """
    return [
        f"{name_of(path)}:{node.lineno} {ast.unparse(node)}"
        for path in SOURCES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
        and ast.unparse(node.value) not in NO_DOCUMENTS
    ]


def name_comparisons(names: set[str], room: str) -> list[str]:
    """Return comparisons with one of some names outside the room that may make them."""
    apart = (*DISCRIMINATED, f"pipeline/{room}/", f"pipeline/{room}.py")
    return [
        f"{name_of(path)}:{node.lineno} {ast.unparse(node)[:70]}"
        for path in SOURCES
        if not name_of(path).startswith(apart)
        for node in ast.walk(tree_of(path))
        if _compares(node, names)
    ]


def _compares(node: ast.AST, names: set[str]) -> bool:
    if isinstance(node, ast.MatchValue):
        return _holds(node.value, names)
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    pairs = zip(node.ops, sides, sides[1:], strict=False)
    for operator, left, right in pairs:
        if isinstance(operator, ast.Eq | ast.NotEq) and (
            _holds(left, names) or _holds(right, names)
        ):
            return True
        if isinstance(operator, ast.In | ast.NotIn) and _in_literal(right, names):
            return True
    return False


def _in_literal(node: ast.AST, names: set[str]) -> bool:
    is_literal = isinstance(node, ast.Tuple | ast.List | ast.Set)
    return is_literal and any(_holds(part, names) for part in ast.iter_child_nodes(node))


def _holds(node: ast.AST, names: set[str]) -> bool:
    if isinstance(node, ast.Tuple):
        return any(_holds(part, names) for part in node.elts)
    return isinstance(node, ast.Constant) and node.value in names


def lone_participles() -> list[str]:
    """Return public functions whose name is one participle, which says neither verb nor noun."""
    return [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in public_functions(path)
        if _is_participle(node.name)
    ]


def _is_participle(name: str) -> bool:
    if "_" in name or name in NO_PARTICIPLES:
        return False
    return name in PARTICIPLES or re.search(r"\w{2}(ed|ing)$", name) is not None


def positional_functions() -> list[str]:
    """Return public functions that take over three positional parameters; self not counted."""
    found = []
    for path in SOURCES:
        for node in public_functions(path):
            every = [*node.args.posonlyargs, *node.args.args]
            count = len(every) - bool(every and every[0].arg in {"self", "cls"})
            if count > 3:
                found.append(f"{name_of(path)}:{node.lineno} {node.name}({count})")
    return found


def unshaped_functions() -> list[str]:
    """Return public functions on arrays or tensors that say no shape.

    A docstring says it as (N, K), "shape" or "scalar"; or every array's name does, as in x_BHWC.
    """
    missing = []
    for path in SOURCES:
        for node in public_functions(path):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            arrays = [arg for arg in every if _is_array(arg.annotation)]
            if not arrays and not _is_array(node.returns):
                continue
            is_named = bool(arrays) and all(re.search("_[A-Z]{1,5}$", arg.arg) for arg in arrays)
            if not is_named and not SHAPE.search(ast.get_docstring(node) or ""):
                missing.append(f"{name_of(path)}:{node.lineno} {node.name}")
    return missing


def _is_array(annotation: ast.expr | None) -> bool:
    return annotation is not None and bool(ARRAY.search(ast.unparse(annotation)))


def banned_words() -> list[str]:
    """Return texts with a word that docs/terms.md replaces: docstrings, messages, templates."""
    texts = [
        (f"{name_of(path)}:{node.lineno + i}", line)
        for path in SOURCES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
        for i, line in enumerate(node.value.split("\n"))
    ]
    pages = sorted(
        set((ROOT / "pipeline").rglob("*.j2")) | set((ROOT / "pipeline").rglob("*.html"))
    )
    texts += [
        (f"{name_of(path)}:{number}", line)
        for path in pages
        for number, line in enumerate(path.read_text().split("\n"), 1)
    ]
    found = ((place, BANNED.search(line)) for place, line in texts)
    return [f"{place} {match[0]}" for place, match in found if match]


def function_lines() -> list[int]:
    """Return the lines of every function, its docstring counted."""
    return [
        (node.end_lineno or 0) - node.lineno + 1 for path in SOURCES for node in functions_of(path)
    ]


@cache
def lists() -> dict[str, list[str]]:
    """Return what is counted: name -> where each stands."""
    return {
        "bare-any": parameters()[0],
        "string-subscripts": string_subscripts(),
        "task-comparisons": name_comparisons(TASKS, "tasks"),
        "kind-comparisons": name_comparisons(KINDS, "samples"),
        "upward-imports": upward_imports(),
        "cycles": [" <-> ".join(knot) for knot in cycles()],
        "lone-participles": lone_participles(),
        "positional": positional_functions(),
        "unshaped": unshaped_functions(),
        "banned-words": banned_words(),
    }


def main(wanted: list[str]) -> None:
    """Print the table; or, where some of its rows are named, all places of these."""
    rows = lists()
    for name in wanted:
        print("\n".join(rows[name]))
    if wanted:
        return
    for name, places in rows.items():
        print(f"{name:<18} {len(places):>6}")
    annotated, lengths = parameters()[1], sorted(function_lines())
    print(f"{'bare-any share':<18} {len(rows['bare-any']) / annotated:>6.1%}")
    p90 = lengths[int(0.9 * len(lengths))]
    print(
        f"{'function median':<18} {statistics.median(lengths):>6.0f}\n{'function p90':<18} {p90:>6}"
    )
    print(f"{'files':<18} {len(SOURCES):>6}")
    print(f"{'lines':<18} {sum(len(path.read_text().splitlines()) for path in SOURCES):>6}")


if __name__ == "__main__":
    main(sys.argv[1:])
