"""What a page holds that can be run or read by a program: commands and snippets, by line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

PROGRAMS = (
    "make", "edgeline", "python", "pip", "npm", "npx", "git", "cd", "cp", "uv", "docker", "curl",
    "apt-get", "edgetpu_compiler", "vela", "ssh", "scp", "bash", "sh", "chromium",
)  # fmt: skip
INDENT = "    "


@dataclass(frozen=True)
class Piece:
    """A command or a snippet, and the line that it begins on."""

    line: int
    text: str
    language: str = ""
    """Of a fenced snippet; `block` or `inline` of a command."""


def fenced(text: str) -> list[Piece]:
    """Return the fenced snippets."""
    found, lines = [], text.splitlines()
    start, language = 0, ""
    for number, line in enumerate(lines, 1):
        if not line.startswith("```"):
            continue
        if start:
            found.append(Piece(start, "\n".join(lines[start : number - 1]) + "\n", language))
            start = 0
        else:
            start, language = number, line[3:].strip()
    return found


def indented(text: str) -> list[Piece]:
    """Return the lines of indented blocks, each by itself."""
    return [
        Piece(number, line.strip(), "block")
        for number, line in _prose(text)
        if line.startswith(INDENT) and line.strip()
    ]


def commands(text: str) -> list[Piece]:
    """Return every command: lines of indented blocks, and code in the text and in tables."""
    found = [piece for piece in indented(text) if is_command(piece.text)]
    for number, line in _prose(text):
        if line.startswith(INDENT):
            continue
        found += [
            Piece(number, code, "inline")
            for code in re.findall(r"`([^`]+)`", line)
            if is_command(code)
        ]
    return [Piece(p.line, plain(p.text), p.language) for p in found]


def is_command(code: str) -> bool:
    """Tell whether code begins with a program's name."""
    first = code.removeprefix(".venv/bin/").split()[:1]
    return bool(first) and first[0] in PROGRAMS


def plain(code: str) -> str:
    """Return a command without its comment, and without the environment's folder."""
    return re.sub(r"\s{2,}#.*$", "", code).strip().removeprefix(".venv/bin/")


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines outside of fences."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            yield number, line
