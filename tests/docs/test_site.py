"""The generated reference: it has every key, command and gate, each with its meaning."""

import importlib.util
import json
import re
from types import ModuleType

import pytest
from ruamel.yaml import YAML

from pipeline import stages
from pipeline.config.editor import schema_text
from pipeline.gate.gates import GATES
from tests.docs.conftest import PAGES, ROOT

SITE = ROOT / "docs" / "site"


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("hooks", SITE / "hooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_key_of_a_config_says_what_it_means() -> None:
    schema = json.loads(schema_text())
    sections = {"Config": schema} | schema["$defs"]
    silent = [
        f"{name}.{key}"
        for name, section in sections.items()
        for key, own in section.get("properties", {}).items()
        if key != "kind" and not own.get("description")
    ]
    assert silent == []


def test_the_config_page_has_every_key(hooks: ModuleType) -> None:
    page = hooks.config_page()
    for name, section in json.loads(schema_text())["$defs"].items():
        assert f"{{ #{name} }}" in page, name
        assert all(f"| `{key}` |" in page for key in section.get("properties", {})), name


def test_the_commands_page_has_every_command(hooks: ModuleType) -> None:
    page = hooks.commands_page()
    commands = [*stages.NAMES, "run", "new", "predict", "conform", "demo", "config show", "doctor"]
    assert all(f"## edgeline {name}\n" in page for name in commands)
    assert "| `--set KEY=VALUE` |" in page


def test_the_gates_page_has_every_gate(hooks: ModuleType) -> None:
    page = hooks.gates_page()
    assert all(f"| `{name}` |" in page for name in GATES)


def test_the_pages_of_documents_have_their_keys(hooks: ModuleType) -> None:
    assert "| `ships` |" in hooks.document_page("manifest", "manifest.json")
    assert "| `inputs` |" in hooks.document_page("preprocess", "preprocess.json")


def test_a_cell_never_ends_its_table(hooks: ModuleType) -> None:
    assert hooks._cell("a | b <c> `d | <e>`\nf") == "a \\| b &lt;c&gt; `d \\| <e>` f"


def test_the_contents_list_has_every_page() -> None:
    text = re.sub(r"!!\S+", "", (SITE / "mkdocs.yml").read_text())
    listed = json.dumps(YAML(typ="safe").load(text)["nav"])
    pages = [name.removeprefix("docs/") for name in PAGES if name.startswith("docs/")]
    assert [page for page in pages if f'"{page}"' not in listed] == []
