"""The ladder's choice: the first rung that passes, the smallest when exhaustive, the best of none."""

from typing import Any

from pipeline.compress.ladder import choose, passes, rows
from pipeline.config.schema import Gate

GATES = Gate(worst_class_drop=None).model_dump()


def rung(drop: float, size: int, **more: Any) -> dict[str, Any]:
    found = {
        "metric": 0.9 - drop,
        "metric_drop": drop,
        "agreement": 1 - drop,
        "worst_class_drop": None,
    }
    return found | {"bytes": size, "float_ops": 0} | more


def test_the_first_that_passes_ships() -> None:
    measured = {"int8": rung(0.1, 10), "calibration": rung(0.0, 10), "int16x8": rung(0.0, 5)}
    assert choose(measured, GATES, exhaustive=False) == "calibration"


def test_exhaustive_ships_the_smallest_that_passes() -> None:
    measured = {"int8": rung(0.1, 1), "calibration": rung(0.0, 10), "int16x8": rung(0.0, 5)}
    assert choose(measured, GATES, exhaustive=True) == "int16x8"


def test_where_none_passes_the_least_drop_is_shown() -> None:
    measured = {"int8": rung(0.3, 1), "calibration": rung(0.1, 10), "int16x8": rung(0.2, 5)}
    assert choose(measured, GATES, exhaustive=False) == "calibration"


def test_each_gate_can_stop_a_rung() -> None:
    assert passes(rung(0.0, 10), GATES)
    assert not passes(rung(0.0, 10, agreement=0.5), GATES)
    assert not passes(rung(0.0, 10, float_ops=1), GATES)
    assert not passes(rung(0.0, 10), GATES | {"bytes": 9})
    assert not passes(rung(0.0, 10, worst_class_drop=0.2), GATES | {"worst_class_drop": 0.1})


def test_the_table_names_what_was_climbed_and_what_was_not() -> None:
    table = rows({"int8": rung(0.0, 10)}, GATES, ["correction", "qat"])
    assert [row["step"] for row in table] == ["int8", "correction", "qat"]
    assert [row["passed"] for row in table] == [True, None, None]
