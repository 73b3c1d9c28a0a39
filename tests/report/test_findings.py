"""The report tells what the audit found, and what it did not try."""

from typing import Any

import pytest

from pipeline.report.findings import evidence, extraction_curve, membership_curve
from pipeline.report.render import render_card
from tests.report.conftest import CONFIG, examined, page, typed_documents

PARTS = (
    "<h3>Membership inference</h3>",
    "<h3>Model extraction</h3>",
    "<h3>Poisoning scan</h3>",
    "<h3>Backdoor drill</h3>",
    "<h3>Metrics per group</h3>",
    "What was not attacked",
    "ML04:2023 Membership Inference Attack",
    "AML.T0024.000",
    "NISTAML.033",
    "found 0.2, false alarms 0.01",
    "too few samples",
    "image 7",
)


@pytest.mark.parametrize("part", PARTS)
def test_the_page_tells_it(part: str, documents: dict[str, Any]) -> None:
    assert part in page(documents)


def test_the_card_has_the_findings(documents: dict[str, Any]) -> None:
    card = render_card(typed_documents(documents), CONFIG)
    assert "| high | The answers tell who was in the training set | ML04:2023" in card


def test_what_was_not_tried_leaves_no_empty_part(documents: dict[str, Any]) -> None:
    nothing = {"extraction": None, "groups": None, "findings": [], "not_attacked": []}
    documents["audit"] |= nothing | {
        "membership": {"skipped": "the task is regression"},
        "poisoning": {"scan": None, "drill": None},
    }
    told = page(documents)
    assert not any(part in told for part in PARTS)
    assert "None" not in told


def test_a_run_without_an_audit_has_no_such_part(documents: dict[str, Any]) -> None:
    documents["audit"] = None
    assert not any(part in page(documents) for part in PARTS)


def test_curves_are_there_where_there_are_figures() -> None:
    assert "chance" in str(membership_curve(examined()))
    assert "data, labels returned" in str(extraction_curve(examined()))
    assert membership_curve(None) is extraction_curve(None) is None


def test_a_curve_that_finds_nobody_is_not_drawn() -> None:
    found = examined()
    found["membership"]["models"]["file"]["attacks"]["confidence"]["roc"] = [
        {"fpr": 0.1, "tpr": 0.0}
    ]
    assert membership_curve(found) is None


def test_figures_are_told_as_people_read_them() -> None:
    told = evidence({"is_found": True, "names": [], "both": {"a": 0.51234, "b": 1}, "left": None})
    assert told == "is found yes, names none, both a 0.512 / b 1"
