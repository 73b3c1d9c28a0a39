"""Preprocessing is learned from train alone, and what it makes of numbers suits eight bits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.data.preprocess import to_model_inputs
from pipeline.data.shards import ShardWriter, open_shards
from pipeline.samples.columns import RARE, fit_category
from pipeline.samples.kind import Input
from pipeline.samples.numbers import INTERVALS, fit_number, fit_piecewise
from pipeline.samples.tokens import fit_tokens
from tests.device.lenient import prepare_input
from tests.documents.preprocess import entry_of, preprocess_of

STEPS = 256  # of int8
NUMBERS = arrays(np.float32, st.integers(1, 60), elements=st.floats(-1e6, 1e6, width=32))


HOW = ("auto", "standard", "robust", "quantile", "piecewise")


def fit(known: Any, how: str) -> dict[str, Any]:
    return fit_piecewise(known) if how == "piecewise" else fit_number(known, how)


def table_entry(*columns: dict[str, Any]) -> dict[str, Any]:
    width = sum(column["width"] for column in columns)
    named = [{"name": f"c{i}", **column} for i, column in enumerate(columns)]
    entry = {"name": "x", "kind": "columns", "raw_dtype": "float32", "shape": [width]}
    return entry | {"columns": named}


@given(NUMBERS, NUMBERS, st.sampled_from(HOW))
@example(np.array([3, -999749, 1, 2, -999748, *[0] * 15], np.float32), np.zeros(1), "piecewise")
@example(np.full(5, 3e7, np.float32), np.zeros(1), "piecewise")
@example(np.array([1.1754944e-38, 0], np.float32), np.zeros(1), "auto")
def test_numbers_mean_the_same_on_both_sides(known: Any, seen: Any, how: str) -> None:
    entry = table_entry({"kind": "number"} | fit(known, how))
    raw = np.concatenate([seen, known, [np.nan, 0, 3e38, -3e38]]).astype(np.float32)[:, None]
    ours = prepare_input(raw, entry)
    theirs = np.asarray(to_model_inputs({"x": raw}, preprocess_of([entry]))["x"])
    assert np.isfinite(ours).all()
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@given(st.lists(st.integers(0, 5), max_size=60), st.lists(st.integers(-1, 5), min_size=1))
def test_categories_mean_the_same_on_both_sides(known: list[int], seen: list[int]) -> None:
    column = {"kind": "category"} | fit_category(np.array(known, np.float32), 6)
    entry = table_entry(column)
    raw = np.array([*seen, np.nan], np.float32)[:, None]
    ours = prepare_input(raw, entry)
    theirs = np.asarray(to_model_inputs({"x": raw}, preprocess_of([entry]))["x"])
    assert (ours == theirs).all()
    assert (ours.sum(axis=1) == 1).all()
    kept = sum(known.count(code) >= RARE for code in range(6))
    assert ours.shape[1] == kept + 1
    codes = entry | {"kind": "codes", "columns": [entry["columns"][0] | {"offset": 3}]}
    same = np.asarray(to_model_inputs({"x": raw}, preprocess_of([codes]))["x"])
    assert (prepare_input(raw, codes) == same).all()
    assert (same[:, 0] - 3 == ours.argmax(axis=1)).all()


def test_heavy_tails_are_spread_by_rank_and_even_numbers_are_not(rng: np.random.Generator) -> None:
    assert fit_number(rng.uniform(0, 9, 5000).astype(np.float32), "auto")["encoding"] == "standard"
    assert (
        fit_number(rng.lognormal(0, 2, 5000).astype(np.float32), "auto")["encoding"] == "quantile"
    )
    outlier = np.append(rng.normal(size=5000), 7).astype(np.float32)
    assert fit_number(outlier, "auto")["encoding"] == "robust"


def test_a_quantile_transform_uses_the_integer_steps(rng: np.random.Generator) -> None:
    values = rng.lognormal(0, 2, 5000).astype(np.float32)

    def used(how: str) -> int:
        x = prepare_input(
            values[:, None], table_entry({"kind": "number"} | fit_number(values, how))
        )
        return len(np.unique(np.round(x / (np.ptp(x) / (STEPS - 1)))))

    assert used("quantile") > 0.9 * STEPS
    assert used("standard") < 0.7 * STEPS


@pytest.mark.parametrize("known", [[], [np.float32(4)] * 9])
def test_nothing_and_one_value_alone_are_no_trouble(known: list[float]) -> None:
    for how in HOW:
        entry = table_entry({"kind": "number"} | fit(np.array(known, np.float32), how))
        x = prepare_input(np.array([[np.nan], [4], [5]], np.float32), entry)
        assert np.isfinite(x).all()
        assert x[0, 0] == pytest.approx(0, abs=1e-6)


@given(NUMBERS)
def test_stretches_say_where_a_value_lies_and_keep_the_order(known: Any) -> None:
    """A larger value has no smaller number in any stretch; all are full below the value's own."""
    column = fit_piecewise(known)
    assert column["width"] <= 3 * INTERVALS // 2
    values = np.sort(known)[:, None]
    x = prepare_input(values, table_entry({"kind": "number"} | column))
    assert ((x >= 0) & (x <= 1)).all()
    assert (np.diff(x, axis=0) >= 0).all()
    assert (np.diff(x, axis=1) <= 0).all()
    assert x[0].max() <= x[-1].min() or len(np.unique(known)) == 1


def test_stretches_tell_rare_large_values_apart() -> None:
    """Nine samples of ten are zero, as of capital gains: quantiles alone would see one value."""
    known = np.concatenate([np.zeros(900), np.arange(1, 101) * 100]).astype(np.float32)
    x = prepare_input(known[:, None], table_entry({"kind": "number"} | fit_piecewise(known)))
    assert len(np.unique(x, axis=0)) == 101


def test_what_is_not_in_train_changes_nothing(tmp_path: Path, rng: np.random.Generator) -> None:
    entries = []
    for other in ("x y z", "spam spam"):
        writer = ShardWriter(tmp_path, Input("t", "tokens", is_ragged=True))
        texts = ["b a a", "a c", other]
        writer.add([np.frombuffer(text.encode(), np.uint8) for text in texts])
        entry: Any = entry_of({"name": "t", "kind": "tokens", "shape": [4]})
        spec = Input("t", "tokens", is_ragged=True, template=entry, vocabulary=2)
        entries.append(fit_tokens(spec, open_shards(tmp_path, writer.finish()), np.array([1, 0])))
    assert entries[0] == entries[1]
    assert entries[0][0].vocabulary == ["a", "b"]
