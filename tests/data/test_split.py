"""Parts share nothing, leave nothing out, keep the shares of classes, and follow the seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.id_patterns import groups_of, held_out
from pipeline.data.samples import GIVEN
from pipeline.data.split import (
    Wish,
    calibration,
    draw,
    refuse_untrained,
    split_dataset,
)
from pipeline.errors import ConfigError

NOT_GIVEN = ""


def codes(parts):  # type: ignore[no-untyped-def]
    return np.array([part if isinstance(part, np.int8) else GIVEN[part] for part in parts], np.int8)


def parts_of(labels, given_parts=None, **settings):  # type: ignore[no-untyped-def]
    labels = np.asarray(labels)
    given_parts = np.full(len(labels), NOT_GIVEN) if given_parts is None else given_parts
    wish = {"by": "stratified", "test": 0.2, "validation": 0.1, "seed": 1}
    wish |= {name: settings.pop(name) for name in list(settings) if name in wish}
    settings = {"is_classes": True} | settings
    return split_dataset(labels, codes(given_parts), Wish(**wish), **settings)


@given(
    st.lists(st.integers(0, 4), min_size=20, max_size=300),
    st.sampled_from(["stratified", "random"]),
    st.floats(0.1, 0.5),
    st.floats(0.1, 0.5),
    st.integers(0, 2**31),
)
def test_parts_are_disjoint_and_together_all_samples(labels, by, test, validation, seed):  # type: ignore[no-untyped-def]
    parts = parts_of(labels, by=by, test=test, validation=validation, seed=seed)
    everything = np.concatenate([parts["train"], parts["validation"], parts["test"]])
    assert sorted(everything) == list(range(len(labels)))
    assert len(parts["test"]) == round(test * len(labels))
    chosen = calibration(parts["train"], np.array(labels), samples=10, is_classes=True, seed=seed)
    assert set(chosen) <= set(parts["train"])
    assert len(set(chosen)) == len(chosen) == min(10, len(parts["train"]))


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=200), st.integers(0, 200), st.integers(0, 9)
)
def test_a_draw_takes_each_class_its_quota_rounded(
    labels: list[int], total: int, seed: int
) -> None:
    strata = np.array(labels)
    taken = draw(np.arange(len(labels)), strata, total, generator=np.random.default_rng(seed))
    total = min(total, len(labels))
    assert len(taken) == len(set(taken)) == total
    for stratum in set(labels):
        quota = total * (strata == stratum).sum() / len(labels)
        assert abs((strata[taken] == stratum).sum() - quota) < 1


def test_the_seed_decides() -> None:
    labels = np.arange(100) % 5
    assert all((parts_of(labels)[p] == parts_of(labels)[p]).all() for p in ("train", "test"))
    assert set(parts_of(labels, seed=1)["test"]) != set(parts_of(labels, seed=2)["test"])


def test_the_first_samples_of_a_part_are_a_fair_sample_of_it() -> None:
    test = parts_of(np.arange(1000) % 10, test=0.5)["test"]
    assert len(set(test[:100] % 10)) == 10
    assert (np.diff(test) < 0).any()


def test_given_parts_are_kept_and_missing_ones_cut_from_train() -> None:
    given_parts = np.array(["train"] * 80 + ["test"] * 20)
    parts = parts_of(np.arange(100) % 5, given_parts, by="given", validation=0.25)
    assert sorted(parts["test"]) == list(range(80, 100))
    assert len(parts["validation"]) == 20
    assert parts["validation"].max() < 80


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"by": "given"}, "the source names no train part"),
        ({"is_classes": False}, "stratified needs classes"),
        ({"test": 0.01}, "test would be empty with 20 samples"),
    ],
)
def test_what_cannot_be_cut_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parts_of(np.arange(20) % 4, **settings)


def test_a_class_without_a_training_sample_is_refused() -> None:
    parts = {"train": np.array([0, 1]), "validation": np.array([2]), "test": np.array([3])}
    with pytest.raises(ConfigError, match=r"dog \(2 samples\)"):
        refuse_untrained(np.array([0, 0, 1, 1]), parts, ("cat", "dog"))


@given(
    st.lists(st.integers(0, 30), min_size=60, max_size=300),
    st.sampled_from(["stratified", "random", "group"]),
    st.integers(0, 2**31),
)
def test_a_group_stands_in_one_part(groups: list[int], by: str, seed: int) -> None:
    groups = [*groups, *range(31)]
    names = np.array([f"speaker {number}" for number in groups])
    parts = parts_of(np.array(groups) % 2, by=by, seed=seed, groups=names, validation=0.2)
    everything = np.concatenate([parts["train"], parts["validation"], parts["test"]])
    assert sorted(everything) == list(range(len(groups)))
    found = [set(names[parts[part]]) for part in ("train", "validation", "test")]
    assert not found[0] & found[1]
    assert not found[0] & found[2]
    assert not found[1] & found[2]


@given(
    st.lists(st.integers(1, 40), min_size=8, max_size=40), st.floats(0.1, 0.4), st.integers(0, 99)
)
def test_groups_of_all_sizes_come_near_to_the_share(
    sizes: list[int], test: float, seed: int
) -> None:
    groups = np.repeat([f"g{i}" for i in range(len(sizes))], sizes)
    parts = parts_of(np.zeros(len(groups)), by="group", seed=seed, groups=groups, test=test)
    assert abs(len(parts["test"]) - test * len(groups)) <= max(sizes)


@given(st.integers(2, 5), st.integers(30, 90), st.integers(0, 6), st.integers(0, 99))
def test_time_goes_from_train_to_test_in_every_series(
    series: int, windows: int, overlap: int, seed: int
) -> None:
    start = np.tile(np.arange(windows, dtype=np.float64), series)
    times = np.stack([start, start + overlap], axis=1)
    groups = np.repeat([f"s{i}" for i in range(series)], windows)
    parts = parts_of(
        np.zeros(len(start)), by="time", times=times, groups=groups, seed=seed, validation=0.2
    )
    for name in set(groups):
        own = {part: times[parts[part]][groups[parts[part]] == name] for part in parts}
        assert own["train"][:, 1].max() < own["validation"][:, 0].min()
        assert own["validation"][:, 1].max() < own["test"][:, 0].min()
    left_out = len(start) - sum(len(part) for part in parts.values())
    assert left_out == 2 * overlap * series


def test_a_pattern_finds_groups_and_the_test_part() -> None:
    ids = np.array(["7_jackson_3.wav", "1_theo_0.wav", "2_theo_9.wav"])
    assert groups_of(ids, "_([a-z]+)_").tolist() == ["jackson", "theo", "theo"]
    assert held_out(ids, r"_[0-4]\.wav$").tolist() == [3, 3, 0]
    parts = parts_of([0, 1, 1], held_out(ids, "jackson"), by="random", validation=0.5)
    assert parts["test"].tolist() == [0]
    for pattern, message in [("theo", "has no"), ("(theo)", "finds nothing in 1 of 3 names")]:
        with pytest.raises(ConfigError, match=message):
            groups_of(ids, pattern)
    with pytest.raises(ConfigError, match="finds 3 of 3 names"):
        held_out(ids, "wav")


@pytest.mark.parametrize(("by", "message"), [("group", "belongs together"), ("time", "no moment")])
def test_what_by_goes_by_must_be_known(by: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parts_of(np.arange(20) % 2, by=by)
