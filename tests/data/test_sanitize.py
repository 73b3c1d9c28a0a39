"""Sanitising: fitted on train, the same bits in TensorFlow and NumPy, and what it promises."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.preprocess import to_model_inputs
from pipeline.data.sanitize import fit_sanitizing
from pipeline.data.shards import ShardWriter, open_shards
from pipeline.documents.preprocess import Entry
from pipeline.errors import ConfigError
from pipeline.ondevice.sanitize import median_filter, reduce_bit_depth, round_to_levels
from pipeline.samples.kind import Input
from tests.device.lenient import prepare_input, remove_squeezing, squeeze_samples
from tests.documents.preprocess import entry_of, preprocess_of

WISH = {"median": None, "bit_depth": None, "range": "clip", "is_limited": True}
NOTHING = {"median": None, "bit_depth": None, "range": "clip", "limits": None, "levels": None}
NUMBER = {
    "kind": "number", "encoding": "robust", "impute_value": 0.5, "low": -2.0, "high": 2.0,
    "offset": 0.1,
    "scale": 1.3, "width": 1,
}  # fmt: skip
IMAGE = {
    "name": "x", "kind": "image", "shape": [9, 7, 2], "offset": 0.0, "scale": 1 / 255,
    "raw_dtype": "uint8",
}  # fmt: skip
SERIES = {
    "name": "x", "kind": "series", "shape": [11, 2], "per_window_standardize": False,
    "raw_dtype": "float32",
    "columns": [NUMBER | {"name": "a"}, NUMBER | {"name": "b"}],
}  # fmt: skip
ROWS = {
    "name": "x", "kind": "columns", "shape": [2], "raw_dtype": "float32",
    "columns": SERIES["columns"],
}  # fmt: skip
TABLE = {
    "name": "x", "kind": "table", "shape": [3], "raw_dtype": "float32", "columns": ["a", "b", "c"],
    "offset": [0.0, 1.0, 2.0], "scale": [1.0, 2.0, 3.0],
}  # fmt: skip
windows, bits = st.sampled_from([None, 3, 5, 9]), st.sampled_from([None, *range(1, 9)])
seeds = st.integers(0, 10_000)


def numbers(entry: dict[str, Any], seed: int) -> Any:
    rng = np.random.default_rng(seed)
    if entry["kind"] == "image":
        return rng.integers(0, 256, (4, *entry["shape"])).astype(np.uint8)
    raw = rng.normal(0, 2, (6, *entry["shape"])).astype(np.float32)
    if entry["kind"] != "table":
        raw[rng.random(raw.shape) < 0.2] = np.nan
    return raw


def fitted(folder: Path, entry: dict[str, Any], raw: Any, **wish: Any) -> Entry:
    folder.mkdir(exist_ok=True)
    writer = ShardWriter(folder, Input("x", entry["kind"]))
    writer.add(raw)
    shards = open_shards(folder, writer.finish())
    train = np.arange(len(raw) // 2)
    found = entry_of(entry)
    sanitize = fit_sanitizing(found, shards, train, wish=WISH | wish)
    return found.model_copy(update={"sanitize": sanitize})


@pytest.mark.parametrize("entry", [IMAGE, SERIES, ROWS, TABLE], ids=lambda e: e["kind"])
@pytest.mark.parametrize(("window", "depth"), [(3, None), (None, 1), (None, 3), (5, 4), (15, 8)])
def test_training_and_device_squeeze_to_the_same_bits(
    tmp_path: Path, entry: dict[str, Any], window: int | None, depth: int | None
) -> None:
    raw = numbers(entry, 3)
    window = window if entry["kind"] in ("image", "series") else None
    entry = fitted(tmp_path, entry, raw, median=window, bit_depth=depth)
    far = raw if entry.kind == "image" else raw * 9
    theirs = np.asarray(to_model_inputs({"x": far}, preprocess_of([entry]))["x"])
    np.testing.assert_array_equal(prepare_input(far, entry), theirs)


def test_sound_is_squeezed_alike_and_silence_stays(rng: np.random.Generator) -> None:
    import tensorflow as tf

    from pipeline.data.squeeze import squeeze_inputs

    raw = rng.integers(-32768, 32768, (3, 400)).astype(np.int16)
    raw[0, :5] = [-32768, 32767, 0, 1, -1]
    for depth, window in ((1, None), (8, 3), (5, None), (None, 5)):
        rule = NOTHING | {"bit_depth": depth, "median": window}
        entry = entry_of({"kind": "audio", "sanitize": rule})
        ours = squeeze_samples(raw, entry)
        np.testing.assert_array_equal(ours, squeeze_inputs(tf, tf.constant(raw), entry))
        assert not squeeze_samples(np.zeros_like(raw), entry).any()


@given(depth=st.integers(1, 8), dtype=st.sampled_from(["uint8", "uint16", "int16"]), seed=seeds)
def test_fewer_bits_are_few_near_and_the_same_when_done_twice(
    depth: int, dtype: str, seed: int
) -> None:
    limits = np.iinfo(dtype)
    raw = np.random.default_rng(seed).integers(limits.min, limits.max + 1, 3000).astype(dtype)
    raw[:2] = limits.min, limits.max
    once = reduce_bit_depth(raw, depth)
    assert once.dtype == raw.dtype
    np.testing.assert_array_equal(reduce_bit_depth(once, depth), once)
    assert len(np.unique(once)) <= 2**depth + (dtype == "int16")
    steps = 2**depth - 1 if limits.min == 0 else 2**depth
    apart = np.abs(once.astype(np.int64) - raw.astype(np.int64))
    assert apart.max() <= (limits.max - limits.min) / steps / 2 + 1
    order = np.argsort(raw, kind="stable")
    assert (np.diff(once[order].astype(np.int64)) >= 0).all()


@given(window=st.sampled_from([3, 5, 9, 15]), seed=seeds)
def test_the_median_is_that_of_scipy(window: int, seed: int) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    raw = numbers(IMAGE, seed)
    wanted = ndimage.median_filter(raw, size=(1, window, window, 1))
    np.testing.assert_array_equal(median_filter(raw, window, 2), wanted)
    line = np.random.default_rng(seed).integers(-999, 999, (3, 20, 2)).astype(np.int16)
    wanted = ndimage.median_filter(line, size=(1, window, 1))
    np.testing.assert_array_equal(median_filter(line, window, 1), wanted)


@given(window=windows, depth=bits, seed=seeds)
def test_squeezing_stays_in_range_and_its_steps_can_change_places(
    window: int | None, depth: int | None, seed: int
) -> None:
    raw = numbers(IMAGE, seed)
    both = squeeze_samples(raw, IMAGE | {"sanitize": NOTHING | {"median": window}})
    assert both.min() >= raw.min()
    assert both.max() <= raw.max()
    levels = IMAGE | {"sanitize": NOTHING | {"bit_depth": depth}}
    smoothed = IMAGE | {"sanitize": NOTHING | {"median": window}}
    one = squeeze_samples(both, levels)
    np.testing.assert_array_equal(one, squeeze_samples(squeeze_samples(raw, levels), smoothed))
    whole = IMAGE | {"sanitize": NOTHING | {"median": window, "bit_depth": depth}}
    np.testing.assert_array_equal(one, squeeze_samples(raw, whole))
    plain = remove_squeezing(preprocess_of([whole])).inputs[0]
    np.testing.assert_array_equal(squeeze_samples(raw, plain), raw)


def test_what_is_unknown_stays_so_and_is_left_out_of_the_median() -> None:
    line = np.array([[1, np.nan, 3, 9, np.nan, np.nan, np.nan, 4]], np.float32)[..., None]
    found = median_filter(line, 3, 1)[0, :, 0]
    np.testing.assert_array_equal(found, [1, np.nan, 3, 3, np.nan, np.nan, np.nan, 4])


@given(levels=st.lists(st.integers(-99, 99), min_size=1, max_size=9, unique=True), seed=seeds)
def test_numbers_go_to_the_nearest_level_once_and_for_all(levels: list[int], seed: int) -> None:
    own = sorted(levels)
    raw = np.random.default_rng(seed).uniform(-150, 150, (40, 1)).astype(np.float32)
    raw[3] = np.nan
    found = round_to_levels(raw, [own])
    np.testing.assert_array_equal(round_to_levels(found, [own]), found)
    known = ~np.isnan(raw[:, 0])
    assert np.isnan(found[3, 0])
    nearest = np.abs(raw[known] - np.array(own)).min(axis=1)
    np.testing.assert_allclose(np.abs(raw[known] - found[known])[:, 0], nearest, rtol=1e-6)


def test_limits_and_levels_come_from_train_alone(tmp_path: Path) -> None:
    raw = np.stack([np.linspace(0, 10, 20), np.full(20, 7.0)], axis=1).astype(np.float32)
    raw[10:] *= 1000  # not train
    entry = fitted(tmp_path, ROWS, raw, bit_depth=2)
    low, high = float(raw[0, 0]), float(raw[9, 0])
    assert entry.sanitize.limits[0] == pytest.approx([low - high, 2 * high])
    assert entry.sanitize.limits[1] == (7.0, 7.0)
    assert entry.sanitize.levels[0] == pytest.approx(np.linspace(low, high, 4))
    assert entry.sanitize.levels[1] == [7.0]


def test_levels_of_a_heavy_tail_go_by_rank(tmp_path: Path) -> None:
    raw = np.random.default_rng(0).lognormal(0, 3, (2000, 1)).astype(np.float32)
    tail = ROWS | {
        "columns": [
            {"name": "a", "encoding": "quantile", "impute_value": 0.5}
            | {"knots": [0.0, 9.0], "quantile_values": [-1.7, 1.7]}
        ],
        "shape": [1],
    }
    entry = fitted(tmp_path, tail, raw, bit_depth=2)
    found = squeeze_samples(raw, entry)
    counts = np.unique(found, return_counts=True)[1]
    assert len(counts) == 4
    assert counts.min() > 50  # evenly spaced ones would hold all but a handful in the lowest


def test_what_has_no_neighbors_or_no_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.sanitize\.median: .* x \(table\)"):
        fitted(tmp_path, TABLE, numbers(TABLE, 0), median=3)
    words = {"name": "x", "kind": "tokens", "shape": [4]}
    with pytest.raises(ConfigError, match=r"data\.sanitize\.bit_depth: .* x \(tokens\)"):
        fitted(tmp_path, words, np.zeros((4, 9), np.uint8), bit_depth=3)


def test_a_detector_of_anomalies_has_no_limits(tmp_path: Path) -> None:
    raw = numbers(TABLE, 0)
    assert fitted(tmp_path, TABLE, raw, is_limited=False).sanitize.limits is None
    relative = SERIES | {"per_window_standardize": True}  # its level is nobody's business
    entry = fitted(tmp_path / "b", relative, numbers(SERIES, 0))
    assert entry.sanitize.limits is None
