"""The attack on a file: what fools it fools the file itself, and a twin that lies is found out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.arrays import only
from pipeline.audit import shipped
from pipeline.audit.attack import CURVE, Attack
from pipeline.audit.corruptions import CORRUPTIONS, SEVERITIES
from pipeline.audit.images import (
    Known,
    Pictures,
    attack_reference,
    measure_transfer,
    under_corruption,
)
from pipeline.audit.queries import Asked, Budget
from pipeline.device.measure import run_file
from pipeline.models.tflite.differentiable import differentiable_copy
from pipeline.models.tflite.node import Refused
from pipeline.worker import client
from tests.audit.test_attack import SAMPLES, net, pictures
from tests.export.conftest import make_given

BY = Attack("linf", 0.04, 10, 1, 200, 7)  # a third or so withstand


@dataclass(frozen=True)
class Case:
    """A trained net as an int8 file, and the attack on the net."""

    file: Path
    pictures: Pictures
    known: Known
    asked: Asked


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    root, seen = tmp_path_factory.mktemp("shipped"), pictures()
    model = net()
    made = make_given(keras.Model(model.inputs, model.output), root / "net", {"image": seen.x})
    file = made.file("int8", input_ranges={"image": [0.0, 1.0]})
    known = attack_reference(made.folder / "model.keras", seen, BY)
    yield Case(file, seen, known, Asked(file, seen.preprocess, 1, root))
    client.stop()


def attacked(case: Case, by: Attack = BY) -> tuple[shipped.Shipped, dict[str, Any]]:
    row, masks = measure_transfer(case.file, "int8", case.pictures, known=case.known, own={})
    return shipped.attack_shipped(
        case.asked, case.pictures, case.known, masks=masks, by=by, form="int8"
    ), row


def test_a_file_is_asked_as_the_runner_asks_it(case: Case) -> None:
    x = case.pictures.x
    wanted = only(
        run_file(case.file, case.pictures.preprocess, {"image": x}, prepared=True).outputs
    )
    np.testing.assert_array_equal(case.asked.answers(x), wanted)
    np.testing.assert_array_equal(case.asked.answers(x[:1]), wanted[:1])
    found = case.asked.search(x, case.pictures.labels, Budget("linf", 0.1, 20, 3))
    assert np.abs(found.found - x).max() <= 0.1 + 1e-5
    held = case.pictures.right(case.asked.answers(found.found))
    np.testing.assert_array_equal(held, found.held)


def test_what_withstands_withstands_everything(case: Case) -> None:
    found, before = attacked(case)
    row = found.row
    assert list(row.attacks) == ["pgd_transfer", "straight_through", "square"]
    assert row.robust_accuracy <= min(attack.accuracy for attack in row.attacks.values())
    assert row.robust_accuracy <= before.robust_accuracy <= row.clean_accuracy
    assert row.straight_through.agreement >= 0.99
    assert row.straight_through.is_white_box
    low, high = row.robust_drop_ci95
    assert low <= row.robust_drop <= high
    assert row.float_robust_accuracy <= case.known.metrics.robust_accuracy
    assert row.robust_drop == pytest.approx(row.float_robust_accuracy - row.robust_accuracy)
    assert all(check.passed for check in found.checks)
    assert len(found.curve) == len(CURVE)
    shown = found.figures
    assert {len(values) for values in shown.values()} == {shipped.SHOWN}
    assert np.abs(shown["adversarial"] - shown["clean"]).max() <= BY.epsilon + 1e-5
    assert (shown["prediction_adversarial"] != shown["prediction_clean"]).any()
    again, _ = attacked(case)
    assert again.row == row


def test_without_queries_there_is_no_search(case: Case) -> None:
    by = Attack(BY.norm, BY.epsilon, BY.steps, BY.restarts, 0, BY.seed)
    row = attacked(case, by)[0].row
    assert "square" not in row.attacks
    assert row.square.mean_queries is None


def test_a_file_without_a_twin_says_so(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> Any:
        raise Refused("operation 3, WHILE, has no counterpart here")

    monkeypatch.setattr(shipped, "differentiable_copy", refuse)
    found, _ = attacked(case)
    assert found.row.straight_through.skipped == "operation 3, WHILE, has no counterpart here"
    assert "straight_through" not in found.row.attacks
    assert "square" in found.row.attacks
    assert found.curve == [None] * len(CURVE)


def test_a_twin_that_decides_otherwise_does_not_count(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = differentiable_copy(case.file)
    flipped = keras.Model(twin.answers.inputs, 1.0 - twin.answers.output)
    lies = type(twin)(flipped, twin.logits, twin.step)
    monkeypatch.setattr(shipped, "differentiable_copy", lambda path: lies)
    found, _ = attacked(case)
    assert not found.row.straight_through.is_white_box
    failed = [check.name for check in found.checks if not check.passed]
    assert "the differentiable copy decides as the file" in failed


def test_every_corruption_is_measured_on_both(case: Case) -> None:
    rows = under_corruption(case.file, case.pictures, case.known, seed=1)
    assert len(rows) == len(CORRUPTIONS) * len(SEVERITIES)
    assert all(0 <= row.reference_accuracy <= 1 and 0 <= row.shipped_accuracy <= 1 for row in rows)
    assert max(abs(row.reference_accuracy - row.shipped_accuracy) for row in rows) <= 10 / SAMPLES
