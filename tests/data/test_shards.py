"""Shards give back what was written, in any order, fixed or ragged, in one file or many."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.shards import Shards, ShardWriter, open_shards, sample_digests
from pipeline.samples.kind import Input

Array = np.ndarray[Any, np.dtype[Any]]


def written(folder: Path, spec: Input, chunks: list[Any], shard_bytes: int) -> Shards:
    writer = ShardWriter(folder, spec, shard_bytes=shard_bytes)
    for chunk in chunks:
        writer.add(chunk)
    return open_shards(folder, writer.finish())


@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any),
    shard_bytes=st.sampled_from([1, 24, 50, 10_000]),
    seed=st.integers(0, 99),
)
def test_fixed_samples_come_back_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], shard_bytes: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    chunks = [rng.integers(0, 256, (n, 2, 3, 2)).astype(np.uint8) for n in sizes]
    folder = tmp_path_factory.mktemp("shards")
    shards = written(folder, Input("x", "image"), chunks, shard_bytes)
    everything = np.concatenate(chunks)
    positions = rng.integers(0, len(everything), 20)
    assert (shards.take(positions) == everything[positions]).all()
    assert shards.take(positions).dtype == np.uint8
    assert all(len(np.load(f)) * 12 <= max(12, 2 * shard_bytes) for f in folder.glob("*.npy"))


@given(
    lengths=st.lists(st.integers(0, 7), min_size=1, max_size=12),
    shard_bytes=st.sampled_from([1, 40]),
)
def test_ragged_samples_are_filled_up_with_zeros(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], shard_bytes: int
) -> None:
    samples = [np.full((n, 2), i + 1, np.float32) for i, n in enumerate(lengths)]
    spec = Input("steps", "table", is_ragged=True)
    shards = written(tmp_path_factory.mktemp("shards"), spec, [samples], shard_bytes)
    order = np.arange(len(samples))[::-1]
    found = shards.take(order)
    assert found.shape == (len(samples), max(lengths), 2)
    for place, position in enumerate(order):
        assert (found[place, : lengths[position]] == position + 1).all()
        assert (found[place, lengths[position] :] == 0).all()


def test_another_shape_or_type_is_refused(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, Input("x", "image"))
    writer.add(np.zeros((2, 4), np.uint8))
    with pytest.raises(ValueError, match="x: "):
        writer.add(np.zeros((2, 5), np.uint8))
    with pytest.raises(ValueError, match="x: "):
        writer.add(np.zeros((2, 4), np.float32))
    writer.close()


def test_an_input_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    written(tmp_path, Input("../a/b", "table"), [np.zeros((2, 4), np.uint8)], 100)
    assert len(list(tmp_path.iterdir())) == 1


def test_equal_samples_have_equal_digests_and_others_do_not(rng: np.random.Generator) -> None:
    x = rng.integers(0, 9, (6, 4))
    x[5] = x[0]
    digests = sample_digests({"a": x, "b": np.zeros((6, 1))})
    assert digests[5] == digests[0]
    assert len(set(digests)) == 5
