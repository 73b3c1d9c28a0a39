"""Lines of text files as programs write them: compressed, UTF-16, with lines above the header."""

import codecs
import gzip
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pipeline.errors import ConfigError

ABOVE = 50  # lines above a header at most
SEPARATOR = re.compile(r'"?sep=(.)"?\s*\Z', re.IGNORECASE)  # as Excel writes it
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def numbered_lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield (number, line with its end) of a text file, gzipped or not; the BOM is cut off.

    Args:
        path: the file.
        encoding: utf-8 or latin-1; UTF-16 is known by its first bytes.

    Raises:
        ConfigError: bytes of another encoding, or a broken gzip file.
    """
    try:
        with _opened(path) as file:
            head = file.peek(2)[:2]  # type: ignore[attr-defined]
            if head in UTF16:
                with io.TextIOWrapper(file, "utf-16", newline="") as text:
                    yield from enumerate(text, 1)
                return
            for number, line in enumerate(file, 1):
                first = "utf-8-sig" if encoding == "utf-8" else encoding
                yield number, _decoded(line, path, number, first if number == 1 else encoding)
    except (EOFError, gzip.BadGzipFile, UnicodeError) as error:
        raise ConfigError(f"{path}: cannot be read to its end: {error}") from error


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")  # type: ignore[return-value]


def _decoded(line: bytes, path: Path, number: int, encoding: str) -> str:
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path}:{number}: not {encoding.removesuffix('-sig')} text; save the file as UTF-8, "
            "or try data.source.encoding: latin-1"
        ) from None


def without_preamble(
    lines: Iterator[tuple[int, str]], delimiter: str
) -> tuple[Iterator[tuple[int, str]], str]:
    """Return the lines from the header on, and the delimiter.

    A line `sep=;` says the delimiter. Lines that begin with # above the header are comments, where
    they have other cells than the first line without.

    Args:
        lines: (number, line) from the first on.
        delimiter: as the config says it.
    """
    held: list[tuple[int, str]] = []
    for number, line in lines:
        found = SEPARATOR.match(line) if number == 1 else None
        if found:
            delimiter = found[1]
            continue
        held.append((number, line))
        if not line.startswith("#") or len(held) > ABOVE:
            break
    if held:
        cells = held[-1][1].count(delimiter)
        first = next(i for i, own in enumerate(held) if own[1].count(delimiter) == cells)
        held = held[first:] if cells else held[-1:]

    def rest() -> Iterator[tuple[int, str]]:
        yield from held
        yield from lines

    return rest(), delimiter
