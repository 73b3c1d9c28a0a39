"""Damaged files before every reader in this process: samples or one message, or it is a bug.

    .venv/bin/python -m tests.bench.fuzz [--target NAME ...] [--seconds 60] [--seed 0] [--keep DIR]

A case is a target, a seed and a number, and comes again by them. Cases are whole files with bytes
changed, cut, doubled, moved or joined with another file's, and with words that readers stumble
over. What falls is named by its error and the line that raised it, once, with the first case.
"""

import argparse
import random
import shutil
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.device import demo_content
from pipeline.device.bundle_problems import label_problems
from pipeline.device.golden import read_bundle_arrays, select_inputs
from pipeline.documents.bundles import read_bundle
from pipeline.documents.preprocess import Preprocess
from tests.bench.fuzz_targets import Target, targets
from tests.device.tiny import write_bundle
from tests.documents.mutants import mutate_bundle

TOKENS = (
    b"\0", b"\r\n", b"\n", b'"', b"'", b",", b";", b"\t", b"\xef\xbb\xbf", b"\xff\xfe", b"nan",
    b"-inf", b"1e999", b"-1", b"9" * 400, b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0",
    b"2026-02-30", b"0001-01-01", b"99:99", b"\x1b[2J", b"=1+1", "\u202e\u2028".encode(), b"\x85",
    b"'shape': (9999999999,)", b"|O", b"<U9", b"<M8[s]", b">f8", b"PK\x05\x06", b"RIFF", b"IDAT",
)  # fmt: skip
MOST_CHANGES = 4


@dataclass
class Found:
    """What came of the cases of a target."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """read or refused -> cases."""
    bugs: dict[str, int] = field(default_factory=dict)
    """Error and the line that raised it -> number of the first case."""
    seconds: float = 0.0

    @property
    def cases(self) -> int:
        """Return how many there were."""
        return self.outcomes.total()


def mutate(seeds: tuple[bytes, ...], rng: random.Random) -> bytes:
    """Return a file that is one of `seeds`, changed in up to MOST_CHANGES places."""
    content = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, MOST_CHANGES)):
        _change(content, seeds, rng)
    return bytes(content)


def _change(content: bytearray, seeds: tuple[bytes, ...], rng: random.Random) -> None:
    """Change a file in one place."""
    begin, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    end = min(end, begin + rng.choice((1, 4, 64, 4096)))
    kind = rng.randrange(8)
    if kind == 0:
        del content[begin:end]
    elif kind == 1:
        content[begin:begin] = content[begin:end]
    elif kind == 2:
        content[begin:end] = rng.randbytes(end - begin)
    elif kind == 3:
        word = rng.choice(TOKENS)
        content[begin : begin + rng.choice((0, len(word)))] = word
    elif kind == 4:
        other = rng.choice(seeds)
        content[begin:] = other[rng.randrange(len(other)) :]
    elif kind == 5:
        del content[begin:]
    elif kind == 6 and content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    elif content:
        size = rng.choice((1, 2, 4, 8))
        value = rng.choice((0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1)))
        content[begin : begin + size] = value.to_bytes(size, rng.choice(("little", "big")))


def fuzz(
    target: Target,
    folder: Path,
    *,
    seed: int,
    count: int | None = None,
    seconds: float | None = None,
    keep: Path | None = None,
) -> Found:
    """Give a reader `count` damaged files, or as many as `seconds` let.

    Args:
        target: the reader.
        folder: empty; holds the files of one case after the other.
        seed: of the cases; case i is the same whatever the others.
        count: cases; None: until `seconds` are over.
        seconds: time of the clock; None: until `count` is reached.
        keep: folder for the files behind each bug; None: they are not kept.
    """
    found, begun, number = Found(), time.monotonic(), 0
    file = folder / target.file
    for name, content in (target.others | {target.file: target.seeds[0]}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    while number != count and (seconds is None or time.monotonic() - begun < seconds):
        file.write_bytes(mutate(target.seeds, random.Random(f"{seed} {number}")))
        _try(target, folder, found, number)
        if keep is not None and number in found.bugs.values():
            keep.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, keep / f"{seed}_{number}_{file.name}")
        number += 1
    found.seconds = time.monotonic() - begun
    return found


def _try(target: Target, folder: Path, found: Found, number: int) -> None:
    """Read a case, and note what came of it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.check(folder)
        found.outcomes["read"] += 1
    except target.allowed:
        found.outcomes["refused"] += 1
    except Exception as error:
        found.outcomes["bug"] += 1
        found.bugs.setdefault(place_of(error), number)


def place_of(error: BaseException) -> str:
    """Return the kind of an error, and the innermost line of the pipeline that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "pipeline" in Path(f.filename).parts]
    last = (ours or frames)[-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {str(error)[:90]}"


def fuzz_bundles(folder: Path, *, seed: int, count: int | None, seconds: float | None) -> Found:
    """Read bundles of which one file is changed, as `conform` and `demo` do before they run it."""
    whole, bundle = write_bundle(folder / "whole"), folder / "bundle"
    found, begun, number = Found(), time.monotonic(), 0
    target = Target("", (b"",), lambda _: _read_bundle(bundle))
    while number != count and (seconds is None or time.monotonic() - begun < seconds):
        shutil.rmtree(bundle, ignore_errors=True)
        shutil.copytree(whole, bundle)
        mutate_bundle(bundle, random.Random(f"{seed} {number}"))
        _try(target, folder, found, number)
        number += 1
    found.seconds = time.monotonic() - begun
    return found


def _read_bundle(bundle: Path) -> None:
    """Read every document and array of a bundle."""
    manifest = read_bundle(bundle)
    preprocess = Preprocess.read(bundle / "preprocess.json")
    stored = read_bundle_arrays(bundle / "golden.npz")
    select_inputs(stored, preprocess)
    label_problems(stored, preprocess, manifest)
    demo_content.content_of(bundle)


def main() -> None:
    """Fuzz every reader, and say what came of it."""
    known = [*targets(), "bundle"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", nargs="*", choices=known, default=known)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files behind each bug")
    asked = parser.parse_args()
    by_name, bugs = targets(), 0
    for name in asked.target:
        with tempfile.TemporaryDirectory(prefix="edgeline_") as folder:
            if name == "bundle":
                given = {"count": None, "seconds": asked.seconds}
                found = fuzz_bundles(Path(folder), seed=asked.seed, **given)
            else:
                found = fuzz(
                    by_name[name], Path(folder), seed=asked.seed, seconds=asked.seconds,
                    keep=asked.keep and asked.keep / name,
                )  # fmt: skip
        print(
            f"{name}: {found.cases:,} in {found.seconds:.0f} s: {dict(found.outcomes)}", flush=True
        )
        for place, number in found.bugs.items():
            print(f"  case {number}: {place}", flush=True)
        bugs += len(found.bugs)
    raise SystemExit(bool(bugs))


if __name__ == "__main__":
    main()
