"""The ladder: which rungs are climbed, which one ships, and that nothing is measured twice."""

import threading
from collections.abc import Mapping
from typing import Any, get_args

import pytest

from pipeline.compress import ladder
from pipeline.compress.rung_table import describe_rungs
from pipeline.config.schema import Gate, Remedy
from pipeline.documents.ladder import MadeFile, Measurement, Refusal
from pipeline.documents.recipe import Quantizer
from pipeline.tasks.intervals import rate_at_least

GATES = Gate(bytes=1000).model_dump()
GOOD = Measurement(
    quantizer="ai-edge",
    bytes=100,
    metric=0.9,
    metric_drop=0.0,
    agreement=1.0,
    worst_class_drop=0.0,
    float_ops=0,
    agreement_samples=1000,
    agreement_at_least=0.997,
)


def changed(found: Measurement, **values: Any) -> Measurement:
    return found.model_copy(update=values)


BAD = changed(GOOD, metric_drop=0.3, agreement=0.6, agreement_at_least=0.57)
MIXED = ("mixed_10", "mixed_30", "mixed_corrected", "mixed_float")
WIDE = ("int16x8", "int16x8_corrected")
CUT = ("calibration", "calibration_percentile", "calibration_entropy")
ALL = ("calibration", "correction", "mixed", "qat", "int16x8")


def climb(
    found: Mapping[str, ladder.Result], *, exhaustive: bool = False, kept: Any = None
) -> tuple[dict[str, ladder.Result], list[str]]:
    """Return the measurements, and the rungs that were really measured."""
    benched: list[str] = []

    def bench(step: str) -> ladder.Result:
        benched.append(step)
        return found.get(step, BAD)

    steps = ladder.rungs_to_climb(ALL, "auto")
    measured = ladder.climb(steps, GATES, exhaustive=exhaustive, kept=kept or {}, bench=bench)
    return measured, benched


def agreeing(same: int, samples: int) -> Measurement:
    """Return a rung whose agreement was measured on so many samples."""
    found = {"agreement_samples": samples, "agreement_at_least": rate_at_least(same, samples)}
    return changed(GOOD, agreement=same / samples, **found)


@pytest.mark.parametrize(
    ("same", "samples", "passed"),
    [
        (1000, 1000, True),
        (990, 1000, True),
        (982, 1000, False),  # 0.982, but 0.974 at least
        (199, 200, False),  # 0.995, but 0.976 at least
        (200, 200, True),
        (56, 56, True),  # too few to tell: nothing may differ
        (55, 56, False),
    ],
)
def test_a_rung_passes_on_the_interval_of_its_agreement(
    same: int, samples: int, passed: bool
) -> None:
    assert ladder.passes(agreeing(same, samples), GATES) == passed


def test_of_rungs_that_hold_without_certainty_the_one_that_agrees_most_ships() -> None:
    found = {"int8": changed(agreeing(982, 1000), metric_drop=-0.002), "mixed_10": BAD}
    found["qat"] = agreeing(984, 1000)
    assert ladder.choose(found, GATES, exhaustive=False) == "qat"


def test_every_remedy_of_the_schema_is_a_rung() -> None:
    assert set(get_args(Remedy)) <= ladder.RUNGS.keys() | ladder.REMEDIES.keys()


@pytest.mark.parametrize(
    ("ships", "wanted"),
    [
        ("auto", ["int8", *CUT, "correction", *MIXED, "qat", *WIDE]),
        ("int8", ["int8", *CUT, "correction", *MIXED, "qat"]),
        ("int16x8", [*WIDE]),
        ("float32", []),
        ("dynamic", []),
    ],
)
def test_only_rungs_of_what_may_ship_are_climbed(ships: str, wanted: list[str]) -> None:
    assert ladder.rungs_to_climb(ALL, ships) == wanted


def test_plain_int8_is_always_the_first_rung_and_the_config_orders_the_rest() -> None:
    assert ladder.rungs_to_climb(("int16x8", "calibration"), "auto") == ["int8", *WIDE, *CUT]
    assert ladder.rungs_to_climb((), "auto") == ["int8"]
    assert ladder.rungs_to_climb(("qat", "calibration"), "auto", "qat") == ["qat", "int8", *CUT]
    assert ladder.rungs_to_climb((), "float32", "qat") == []
    assert ladder.rungs_to_climb((), "int16x8") == ["int16x8"]


