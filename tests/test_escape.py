"""Names and texts of others: whatever they hold, every output shows them and executes nothing."""

import io
import logging
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from PIL import Image
from ruamel.yaml import YAML

from pipeline import escape
from pipeline.bundle.readme import readme
from pipeline.cli import main
from pipeline.config.load import load
from pipeline.export.metadata import _files
from pipeline.new.look import look
from pipeline.new.write import config_text, write_config
from pipeline.ondevice.assemble import PROGRAM_FILE
from pipeline.terminal import PlainLines
from pipeline.visible import is_shown
from tests.bundle.test_readme import manifest
from tests.device.tiny import INPUTS, document, write_bundle
from tests.documents.manifests import make_manifest

SPECIAL = "\x00\n\r\t\x07\x0b\x1b\x7f\x85\x9b\u2028\u2029\u200b\u202e\ufeff"
SPECIAL += "\\`*_[]<>|#!&~:@/'\"(){}$;%=-+. "
HOSTILE = (
    "x\nseed: 7", "\x1b]0;owned\x07", "\x1b[2J", "<script>alert(1)</script>", "[a](javascript:b)",
    "![](http://a/b)", "| a | b |", "# head", "- item", "1. item", "http://a.b www.a.b a@b.c",
    "a\u202eb", "``` \n", "\\", "'; rm -rf ~; '", "{{ 7 * 7 }}", "~~a~~", "&lt;b&gt;", "a\\\n",
    "---", "===", "> a", "    code", "*/ a /*", "??/", "\udc80", "a: b #c", "- [x] a", "*a* _b_",
)  # fmt: skip
texts = st.text(st.one_of(st.sampled_from(SPECIAL), st.characters()), min_size=1, max_size=30)
names = st.one_of(st.sampled_from(HOSTILE), texts)


def is_inert(text: str) -> bool:
    """Tell whether a terminal shows every character."""
    return all(is_shown(sign) or sign in "\n\t" for sign in text)


@given(names)
def test_a_terminal_and_a_comment_get_no_control_character(text: str) -> None:
    assert is_inert(escape.terminal(text))
    assert escape.terminal(text).count("\n") == text.count("\n")
    for one_line in (escape.yaml_comment, escape.c_comment, escape.label_line):
        assert is_inert(one_line(text))
        assert not set(one_line(text)) & set("\n\t")
    assert not escape.c_comment(text).endswith("\\")
    assert "`" not in escape.markdown_code(text)


@given(names)
def test_a_yaml_text_is_read_as_it_was(text: str) -> None:
    line = escape.yaml_text(text)
    assert is_inert(line)
    assert "\n" not in line
    assert YAML(typ="safe", pure=True).load(f"key: {{a: {line}}}") == {"key": {"a": text}}
    assert YAML(typ="safe").load(f"a: 1 # {escape.yaml_comment(text)}\n") == {"a": 1}


@given(names)
def test_a_shell_word_is_one_argument(text: str) -> None:
    assert len(shlex.split(escape.shell_word(text))) == 1


PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
PLAIN = {
    "inline", "text", "text_special", "paragraph_open", "paragraph_close", "bullet_list_open",
    "bullet_list_close",
    "list_item_open", "list_item_close", "table_open", "table_close", "tr_open",
    "tr_close", "thead_open", "thead_close", "tbody_open", "tbody_close", "th_open", "th_close",
    "td_open", "td_close",
}  # fmt: skip


@given(names)
@example("a_b_c").via("an underscore within a word is no emphasis")
def test_markdown_shows_the_text_and_nothing_else(text: str) -> None:
    shown = escape.markdown(text)
    table = f"| a | b |\n|---|---|\n| {shown} | 1 |\n"
    for source in (shown, f"- {shown}\n- b\n", f"a {shown} b", table):
        tokens = PARSER.parse(source)
        kinds = {token.type for token in tokens}
        kinds |= {child.type for token in tokens for child in token.children or ()}
        assert kinds <= PLAIN, (source, kinds - PLAIN)
    assert len([t for t in PARSER.parse(table) if t.type == "td_open"]) == 2


@settings(max_examples=20)
@given(names)
def test_the_readme_shows_the_name_of_an_input(name: str) -> None:
    made = manifest("int8", "int8", "columns")
    made["preprocess"]["inputs"][0]["name"] = made["models"][0]["inputs"][0]["name"] = name
    made["preprocess"]["inputs"][0]["columns"][0]["name"] = name
    text = readme(make_manifest(made))
    assert is_inert(text)
    assert text.count("```") % 2 == 0
    assert "html_block" not in {token.type for token in PARSER.parse(text)}


@given(st.lists(names, min_size=2, max_size=4))
def test_a_line_of_labels_is_a_class(labels: list[str]) -> None:
    text = _files(document(labels=labels))["labels.txt"]
    assert text.endswith("\n")
    assert len(text.splitlines()) == len(labels)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=2, max_size=3, unique=True))
def test_a_written_config_has_the_keys_that_we_wrote(
    tmp_path_factory: pytest.TempPathFactory, found: list[str]
) -> None:
    root = tmp_path_factory.mktemp("names") / "data\nseed: 7"
    kept = {name.replace("/", "").replace("\x00", "").strip(".") or "a" for name in found}
    kept = {name for name in kept if not any("\ud800" <= sign <= "\udfff" for sign in name)}
    for name in sorted(kept | {"other", "x\nseed: 8"}):
        (root / f"c{name}").mkdir(parents=True)
        for i in range(2):
            Image.new("L", (8, 8), i * 40).save(root / f"c{name}" / f"{i}.png")
    text = config_text(root.parent / "a\nseed: 9.yaml", look(root, None))
    assert is_inert(text)
    assert YAML(typ="safe").load(text)["seed"] == 0
    write_config(root.parent / "own.yaml", root, None)
    assert load(root.parent / "own.yaml").data.source.path == "data\nseed: 7"


def test_programs_print_names_inert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = write_bundle(tmp_path / "tiny", labels=[f"{c}\x1b[2J\n\u202e" for c in "abc"])
    np.save(tmp_path / "x\x1b.npy", np.zeros((2, INPUTS), np.float32))
    inputs = str(tmp_path / "x\x1b.npy")
    assert main(["predict", str(bundle), inputs]) == 0
    assert main(["show", str(bundle)]) == 0
    assert main(["predict", str(bundle), str(tmp_path / "no\x1b[1m.npy")]) == 2
    told = capsys.readouterr()
    own = [sys.executable, str(PROGRAM_FILE), "--bundle", str(bundle), inputs]
    done = subprocess.run(own, capture_output=True, text=True, check=True)
    wrong = subprocess.run([*own, "\x1b[3m"], capture_output=True, text=True, check=False)
    for text in (told.out, told.err, done.stdout, wrong.stdout, wrong.stderr):
        assert text
        assert is_inert(text)
    assert len(done.stdout.splitlines()) == 2
    assert "\\x1b[2J" in done.stdout


def test_a_log_line_is_inert(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    PlainLines().emit(logging.LogRecord("a", 20, "", 1, "a \x1b[2J", None, None))
    assert out.getvalue() == "a \\x1b[2J\n"
