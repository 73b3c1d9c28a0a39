"""Numbers, texts and names as C writes them."""

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.escape import c_comment

LINE = 96  # characters of a line of numbers
WORDS = """
    alignas alignof and asm auto bool break case catch char class const continue default
    delete do double else enum explicit export extern false float for friend goto if
    inline int long mutable namespace new not nullptr operator or private protected
    public register restrict return short signed sizeof static struct switch template
    this throw true try typedef typename union unsigned using virtual void volatile
    while xor
"""  # of C and C++: a header serves both
RESERVED = frozenset(
    [*WORDS.split(), "last_value", "output", "top", "why"]
)  # members that are there
C_TYPES = {
    "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t",
    "int32": "int32_t", "uint32": "uint32_t", "float32": "float", "float64": "double",
}  # fmt: skip

KOTLIN_WRITES = {
    "int8": "put(index, clipped.toByte())",
    "uint8": "put(index, clipped.toByte())",
    "int16": "putShort(index * 2, clipped.toShort())",
}
KOTLIN_READS = {
    "int8": "get(index)",
    "uint8": "get(index).toInt().and(255)",
    "int16": "getShort(index * 2)",
    "float32": "getFloat(index * 4)",
}  # how a number `index` of a ByteBuffer is written and read


def c_double(number: float) -> str:
    """Return a double that reads back as the same bits."""
    return repr(float(number))


def c_float(number: float) -> str:
    """Return a float that reads back as the same bits of the nearest float32."""
    text = str(np.float32(number))
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def c_bound(number: float) -> str:
    """Return a float that may be infinite."""
    if math.isinf(number):
        return "HUGE_VALF" if number > 0 else "-HUGE_VALF"
    return c_float(number)


def c_block_comment(text: str) -> str:
    """Return text for between the signs of a comment, which it cannot end."""
    return c_comment(text).replace("*/", "* /").replace("/*", "/ *")


def c_lines(items: Iterable[str], indent: int = 4) -> str:
    """Return items separated by commas, in lines."""
    lines, line = [], ""
    for item in items:
        if line and indent + len(line) + len(item) + 2 > LINE:
            lines.append(line)
            line = ""
        line += f" {item}," if line else f"{item},"
    return "\n".join(" " * indent + part for part in [*lines, line] if part)


def c_doubles(numbers: Iterable[float]) -> str:
    """Return doubles for between the braces of an array."""
    return c_lines(c_double(x) for x in numbers)


def c_floats(numbers: Iterable[float]) -> str:
    """Return floats for between the braces of an array."""
    return c_lines(c_float(x) for x in numbers)


def c_integers(numbers: Iterable[int]) -> str:
    """Return whole numbers for between the braces of an array."""
    return c_lines(str(int(x)) for x in numbers)


def c_string(text: str | bytes) -> str:
    """Return a string of UTF-8; all that is no plain letter is an octal number of three digits."""
    content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return '"' + "".join(_escape(byte) for byte in content) + '"'


def _escape(byte: int) -> str:
    sign = chr(byte)
    plain = sign.isascii() and (sign.isalnum() or sign in " _-.,:;+*/=()<>[]{}!#$&@^|~'")
    return sign if plain else f"\\{byte:03o}"


def c_symbol(name: str) -> str:
    """Return the prefix of a model's symbols and files: a name of C."""
    plain = re.sub(r"[^0-9A-Za-z_]", "_", name)
    return f"model_{plain}" if plain[:1].isdigit() or not plain else plain


def c_members(names: Sequence[str]) -> list[str]:
    """Return for each name a different member of a struct."""
    members: list[str] = []
    for name in names:
        member = re.sub(r"[^0-9A-Za-z_]", "_", name).lstrip("_") or "x"
        member = f"x{member}" if member[0].isdigit() else member
        member = f"{member}_" if member in RESERVED else member
        while member.lower() in (other.lower() for other in members):
            member += "_"
        members.append(member)
    return members
