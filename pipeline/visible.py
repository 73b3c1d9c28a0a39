"""Text that shows every character that has no sign of its own; also part of run_on_device.py."""

import unicodedata

JOINERS = "\u200c\u200d"  # between letters of some scripts, and inside emoji


def visible(text: str) -> str:
    """Return text on one line: control, format and line separator characters as backslash escapes.

    Terminal sequences, line breaks and marks that turn the direction of writing lose their effect.
    """
    if text.isprintable():
        return text
    return "".join(sign if is_shown(sign) else _escape(sign) for sign in text)


def visible_lines(text: str) -> str:
    """Return text with its line breaks and tabs, and all else as `visible` shows it."""
    if text.isprintable():
        return text
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in text.split("\n"))


def is_shown(sign: str) -> bool:
    """Tell whether a character has a sign or a width of its own."""
    return sign.isprintable() or sign in JOINERS or unicodedata.category(sign) == "Zs"


def _escape(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")
