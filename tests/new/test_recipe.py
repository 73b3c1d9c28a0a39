"""Gates that a test part is large enough to judge: two lost samples hold them, three do not."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.config.verify_schema import Gate
from pipeline.new.recipe import FEW, gates_of, metric_of, recipe
from pipeline.new.seen import Seen

COUNTS = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 4000), min_size=2)


def seen(classes: dict[str, int] | None, **changes: Any) -> Seen:
    count = sum((classes or {"": 100}).values())
    fields: dict[str, Any] = {"modality": "image", "task": "classification", "source": {}}
    return Seen(
        **(fields | {"samples": count, "classes": classes, "said": (), "size": 64} | changes)
    )


@given(COUNTS)
def test_a_gate_is_widened_to_two_samples_and_never_to_three(classes: dict[str, int]) -> None:
    tested = {name: int(0.2 * count) for name, count in classes.items()}
    count, rarest = max(1, sum(tested.values())), max(1, min(tested.values()))
    found = Gate(**gates_of(seen(classes)))
    ranked = 2 * rarest if metric_of(seen(classes)) == "auc" else count
    for limit, default, of in (
        (found.metric_drop, 0.01, ranked),
        (found.robust_drop, 0.02, count),
        (found.worst_class_drop, 0.05, rarest),
    ):
        assert limit is not None
        assert limit >= default
        if limit > default:
            assert round(min(1.0, 2 / of), 3) <= limit
            assert limit <= min(1.0, 3 / of)
        else:
            assert 2.5 / of < default + 1e-3  # rounded
    assert found.agreement is not None
    assert found.agreement <= 0.98
    if found.agreement < 0.98 and found.agreement > 0:
        assert 1 - 4 / count < found.agreement <= round(1 - 3 / count, 3)


@given(COUNTS)
def test_a_given_test_part_counts_itself(classes: dict[str, int]) -> None:
    given_ = seen({"a": 10**6, "b": 10**6}, is_given=True, tested=classes)
    alike = seen({name: 5 * count for name, count in classes.items()})
    assume(metric_of(alike) != "auc")  # which asks for other limits
    assert gates_of(given_) == gates_of(alike)
    assert gates_of(seen(classes, is_given=True)) == {}


def test_what_nobody_counts_keeps_the_defaults() -> None:
    assert gates_of(seen(None)) == {}
    assert gates_of(seen({"0": 0, "1": 0})) == {}
    assert "robust_drop" not in gates_of(seen({"a": 20, "b": 20}, modality="audio"))


@pytest.mark.parametrize("count", [60, FEW - 1, FEW, 40_000])
def test_few_pictures_get_a_smaller_network_and_enough_steps(count: int) -> None:
    found = recipe(seen({"a": count // 2, "b": count - count // 2}))
    assert found["model"]["kind"] == ("cnn" if count < FEW else "resnet8")
    steps = found["train"]["epochs"] * count * 0.7 / found["batch_size"]
    assert steps >= min(count, 1000)


def test_two_uneven_classes_are_ranked_and_get_a_threshold() -> None:
    uneven = seen({"ok": 9700, "fraud": 300}, modality="table")
    assert metric_of(uneven) == "auc"
    assert recipe(uneven)["decision"] == {"metric": "f1"}
    even = seen({"a": 500, "b": 400}, modality="table")
    assert metric_of(even) is None
    assert "decision" not in recipe(even)
    several = seen({"a": 500, "b": 400, "c": 50}, modality="table")
    assert metric_of(several) == "macro_f1"
    assert "decision" not in recipe(several)
