"""Findings follow from figures by the rules that they state."""

import re
from copy import deepcopy
from typing import Any

import pytest

from pipeline.audit.findings import NAMES, list_findings
from pipeline.documents.audit import Audit, Finding
from tests.documents.audit import FILE, NOTHING, backdoor, detection

SHIPS = "model_int8.tflite"


def document() -> dict[str, Any]:
    rate = {"fpr": 0.01, "tpr": 0.011, "ci95": [0.005, 0.02], "is_significant": False}
    attack = {"auc": 0.51, "operating_points": [rate | {"reason": None}], "roc": []}
    surrogate = {"queries": 100, "outputs": "labels", "source": "data", "agreement": 0.6}
    surrogate |= {"agreement_ci95": [0.5, 0.7], "accuracy": 0.6}
    clean = {"classes": 40, "clustered": 12, "alarms": 0}
    return deepcopy(NOTHING) | {
        "files": {SHIPS: FILE | {"robust_accuracy": 0.85, "float_robust_accuracy": 0.85}},
        "membership": {"skipped": None, "models": {"file": {"confidence": attack}}},
        "extraction": {"samples": 20, "steps": 100, "surrogates": [surrogate]},
        "poisoning": {
            "scan": {
                "samples": 50,
                "training_samples": 50,
                "min_silhouette": 0.1,
                "min_separation": 0.9,
                "significance_level": 0.01,
                "clean_rates": clean,
                "classes": [{"name": "a", "samples": 50}],
                "suspects": [],
            },
            "drill": {
                "trigger": "a white square",
                "target": "a",
                "poisoning_rate": 0.05,
                "poisoned": 5,
                "format": "int8",
                "poisoned_model": backdoor(0.02, 0.02),
                "shipped_model": backdoor(0.02, 0.02),
                "detection": detection(is_detected=False),
            },
        },
    }


def findings(found: dict[str, Any]) -> tuple[Finding, ...]:
    audit = Audit.model_validate(found)
    return list_findings(audit, audit, SHIPS)


def severities(found: dict[str, Any]) -> dict[str, str]:
    return {row.kind: row.severity for row in findings(found)}


def test_good_figures_are_no_alarm() -> None:
    assert severities(document()) == {
        "evasion": "low",
        "extraction": "low",
        "backdoor": "low",
        "membership": "none",
        "poisoning": "none",
        "quantization": "none",
    }


@pytest.mark.parametrize(("robust", "severity"), [(0.4, "high"), (0.6, "medium"), (0.8, "low")])
def test_evasion_is_as_grave_as_what_is_lost(robust: float, severity: str) -> None:
    found = document()
    found["files"][SHIPS]["robust_accuracy"] = robust
    assert severities(found)["evasion"] == severity


@pytest.mark.parametrize(("tpr", "severity"), [(0.03, "medium"), (0.2, "high")])
def test_membership_counts_where_it_is_beyond_chance(tpr: float, severity: str) -> None:
    found = document()
    row = found["membership"]["models"]["file"]["confidence"]["operating_points"][0]
    row |= {"tpr": tpr}
    assert severities(found)["membership"] == "none"
    row |= {"is_significant": True}
    assert severities(found)["membership"] == severity


def test_too_few_samples_are_no_acquittal() -> None:
    found = document()
    row = found["membership"]["models"]["file"]["confidence"]["operating_points"][0]
    row |= {"tpr": None, "is_significant": None}
    assert severities(found)["membership"] == "low"


@pytest.mark.parametrize(("agreement", "severity"), [(0.96, "high"), (0.9, "medium")])
def test_a_good_copy_is_a_theft(agreement: float, severity: str) -> None:
    found = document()
    found["extraction"]["surrogates"][0]["agreement"] = agreement
    assert severities(found)["extraction"] == severity


@pytest.mark.parametrize(("is_alarm", "severity"), [(True, "medium"), (False, "none")])
def test_a_group_with_a_sign_is_a_finding_and_one_without_is_not(
    is_alarm: bool, severity: str
) -> None:
    found = document()
    found["poisoning"]["scan"]["classes"][0] |= {"is_clustered": True, "is_alarm": is_alarm}
    assert severities(found)["poisoning"] == severity


@pytest.mark.parametrize(("is_found", "severity"), [(False, "high"), (True, "medium")])
def test_a_backdoor_that_nobody_notices_is_the_gravest(is_found: bool, severity: str) -> None:
    found = document()
    drill = found["poisoning"]["drill"]
    drill["poisoned_model"] = backdoor(1.0, 1.0)
    drill["detection"] = detection(is_detected=is_found)
    assert severities(found)["backdoor"] == severity


def test_a_file_that_wakes_is_told_by_the_net_of_both_sides() -> None:
    found = document()
    found["poisoning"]["drill"]["shipped_model"] |= {"file_only_rate": 0.3}
    assert severities(found)["quantization"] == "high"
    found["poisoning"]["drill"]["shipped_model"] |= {"float_only_rate": 0.3}
    assert severities(found)["quantization"] == "none"


def test_what_was_not_tried_is_no_finding() -> None:
    found = document() | {"files": {}, "membership": {"skipped": "no"}, "extraction": None}
    found["poisoning"] = {"scan": None, "drill": None}
    assert findings(found) == ()


def test_the_gravest_comes_first_and_all_are_named() -> None:
    found = document()
    found["files"][SHIPS]["robust_accuracy"] = 0.0
    rows = findings(found)
    assert rows[0].kind == "evasion"
    for row in rows:
        assert row.owasp == NAMES[row.kind]["owasp"]
        assert row.rule
        assert row.remediation
        assert row.evidence


def test_names_have_the_form_of_their_lists() -> None:
    for names in NAMES.values():
        assert re.match(r"ML(0[1-9]|10):2023 ", str(names["owasp"]))
        assert all(re.match(r"AML\.T\d{4}(\.\d{3})? ", name) for name in names["atlas"])
        assert re.match(r"NISTAML\.\d{3} ", str(names["nist"]))
