"""Files that are damaged in many ways, the same ones every time."""

from collections.abc import Iterator

import numpy as np


def mutants(whole: bytes, count: int) -> Iterator[bytes]:
    """Yield damaged copies: cut short, bits turned, stretches zeroed, noisy, moved or doubled."""
    for number in range(count):
        rng = np.random.default_rng(number)
        content = bytearray(whole)
        begin, end = sorted(int(i) for i in rng.integers(8, len(whole), 2))
        end = min(end, begin + int(rng.integers(1, 64)))
        kind = number % 6
        if kind == 0:
            del content[begin:]
        elif kind == 1:
            for place in rng.integers(8, len(whole), int(rng.integers(1, 16))):
                content[place] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            content[begin:end] = bytes(end - begin)
        elif kind == 3:
            content[begin:end] = rng.bytes(end - begin)
        elif kind == 4:
            place = int(rng.integers(8, len(whole) - 64)) & ~3
            word = rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x00010000])
            content[place : place + 4] = int(word).to_bytes(4, "little")
        else:
            content[begin:begin] = content[begin:end]
        yield bytes(content)
