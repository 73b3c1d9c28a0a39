"""The attack on a file: the file itself decides, and a copy that decides otherwise is detected."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.arrays import only
from pipeline.audit import attack_file as shipped
from pipeline.audit import straight_through
from pipeline.audit.corruptions import CORRUPTIONS, SEVERITIES
from pipeline.audit.file_queries import FileQueries, SearchBudget, round_to_raw
from pipeline.audit.gradient_attack import CURVE, AttackBudget
from pipeline.audit.images import FileCase, attack_reference, measure_corruptions
from pipeline.device.measure import run_file
from pipeline.documents.evasion import FileRobustness
from pipeline.models.tflite.differentiable import differentiable_copy
from pipeline.models.tflite.node import Refused
from pipeline.worker import client
from tests.audit.test_gradient_attack import SAMPLES, net, pictures
from tests.documents.preprocess import preprocess_of
from tests.export.conftest import make_given

BY = AttackBudget("linf", 0.04, 10, 1, 200, 7)  # a third or so withstand


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileCase]:
    root, seen = tmp_path_factory.mktemp("shipped"), pictures()
    model = net()
    made = make_given(keras.Model(model.inputs, model.output), root / "net", {"image": seen.x})
    file = made.file("int8", input_ranges={"image": [0.0, 1.0]})
    known = attack_reference(made.folder / "model.keras", seen, BY)
    queries = FileQueries(file, seen.preprocess, 1, root)
    yield FileCase(queries, seen, known, BY, made.folder / "model.keras", {})
    client.stop()


def attacked(case: FileCase) -> tuple[shipped.FileOutcome, FileRobustness]:
    """Return the outcome as the shipped file, and the row as any other."""
    own, other = (shipped.attack_file(case, "int8", is_shipped=is_it) for is_it in (True, False))
    return own, other.row


def test_a_file_is_asked_as_the_runner_asks_it(case: FileCase) -> None:
    x = case.images.x
    wanted = only(
        run_file(case.queries.file, case.images.preprocess, {"image": x}, prepared=True).outputs
    )
    np.testing.assert_array_equal(case.queries.outputs(x), wanted)
    np.testing.assert_array_equal(case.queries.outputs(x[:1]), wanted[:1])
    found = case.queries.search(x, case.images.labels, SearchBudget("linf", 0.1, 20, 3))
    assert np.abs(found.x - x).max() <= 0.1 + 1e-5
    correct = case.images.is_correct(case.queries.outputs(found.x))
    np.testing.assert_array_equal(correct, found.is_robust)


def test_what_withstands_withstands_everything(case: FileCase) -> None:
    found, before = attacked(case)
    row = found.row
    assert list(row.attacks) == ["pgd_transfer", "straight_through", "square"]
    assert row.robust_accuracy <= min(attack.accuracy for attack in row.attacks.values())
    assert row.robust_accuracy <= before.robust_accuracy <= row.clean_accuracy
    assert row.straight_through.agreement >= 0.99
    assert row.straight_through.is_white_box
    low, high = row.robust_drop_ci95
    assert low <= row.robust_drop <= high
    assert row.float_robust_accuracy <= case.reference.metrics.robust_accuracy
    assert row.robust_drop == pytest.approx(row.float_robust_accuracy - row.robust_accuracy)
    assert all(check.passed for check in found.checks)
    assert len(found.curve) == len(CURVE)
    shown = found.figures
    assert {len(values) for values in shown.values()} == {shipped.SHOWN}
    assert np.abs(shown["adversarial"] - shown["clean"]).max() <= BY.epsilon + 1e-5
    assert (shown["prediction_adversarial"] != shown["prediction_clean"]).any()
    again, _ = attacked(case)
    assert again.row == row


def test_without_queries_there_is_no_search(case: FileCase) -> None:
    row = attacked(replace(case, by=replace(BY, queries=0)))[0].row
    assert "square" not in row.attacks
    assert row.square.mean_queries is None


def test_a_file_without_a_twin_says_so(case: FileCase, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> Any:
        raise Refused("operation 3, WHILE, has no counterpart here")

    monkeypatch.setattr(straight_through, "differentiable_copy", refuse)
    found, _ = attacked(case)
    assert found.row.straight_through.skipped == "operation 3, WHILE, has no counterpart here"
    assert "straight_through" not in found.row.attacks
    assert "square" in found.row.attacks
    assert found.curve == [None] * len(CURVE)


def test_a_twin_that_decides_otherwise_does_not_count(
    case: FileCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = differentiable_copy(case.queries.file)
    flipped = keras.Model(twin.answers.inputs, 1.0 - twin.answers.output)
    lies = type(twin)(flipped, twin.logits, twin.step)
    monkeypatch.setattr(straight_through, "differentiable_copy", lambda path: lies)
    found, _ = attacked(case)
    assert not found.row.straight_through.is_white_box
    failed = [check.name for check in found.checks if not check.passed]
    assert "the differentiable copy decides as the file" in failed


@pytest.mark.parametrize("detector", [None, 0.3])
def test_a_sanitized_file_is_attacked_behind_its_sanitization(
    case: FileCase, detector: float | None
) -> None:
    """The union is that of raw images through the runner, with the detector where there is one."""
    rule = {"range": "clip", "limits": None, "levels": None, "median": None, "bit_depth": 3}
    fields = {"name": "image", "kind": "image", "shape": [8, 8, 1], "sanitize": rule}
    seen = replace(case.images, preprocess=preprocess_of([fields | {"scale": 1 / 255}]))
    seen = replace(seen, x=round_to_raw(seen.x, seen.entry))
    raw = np.round(seen.x * 255).astype(np.uint8)
    queries = replace(case.queries, preprocess=seen.preprocess, detector=detector)
    wanted = only(run_file(queries.file, seen.preprocess, {"image": raw}).outputs)
    np.testing.assert_array_equal(queries.outputs(seen.x), wanted)
    by = replace(BY, epsilon=0.06, queries=50)
    known = attack_reference(case.parent, seen, by)
    own = replace(case, queries=queries, images=seen, reference=known, by=by)
    found = shipped.attack_file(own, "int8", is_shipped=True)
    assert {"pgd_transfer", "straight_through", "adaptive"} <= set(found.row.attacks)
    sanitization = found.document["sanitization"]
    behind = sanitization.adaptive_robust_accuracy
    if detector is not None:
        behind = sanitization.detector.robust_accuracy
    assert found.row.attacks["adaptive"].accuracy == behind
    assert found.row.robust_accuracy <= behind
    assert found.row.robust_accuracy == found.robust.mean()
    for x in own.reference.gradients.examples.values():
        assert not (found.robust & ~own.is_correct(x)).any()


def test_every_corruption_is_measured_on_both(case: FileCase) -> None:
    rows = measure_corruptions(case.queries, case.images, case.reference, seed=1)
    assert len(rows) == len(CORRUPTIONS) * len(SEVERITIES)
    assert all(0 <= row.reference_accuracy <= 1 and 0 <= row.shipped_accuracy <= 1 for row in rows)
    assert max(abs(row.reference_accuracy - row.shipped_accuracy) for row in rows) <= 10 / SAMPLES
