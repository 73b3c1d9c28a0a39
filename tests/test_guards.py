"""Promises of the structure, kept by looking at the files; no TensorFlow here."""

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from tests import structure
from tests.conftest import SHIPPED

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "pipeline").rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 300, 40
VAGUE = {"utils", "common", "helpers", "base", "manager", "misc"}
LONGER_FILES = {"pipeline/device/run_on_device.py"}  # generated, and ships alone
HEAVY = ("tensorflow", "keras", "tf_keras", "tensorflow_datasets", "keras_tuner")
LIGHT = (
    "pipeline.cli", "pipeline.executor", "pipeline.stages", "pipeline.artifacts", "pipeline.errors",
    "pipeline.config.load", "pipeline.documents.bundles", "pipeline.run_summary", "pipeline.doctor",
    "pipeline.report.render", "pipeline.report.show", "pipeline.device.measure",
    "pipeline.device.predict", "pipeline.gate.stage", "pipeline.report.stage",
    "pipeline.bundle.stage", "pipeline.compress.stage", "pipeline.cli.parser",
    "pipeline.device.demo", "pipeline.tasks",
)  # fmt: skip
CEILINGS = {  # counts of `python -m tests.structure`: a change may lower them, never raise them
    "bare-any": 252,
    "string-subscripts": 600,
    "task-comparisons": 0,
    "kind-comparisons": 0,
    "upward-imports": 3,
    "cycles": 0,
    "lone-participles": 0,
    "positional": 27,
    "unshaped": 0,
    "banned-words": 0,
}
MEDIAN_LINES, P90_LINES = 10, 30  # of all functions, docstrings counted

name_of, tree = structure.name_of, structure.tree_of


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_and_functions_are_small(path: Path) -> None:
    if name_of(path) not in LONGER_FILES:
        assert len(path.read_text().splitlines()) <= FILE_LINES
    long = [
        f"{node.name} has {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and _code_lines(node) > FUNCTION_LINES
    ]
    assert not long


def _code_lines(node: ast.FunctionDef) -> int:
    """Return a function's lines without its docstring: the page is for the code."""
    first = node.body[0]
    docstring = 0
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        docstring = (first.end_lineno or 0) - first.lineno + 1
    return (node.end_lineno or 0) - node.lineno + 1 - docstring


@pytest.mark.parametrize("counted", CEILINGS)
def test_a_count_of_the_structure_does_not_rise(counted: str) -> None:
    places = structure.lists()[counted]
    assert len(places) <= CEILINGS[counted], "\n".join(places)