def test_the_first_that_passes_ships_and_the_rest_is_not_measured() -> None:
    measured, benched = climb({"int8": BAD, "calibration": GOOD})
    assert benched == ["int8", "calibration"]
    assert ladder.choose(measured, GATES, exhaustive=False) == "calibration"


def test_exhaustive_measures_all_and_ships_the_smallest_that_passes() -> None:
    sizes = {"int8": changed(BAD, bytes=1), "calibration": GOOD, "int16x8": changed(GOOD, bytes=60)}
    measured, benched = climb(sizes, exhaustive=True)
    assert sorted(benched) == sorted(measured)
    assert list(measured) == ["int8", *CUT, "correction", *MIXED, "qat", *WIDE]
    assert ladder.choose(measured, GATES, exhaustive=True) == "int16x8"
    assert ladder.choose(measured, GATES, exhaustive=False) == "calibration"


def test_where_none_passes_the_least_drop_ships_and_fails() -> None:
    better = changed(BAD, metric_drop=0.1)
    measured, _ = climb({"int8": BAD, "calibration": better, "int16x8": BAD})
    assert ladder.choose(measured, GATES, exhaustive=False) == "calibration"
    assert [row.passed for row in describe_rungs(measured, GATES, {})] == [False] * 12


def test_among_equal_drops_more_agreement_ships() -> None:
    measured = {"int8": BAD, "int16x8": changed(BAD, agreement=0.7, bytes=900)}
    assert ladder.choose(measured, GATES, exhaustive=False) == "int16x8"


def test_what_is_kept_is_not_measured_again() -> None:
    _, benched = climb({"int16x8": GOOD}, kept={"int8": BAD, "correction": BAD})
    assert benched == [*CUT, *MIXED, "qat", "int16x8"]


def test_a_rung_that_cannot_be_made_is_passed_over_with_its_reason() -> None:
    refused = Refusal(quantizer="ai-edge", refused="the converter refuses this model: no")
    made: dict[str, ladder.Result] = dict.fromkeys(("int8", *CUT, "correction", *MIXED), refused)
    measured, _ = climb(made | {"int16x8": GOOD})
    assert ladder.choose(measured, GATES, exhaustive=False) == "int16x8"
    row = describe_rungs(measured, GATES, {})[0]
    assert row.passed is None
    assert "refuses" in row.why
    assert ladder.choose({"int8": refused}, GATES, exhaustive=False) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metric_drop", 0.011),
        ("auc_drop", 0.011),
        ("agreement", 0.97),
        ("worst_class_drop", 0.06),
        ("float_ops", 1),
        ("bytes", 1001),
    ],
)
def test_each_gate_can_fail_a_rung_and_be_switched_off(name: str, value: float) -> None:
    found = changed(GOOD, **{name: value})
    assert not ladder.passes(found, GATES)
    assert ladder.passes(found, GATES | {name: None})


def test_a_regression_has_no_worst_class() -> None:
    assert ladder.passes(changed(GOOD, worst_class_drop=None), GATES)


def test_a_drop_at_the_limit_passes() -> None:
    assert ladder.passes(changed(GOOD, metric_drop=GATES["metric_drop"]), GATES)


def test_int8_is_made_in_its_best_way_also_where_int16x8_ships() -> None:
    better = changed(BAD, metric_drop=0.1)
    measured, _ = climb({"int8": BAD, "calibration": better, "int16x8": GOOD})
    step = ladder.choose(measured, GATES, exhaustive=False)
    assert step == "int16x8"
    assert ladder.recipe_of("int8", step, measured, gates=GATES).clipping == "mse"
    assert ladder.recipe_of("int16x8", step, measured, gates=GATES).clipping == "min_max"
    assert ladder.recipe_of("float32", step, measured, gates=GATES).clipping == "min_max"


def test_remedies_that_nothing_can_run_are_in_the_table_with_the_reason() -> None:
    rows = describe_rungs({"int8": GOOD}, GATES, {"mixed_10": "no runtime"})
    assert [row.name for row in rows] == ["int8", "mixed_10"]
    assert all("no runtime" in row.why for row in rows[1:])


