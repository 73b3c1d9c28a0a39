"""The table of messages in *Troubleshooting*: the program can say each of them."""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.docs.conftest import PAGES, ROOT
from tests.docs.markdown import is_command

HOLE = "\0"  # stands for what is put into a message


def rows() -> list[tuple[str, str]]:
    """Return the table's rows: what one sees, what to do."""
    text = PAGES["docs/troubleshooting.md"]
    cells = [
        re.split(r"(?<!\\) \| ", line.strip("| ")) for line in text.splitlines() if "|" in line
    ]
    return [(row[0], row[1]) for row in cells[2:]]


def quoted() -> list[str]:
    """Return every message that the table quotes, `…` for what varies."""
    found = [code for seen, _ in rows() for code in re.findall(r"`([^`]+)`", seen)]
    return [code for code in found if not is_command(code) and code != "conform"]


@cache
def said() -> tuple[str, ...]:
    """Return every text in the program, HOLE for what is put in; of other files their lines."""
    found = []
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        found += list(_texts(ast.parse(path.read_text())))
    pages = sorted((ROOT / "pipeline/device/web").rglob("*.js"))
    for path in [ROOT / "Makefile", *pages]:
        found += [re.sub(r"\$\{[^}]*\}", HOLE, line) for line in path.read_text().splitlines()]
    return tuple(found)


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else HOLE for v in node.values]
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\{[a-z_]*\}", HOLE, node.value)


def is_said(message: str) -> bool:
    """Tell whether some text has the message's fixed parts, in order."""
    parts = [re.escape(part.strip(" :")) for part in message.split("…") if part.strip(" :(),;")]
    pattern = re.compile(".*".join(parts), re.DOTALL)
    return bool(parts) and any(pattern.search(text) for text in said())


@pytest.mark.parametrize("message", quoted())
def test_every_quoted_message_is_one_that_is_said(message: str) -> None:
    fixed = [part for part in message.split("…") if len(part.strip(" :(),;")) > 3]
    assert fixed, "nothing of it is fixed: quote more"
    assert is_said(message), f"{message!r} is said nowhere in pipeline/ or the Makefile"


def test_a_message_that_is_not_said_is_told() -> None:
    assert is_said("the disk is full")
    assert not is_said("the disk is fuller than ever")
    assert is_said("… is not prepared in …, and it cannot be fetched")
    assert not is_said("and it cannot be fetched … is not prepared in")


def test_the_table_is_whole_and_short() -> None:
    assert len(quoted()) >= 25
    assert all(seen and len(cure.split()) <= 50 for seen, cure in rows())
    assert len({seen for seen, _ in rows()}) == len(rows())