def test_most_functions_are_short() -> None:
    lengths = sorted(structure.function_lines())
    assert lengths[len(lengths) // 2] < MEDIAN_LINES
    assert lengths[int(0.9 * len(lengths))] < P90_LINES


def test_only_the_executor_imports_a_stage() -> None:
    importers = [name_of(p) for p in SOURCES if any(re.search(r"\.stage$", i) for i in imported(p))]
    assert importers == []


def test_no_file_has_a_vague_name() -> None:
    assert not [name_of(path) for path in SOURCES if path.stem in VAGUE]


def test_init_files_are_empty_but_for_the_program_and_registries() -> None:
    filled = [name_of(p) for p in SOURCES if p.name == "__init__.py" and p.read_text().strip()]
    rooms = ("cli", "models", "samples", "tasks")
    assert filled == ["pipeline/__init__.py", *(f"pipeline/{room}/__init__.py" for room in rooms)]


@pytest.mark.parametrize("module", LIGHT)
def test_it_loads_without_tensorflow(module: str) -> None:
    program = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def _kinds(annotation: Any) -> set[str]:
    """Return the `kind` of every variant of a tagged union."""
    variants = get_args(get_args(annotation)[0])
    return {get_args(variant.model_fields["kind"].annotation)[0] for variant in variants}


def _keys(path: str, name: str) -> set[str]:
    """Return the keys of a dict literal in a file, read without importing it."""
    for node in ast.walk(tree(ROOT / path)):
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        if any(isinstance(t, ast.Name) and t.id == name for t in targets) and isinstance(
            getattr(node, "value", None), ast.Dict
        ):
            return {key.value for key in node.value.keys if isinstance(key, ast.Constant)}
    raise AssertionError(f"{path} has no dict literal {name}")


def test_registries_have_the_keys_of_the_schema() -> None:
    from pipeline.config import schema
    from pipeline.targets.registry import TARGETS

    assert _keys("pipeline/models/__init__.py", "MODELS") == _kinds(schema.Model)
    assert _keys("pipeline/data/sources.py", "SOURCES") == _kinds(schema.Source)
    assert _keys("pipeline/data/augment.py", "AUGMENT") == _kinds(schema.Augment)
    assert _keys("pipeline/train/schedule.py", "OPTIMIZERS") == _kinds(schema.Optimizer)
    assert _keys("pipeline/train/schedule.py", "SCHEDULES") == _kinds(schema.Schedule)
    in_spaces = {"substitute"}  # of words: harden/word_substitution.py
    attacks = _kinds(schema.AttackSection) | in_spaces
    assert _keys("pipeline/harden/attacks.py", "ATTACKS") | in_spaces == attacks
    assert set(TARGETS) == set(get_args(schema.Target))
    assert _keys("pipeline/device/runtimes.py", "RUNTIMES") == set(get_args(schema.Runtime))
    losses = set(get_args(schema.Train.model_fields["loss"].annotation)) - {"auto"}
    assert _keys("pipeline/train/losses.py", "LOSSES") == losses


def test_every_stage_has_its_file() -> None:
    from pipeline.stages import STAGES

    assert all(importlib.util.find_spec(stage.module) for stage in STAGES)


def test_every_config_says_how_to_run_it() -> None:
    for path in SHIPPED:
        head = path.read_text().splitlines()[:3]
        assert head[0] == "# yaml-language-server: $schema=schema.json", path.name
        assert f"make export CONFIG=configs/{path.name}" in head[1], path.name


def test_lock_files_carry_no_address() -> None:
    for path in ROOT.glob("*.lock"):
        assert "://" not in path.read_text(), path.name
        assert "--index" not in path.read_text(), path.name


def test_what_is_committed_names_no_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    for name in listed.stdout.split():
        path = ROOT / name
        if (
            path.suffix in {".lock", ".png", ".json"}
            or path == Path(__file__)
            or not path.is_file()
        ):
            continue
        assert not re.search(r"/work/|/root/|pyenv", path.read_text()), name


def test_make_help_lists_every_target() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert {line.split()[1] for line in done.stdout.splitlines()} == set(phony[1].split())


def test_make_clean_leaves_data_and_bundles(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    kept = [tmp_path / "runs/data/set.csv", tmp_path / "exported/digits/manifest.json"]
    removed = [tmp_path / "runs/digits/train/model.keras", tmp_path / "build/x"]
    for path in kept + removed:
        path.parent.mkdir(parents=True)
        path.touch()
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert all(path.exists() for path in kept)
    assert not any(path.exists() for path in removed)


def test_the_pages_name_commands_that_exist() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert set(re.findall(r"^ +make ([a-z-]+)", text, re.MULTILINE)) <= set(phony[1].split())
    from pipeline.cli.parser import make_parser

    commands = set(re.findall(r"^ +(?:\.venv/bin/)?edgeline ([a-z]+)", text, re.MULTILINE))
    listed = make_parser().format_help()
    assert all(command in listed for command in commands)


def test_the_schema_file_is_what_the_command_prints() -> None:
    from pipeline.config.editor import schema_text

    assert json.loads((ROOT / "configs/schema.json").read_text()) == json.loads(schema_text())


def test_the_schemas_of_documents_are_current() -> None:
    from pipeline.documents.schemas import list_documents, schema_of

    folder = ROOT / "configs" / "schemas"
    documents = list_documents()
    again = "run: .venv/bin/python -m pipeline.documents.schemas"
    assert {path.stem for path in folder.glob("*.json")} == set(documents), again
    for name, record in documents.items():
        assert json.loads((folder / f"{name}.json").read_text()) == schema_of(record), again