@pytest.mark.parametrize(
    ("runtimes", "targets", "said"),
    [
        (("litert",), ("cpu", "mcu", "ethos-u55-128"), None),
        (("litert", "tflite-runtime"), ("cpu",), "tflite-runtime 2.14"),
        (("litert",), ("cpu", "coral-edgetpu"), "the Edge TPU"),
    ],
)
def test_a_rung_that_a_target_cannot_run_is_left_out_with_the_reason(
    runtimes: tuple[str, ...], targets: tuple[str, ...], said: str | None
) -> None:
    found = ladder.unavailable_rungs(runtimes, targets, GATES | {"float_ops": None})
    assert set(found) == (set(MIXED) - {"mixed_float"} if said else set())
    assert all(why.startswith(said or "") for why in found.values())


@pytest.mark.parametrize(("most", "is_left_out"), [(0, True), (2, False), (None, False)])
def test_float_is_tried_only_where_the_gate_allows_some(
    most: int | None, is_left_out: bool
) -> None:
    found = ladder.unavailable_rungs(("litert",), ("cpu",), GATES | {"float_ops": most})
    assert ("mixed_float" in found) == is_left_out
    assert set(found) <= {"mixed_float"}


def test_where_no_rung_passes_one_without_float_operations_ships() -> None:
    left = changed(GOOD, float_ops=1)
    measured, _ = climb({"int8": BAD, "calibration": BAD, "int16x8": left})
    assert ladder.choose(measured, GATES, exhaustive=False) == "int8"


@pytest.mark.parametrize(
    ("by_maker", "wanted"),
    [
        ({"ai-edge": 0}, "ai-edge"),
        ({"ai-edge": 2, "converter": 0}, "converter"),
        ({"ai-edge": 2, "converter": 3}, "ai-edge"),
        ({"ai-edge": None, "converter": 3}, "converter"),
        ({"ai-edge": None, "converter": None}, "converter"),
    ],
)
def test_the_quantizer_that_leaves_least_in_float_makes_a_rung(
    by_maker: dict[str, int | None], wanted: str
) -> None:
    def attempt(rung: str, quantizer: Quantizer) -> MadeFile | Refusal:
        left = by_maker[quantizer]
        if left is None:
            return Refusal(quantizer=quantizer, refused="no")
        return MadeFile(quantizer=quantizer, float_ops=left)

    found = ladder.least_float("int8", attempt)
    assert found.quantizer == wanted
    assert isinstance(found, Refusal) == (by_maker[wanted] is None)


def test_formats_that_were_not_measured_are_made_by_the_quantizer_of_the_first_rung() -> None:
    measured, _ = climb({"int8": changed(GOOD, quantizer="converter")})
    assert ladder.recipe_of("int16x8", "int8", measured, gates=GATES).quantizer == "converter"
    assert ladder.recipe_of("int8", None, {}, gates=GATES).quantizer == "ai-edge"


def test_ranges_are_not_cut_where_only_the_converter_brings_all_to_integers() -> None:
    by_converter = changed(BAD, quantizer="converter")
    measured, benched = climb({"int8": by_converter, "int16x8": GOOD})
    assert benched == ["int8", "qat", "int16x8"]
    left_out = measured["calibration"]
    assert isinstance(left_out, Refusal)
    assert "only the converter" in left_out.refused


def test_where_all_are_measured_one_is_made_while_another_runs() -> None:
    both = threading.Barrier(ladder.ABREAST, timeout=20)

    def bench(step: str) -> ladder.Result:
        if step in CUT[: ladder.ABREAST]:
            both.wait()  # breaks unless another rung is there at the same time
        return GOOD

    steps = ladder.rungs_to_climb(["calibration", "qat"], "auto")
    measured = ladder.climb(steps, GATES, exhaustive=True, kept={}, bench=bench)
    assert list(measured) == steps


def test_what_goes_wrong_beside_others_is_told() -> None:
    def bench(step: str) -> ladder.Result:
        if step == CUT[0]:
            raise ArithmeticError(step)
        return GOOD

    with pytest.raises(ArithmeticError, match=CUT[0]):
        ladder.climb(["int8", *CUT], GATES, exhaustive=True, kept={}, bench=bench)
