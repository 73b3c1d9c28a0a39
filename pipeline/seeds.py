"""One seed in the config; every purpose derives its own. There is no global random state."""

import hashlib


def fold_seed(seed: int, *purpose: str | int) -> int:
    """Return a seed in [0, 2**31) that depends on `seed` and on every part of `purpose`."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
