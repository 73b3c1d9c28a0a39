"""One text or number a sample, written down as they come. None of them stays in memory."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.arrays import Array

READ = 1 << 16  # bytes of the draft that are read at once
END = "\0"


def reserve(file: IO[bytes]) -> None:
    """Have the disk keep room for a whole file, before it is written to as memory.

    A page that finds no room when it is written to would end the process (SIGBUS).

    Raises:
        OSError: there is no room.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, max(1, os.fstat(file.fileno()).st_size))


class StringFile:
    """Collects texts and makes a .npy of them, whose width is only known at the end."""

    def __init__(self, path: Path) -> None:
        """Begin a draft beside `path`; it goes when the .npy is there."""
        self._path, self._draft = path, path.with_suffix(".draft")
        self._file = self._draft.open("wb")
        self._count, self._width = 0, 1

    def add(self, texts: Sequence[str]) -> None:
        """Take in some texts."""
        for text in texts:
            plain = text.replace(END, " ")
            self._width = max(self._width, len(plain))
            self._file.write((plain + END).encode("utf-8", "surrogateescape"))
        self._count += len(texts)

    def close(self) -> None:
        """Close the draft; it is no use any more."""
        self._file.close()

    def finish(self) -> Array | None:
        """Return the mapped array (N,); None where nothing came."""
        self.close()
        if self._count:
            made = np.lib.format.open_memmap(
                self._path, mode="w+", dtype=f"<U{self._width}", shape=(self._count,)
            )
            with self._path.open("r+b") as file:
                reserve(file)
            place = 0
            for texts in self._texts():
                made[place : place + len(texts)] = texts
                place += len(texts)
            made.flush()
            del made
        self._draft.unlink()
        return np.load(self._path, mmap_mode="r") if self._count else None

    def _texts(self) -> Iterator[list[str]]:
        """Yield the texts of the draft, some at a time."""
        rest = b""
        with self._draft.open("rb") as file:
            while block := file.read(READ):
                *whole, rest = (rest + block).split(END.encode())
                yield [text.decode("utf-8", "surrogateescape") for text in whole]


class ValueFile:
    """Collects numbers of one type, and maps them; the file goes with `close`."""

    def __init__(self, path: Path) -> None:
        """Begin a draft."""
        self._path, self._file = path, path.open("wb")
        self._dtype: np.dtype[Any] = np.dtype(np.float64)
        self._count = 0

    def add(self, values: Array) -> None:
        """Take in some numbers (n,).

        Raises:
            ValueError: they are of another type than those before; sources must see to it.
        """
        if self._count and values.dtype != self._dtype:
            raise ValueError(f"{self._path.stem}: {values.dtype} after {self._dtype}")
        self._dtype = values.dtype
        self._count += len(values)
        self._file.write(np.ascontiguousarray(values).data if len(values) else b"")

    def finish(self) -> Array:
        """Return all of them (N,), mapped: also after the file is gone."""
        self._file.close()
        if not self._count:
            return np.zeros(0, self._dtype)
        return np.memmap(self._path, self._dtype, "r").view(np.ndarray)

    def close(self) -> None:
        """Remove the draft."""
        self._file.close()
        self._path.unlink(missing_ok=True)
