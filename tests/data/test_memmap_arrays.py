"""Arrays on disk are what NumPy makes in memory, in whatever blocks they are looked at."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data import memmap_arrays
from pipeline.data.exact_duplicates import contradictions, exact_copies
from pipeline.data.figures import _of_every_class
from pipeline.data.preprocess import fit_target
from pipeline.data.split import Wish, split_dataset
from pipeline.data.stratified_sampling import ranks

IDS = st.lists(st.integers(0, 6), min_size=1, max_size=60)
CALLS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "where": (lambda x: memmap_arrays.where(x, lambda v: v > 2), lambda x: np.flatnonzero(x > 2)),
    "kept": (lambda x: memmap_arrays.filter_array(x, lambda v: v > 2), lambda x: x[x > 2]),
    "taken": (lambda x: memmap_arrays.take_rows(x, x % len(x)), lambda x: x[x % len(x)]),
    "joined": (
        lambda x: memmap_arrays.join_arrays([x, x[:1]]),
        lambda x: np.concatenate([x, x[:1]]),
    ),
    "ordered": (memmap_arrays.sort_array, np.sort),
    "distinct": (lambda x: memmap_arrays.distinct(memmap_arrays.sort_array(x)), np.unique),
    "repeated": (
        lambda x: memmap_arrays.distinct(memmap_arrays.sort_array(x), times=2),
        lambda x: np.unique(x)[np.unique(x, return_counts=True)[1] > 1],
    ),
    "counted": (lambda x: memmap_arrays.count_ids(x, 9), lambda x: np.bincount(x, minlength=9)),
    "number_of": (lambda x: memmap_arrays.number_of(x, lambda v: v > 2), lambda x: (x > 2).sum()),
    "ranks": (ranks, lambda x: [list(x[:i]).count(v) for i, v in enumerate(x)]),
    "shuffled": (
        lambda x: memmap_arrays.shuffle_array(x, np.random.default_rng(1)),
        lambda x: np.random.default_rng(1).permutation(x),
    ),
    "shuffled_range": (
        lambda x: memmap_arrays.shuffled_range(len(x), np.random.default_rng(1)),
        lambda x: np.random.default_rng(1).permutation(len(x)),
    ),
}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], tuple[Any, Any]]:
    """Return a function that returns what a call makes in memory, and on disk."""

    def both(call: Callable[[], Any]) -> tuple[Any, Any]:
        plain = call()
        with monkeypatch.context() as patched:
            patched.setattr(memmap_arrays, "LARGE", 1)
            patched.setattr(memmap_arrays, "BLOCK", 7)
            return plain, call()

    return both


@pytest.mark.parametrize("name", CALLS)
@given(ids=IDS)
def test_what_is_made_in_blocks_is_what_numpy_makes(name: str, ids: list[int]) -> None:
    own, plain = CALLS[name]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(memmap_arrays, "BLOCK", 7)
        np.testing.assert_array_equal(own(np.array(ids)), plain(np.array(ids)))


@pytest.mark.parametrize("name", CALLS)
def test_what_is_made_on_disk_is_what_is_made_in_memory(
    disk: Any, name: str, rng: np.random.Generator
) -> None:
    ids = rng.integers(0, 7, 40)
    plain, mapped = disk(lambda: CALLS[name][0](ids))
    np.testing.assert_array_equal(plain, mapped)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux tells it there")
def test_a_large_array_lies_on_disk_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    made = memmap_arrays.scratch(memmap_arrays.LARGE, np.int32)
    made[:] = 3
    maps = Path("/proc/self/maps")
    assert f"{tmp_path}/" in maps.read_text()
    assert not list(tmp_path.iterdir())
    del made
    assert f"{tmp_path}/" not in maps.read_text()


@pytest.mark.parametrize("by", ["given", "stratified", "random", "group", "time"])
@pytest.mark.parametrize("is_grouped", [False, True])
def test_parts_are_the_same_in_memory_and_on_disk(
    disk: Any, by: Any, is_grouped: bool, rng: np.random.Generator
) -> None:
    count = 300
    labels, begin = rng.integers(0, 4, count), rng.permutation(count) / 3
    given_parts = rng.integers(1 if by == "given" else 0, 2, count).astype(np.int8)
    groups = (
        np.sort(rng.integers(0, 30, count)).astype(str) if is_grouped or by == "group" else None
    )
    times = np.stack([begin, begin + 1], axis=1)
    wish = Wish(by, 0.2, 0.1, 5)
    plain, mapped = disk(
        lambda: split_dataset(
            labels, given_parts, wish, is_classes=True, groups=groups, times=times
        )
    )
    assert {name: len(part) for name, part in plain.items() if len(part)}.keys() == plain.keys()
    for name, part in plain.items():
        np.testing.assert_array_equal(part, mapped[name])
        assert part.dtype == mapped[name].dtype == np.int32


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=40))
def test_copies_and_contradictions_are_those_of_sets(pairs: list[tuple[int, int]]) -> None:
    digests = np.array([digest for digest, _ in pairs], np.uint64) * np.uint64(2**61 + 1)
    labels = np.array([label for _, label in pairs])
    there = {value: {k for d, k in pairs if d == value} for value, _ in pairs}
    assert contradictions(labels, digests) == sum(len(found) - 1 for found in there.values())
    half = len(pairs) // 2
    parts = {"train": np.arange(half), "validation": np.arange(half, len(pairs)), "test": []}
    found = exact_copies({k: np.array(v, np.int32) for k, v in parts.items()}, digests)
    known = {digest for digest, _ in pairs[:half]}
    assert found["validation"].tolist() == [digest in known for digest, _ in pairs[half:]]
    assert found["test"].tolist() == []


@given(st.lists(st.integers(0, 20), min_size=1, max_size=90))
def test_shown_are_the_first_of_every_class(ids: list[int]) -> None:
    labels, positions = np.array(ids), np.arange(len(ids))[::-1]
    own = labels[positions]
    rank = np.array([list(own[:i]).count(v) for i, v in enumerate(own)])
    first = np.lexsort((own, rank))[:16]
    wanted = positions[first[np.argsort(own[first], kind="stable")]]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(memmap_arrays, "BLOCK", 7)
        np.testing.assert_array_equal(_of_every_class(labels, positions), wanted)


def test_a_target_is_scaled_by_numpys_own_deviation(disk: Any, rng: np.random.Generator) -> None:
    targets = (1e3 + rng.normal(size=100_001)).astype(np.float32)
    plain, mapped = disk(lambda: fit_target(targets))
    assert plain == mapped
    assert plain["scale"] == float(np.float32(targets.std(dtype=np.float64)))
