"""Text from data, configs and bundles on its way into a file or onto a terminal.

One function a destination; all names and texts that others chose pass through it. Jinja and
markupsafe escape HTML, `json` escapes JSON.
"""

import json
import re
import shlex

from pipeline.visible import is_shown, visible, visible_lines

MARKDOWN = re.compile(r"[\\`*\[\]<>|~&@]|(?<![^\W_])_|_(?![^\W_])")
LINKED = re.compile(r"(?i)(?:(?<=https)|(?<=http)|(?<=ftp)):|(?<=www)\.")
BLOCK = re.compile(r"^(\s*)(#|>|=|---|\*\*\*|[-+](?=\s|$)|\d+(?=[.)](?:\s|$)))")


def terminal(text: str) -> str:
    """Return lines for a terminal, which executes nothing of them."""
    return visible_lines(text)


def yaml_comment(text: str) -> str:
    """Return a comment of one line, without its sign."""
    return visible(text)


def yaml_text(text: str) -> str:
    """Return a text as YAML in double quotes, on one line."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(sign if is_shown(sign) else _as_code(ord(sign)) for sign in quoted)


def _as_code(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def markdown(text: str) -> str:
    """Return text that Markdown shows as it is: no HTML, link, heading, cell or second line."""
    shown = visible(" ".join(text.splitlines())).strip()
    shown = LINKED.sub(r"\\\g<0>", MARKDOWN.sub(r"\\\g<0>", shown))
    return BLOCK.sub(_as_text, shown)


def _as_text(found: re.Match[str]) -> str:
    sign = found[2]
    return f"{found[1]}{sign}\\" if sign.isdigit() else f"{found[1]}\\{sign}"


def markdown_code(text: str) -> str:
    """Return text for inside a code block or backticks, which cannot end them."""
    return visible(text).replace("`", "'")


def c_comment(text: str) -> str:
    r"""Return text for behind `//` in C, Kotlin and Swift; a last \ would take in the next line."""
    return visible(text).replace("\\", "/").replace("`", "'").replace("??/", "?/")


def shell_word(text: str) -> str:
    """Return one argument of a shell command that stands in a line of text."""
    return shlex.quote(visible(text))


def label_line(text: str) -> str:
    """Return a line of labels.txt: a line break in a name would shift all classes behind it."""
    return visible(text)
