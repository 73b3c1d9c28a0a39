"""The report tells what the audit found, and what it did not try."""

from typing import Any

import pytest

from pipeline.documents.audit import Audit
from pipeline.report.findings import extraction_curve, format_evidence, membership_curve
from pipeline.report.render import render_card
from tests.report.conftest import CONFIG, audit, page, typed_documents

PARTS = (
    "<h3>Membership inference</h3>",
    "<h3>Model extraction</h3>",
    "<h3>Scan for poisoned training samples</h3>",
    "<h3>Backdoor drill</h3>",
    "<h3>Metrics per group</h3>",
    "Attacks that were not tried",
    "ML04:2023 Membership Inference Attack",
    "AML.T0024.000",
    "NISTAML.033",
    "tpr 0.2, fpr 0.01",
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
    nothing = {"extraction": None, "groups": None, "findings": [], "not_attempted": []}
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
    assert "chance" in str(membership_curve(Audit.model_validate(audit())))
    assert "data, labels" in str(extraction_curve(Audit.model_validate(audit())))
    assert membership_curve(None) is extraction_curve(None) is None


def test_a_curve_that_finds_nobody_is_not_drawn() -> None:
    found = audit()
    found["membership"]["models"]["file"]["confidence"]["roc"] = [{"fpr": 0.1, "tpr": 0.0}]
    assert membership_curve(Audit.model_validate(found)) is None


def test_figures_are_told_as_people_read_them() -> None:
    told = format_evidence(
        {"is_found": True, "names": [], "both": {"a": 0.51234, "b": 1}, "left": None}
    )
    assert told == "is found yes, names none, both a 0.512 / b 1"
