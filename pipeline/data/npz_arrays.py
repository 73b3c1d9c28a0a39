"""The arrays of a .npz file from others: headers, and values in bounded blocks."""

import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.arrays import Array
from pipeline.errors import ConfigError

ROWS = 1024  # of a chunk, at most
BLOCK_BYTES = 1 << 26  # of samples that are read at once
# What zipfile raises for a damaged archive: OSError for a place before its start, RuntimeError for
# a password and for a compression that it does not know, UnicodeDecodeError for a name.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    UnicodeDecodeError,
)


@dataclass(frozen=True)
class NpzArray:
    """An array of the file: its shape and type, without its values."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def arrays_of(path: Path) -> dict[str, NpzArray]:
    """Read the headers of the arrays in a .npz file: name -> type, shape and offset.

    Raises:
        ConfigError: there is no such file, it is no .npz file, or it is cut short.
    """
    try:
        with zipfile.ZipFile(path) as file:
            found = [name for name in file.namelist() if name.endswith(".npy")]
            return {name[:-4]: _header(file, path, name) for name in found}
    except FileNotFoundError:
        raise ConfigError(f"data.source.path: no such file: {path}") from None
    except DAMAGED as error:
        raise ConfigError(f"{path}: no .npz file, or cut short ({error})") from error


def _header(file: zipfile.ZipFile, path: Path, name: str) -> NpzArray:
    with file.open(name) as stream:
        try:
            shape, is_fortran, dtype = _read_header(stream)
            if min(shape, default=0) < 0:
                raise ValueError(f"its shape is {shape}")
        except (ValueError, TypeError, SyntaxError, tokenize.TokenError) as error:
            raise ConfigError(f"{path}: {name} is no array ({error})") from error
    if dtype.hasobject:
        raise ConfigError(
            f"{path}: {name[:-4]} holds Python objects, which are never read: they may be "
            "programs; wanted numbers or text of one type"
        )
    if is_fortran and len(shape) > 1:
        raise ConfigError(
            f"{path}: {name[:-4]} is stored column by column; save it anew with "
            "numpy.ascontiguousarray"
        )
    if dtype.itemsize * math.prod(shape[1:]) > BLOCK_BYTES:
        raise ConfigError(
            f"{path}: one sample of {name[:-4]} {dtype} {shape} has more than "
            f"{BLOCK_BYTES >> 20} MB; wanted smaller ones"
        )
    return NpzArray(name[:-4], shape, dtype)


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type, and leave the stream at the first value."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)


def rows_of(array: NpzArray) -> int:
    """Return how many samples of an array (N, *shape) are read at once, 1 to ROWS."""
    size = array.dtype.itemsize * math.prod(array.shape[1:])
    return max(1, min(ROWS, BLOCK_BYTES // max(1, size)))


def read_blocks(path: Path, array: NpzArray, rows: int | None = None) -> Iterator[Array]:
    """Yield the values of an array, a block (n, *shape) at a time.

    Args:
        path: of the file.
        array: of the file.
        rows: samples at a time; None: as many as fit.

    Raises:
        ConfigError: the file is cut short.
    """
    size = array.dtype.itemsize * math.prod(array.shape[1:])
    rows = rows_of(array) if rows is None else rows
    try:
        with zipfile.ZipFile(path) as file, file.open(f"{array.name}.npy") as stream:
            _read_header(stream)
            for start in range(0, array.shape[0], rows):
                count = min(rows, array.shape[0] - start)
                content = stream.read(count * size)
                if len(content) < count * size:
                    raise EOFError("it ends too early")
                yield np.frombuffer(content, array.dtype).reshape(count, *array.shape[1:])
    except DAMAGED as error:
        raise ConfigError(f"{path}: {array.name} cannot be read: {error}") from error
