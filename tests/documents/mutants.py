"""Bundles with one file changed, the same ones for a seed."""

import copy
import random
from pathlib import Path
from typing import Any

from pipeline.artifacts import MANIFEST, read_json, sha256_file, write_json


def mutated(value: Any, rng: random.Random) -> Any:
    """Return a JSON value with one part changed, left out or of another type."""
    changed = copy.deepcopy(value)
    places: list[tuple[Any, Any]] = []

    def collect(node: Any) -> None:
        keys = (
            node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        )
        for key in list(keys):
            places.append((node, key))
            collect(node[key])

    collect(changed)
    node, key = rng.choice(places)
    if isinstance(node, dict) and rng.random() < 0.3:
        del node[key]
    else:
        node[key] = rng.choice(
            [None, 0, -1, 1e308, "", "x\x1b[2J", [], {}, True, [1], 1 << 40, "../x", ["a", "a"]]
        )
    return changed


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return bytes cut short, or with some of them changed."""
    if rng.random() < 0.2:
        return content[: rng.randrange(len(content))]
    changed = bytearray(content)
    for _ in range(rng.randrange(1, 9)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def mutate_bundle(bundle: Path, rng: random.Random) -> None:
    """Change one file of a bundle, and describe it as whole, more often than not."""
    name = rng.choice(["manifest.json", "preprocess.json", "golden.npz", "web/golden.npz"])
    file = bundle / name
    if name.endswith(".json"):
        write_json(file, mutated(read_json(file), rng))
    else:
        file.write_bytes(damaged(file.read_bytes(), rng))
    if name != "manifest.json":
        manifest = read_json(bundle / MANIFEST)
        manifest["files"][name] = {"sha256": sha256_file(file), "bytes": file.stat().st_size}
        write_json(bundle / MANIFEST, manifest)
