"""Findings follow from figures by the rules that they state."""

import re
from typing import Any

import pytest

from pipeline.audit.findings import NAMES, findings

SHIPS = "model_int8.tflite"


def document() -> dict[str, Any]:
    rate = {"fpr": 0.01, "tpr": 0.011, "ci95": [0.005, 0.02], "told_apart": False, "reason": None}
    attack = {"auc": 0.51, "tpr": [rate], "roc": []}
    hits = {"float": 0.02, "file": 0.02}
    net = {"success": hits, "woken": 0.0, "asleep": 0.0}
    return {
        "epsilon": 0.1,
        "files": {SHIPS: {"clean": 0.9, "robust": 0.85, "float_robust": 0.85}},
        "membership": {
            "skipped": None,
            "shift": None,
            "models": {"file": {"attacks": {"confidence": attack}}},
        },
        "extraction": {
            "rows": [
                {"queries": 100, "answers": "labels", "source": "data", "agreement": 0.6},
            ]
        },
        "poisoning": {
            "scan": {"classes": [{"name": "a", "grouped": False, "alarm": False}]},
            "drill": {
                "share": 0.05,
                "poisoned_net": net,
                "shipped_net": net,
                "detection": {"alarmed": False},
            },
        },
    }


def severities(found: dict[str, Any]) -> dict[str, str]:
    return {row["id"]: row["severity"] for row in findings(found, SHIPS)}


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
    found["files"][SHIPS]["robust"] = robust
    assert severities(found)["evasion"] == severity


@pytest.mark.parametrize(("tpr", "severity"), [(0.03, "medium"), (0.2, "high")])
def test_membership_counts_where_it_is_beyond_chance(tpr: float, severity: str) -> None:
    found = document()
    row = found["membership"]["models"]["file"]["attacks"]["confidence"]["tpr"][0]
    row |= {"tpr": tpr}
    assert severities(found)["membership"] == "none"
    row |= {"told_apart": True}
    assert severities(found)["membership"] == severity


def test_too_few_samples_are_no_acquittal() -> None:
    found = document()
    row = found["membership"]["models"]["file"]["attacks"]["confidence"]["tpr"][0]
    row |= {"tpr": None, "told_apart": None}
    assert severities(found)["membership"] == "low"


@pytest.mark.parametrize(("agreement", "severity"), [(0.96, "high"), (0.9, "medium")])
def test_a_good_copy_is_a_theft(agreement: float, severity: str) -> None:
    found = document()
    found["extraction"]["rows"][0]["agreement"] = agreement
    assert severities(found)["extraction"] == severity


@pytest.mark.parametrize(("is_alarm", "severity"), [(True, "medium"), (False, "none")])
def test_a_group_with_a_sign_is_a_finding_and_one_without_is_not(
    is_alarm: bool, severity: str
) -> None:
    found = document()
    found["poisoning"]["scan"]["classes"][0] |= {"grouped": True, "alarm": is_alarm}
    assert severities(found)["poisoning"] == severity


@pytest.mark.parametrize(("is_found", "severity"), [(False, "high"), (True, "medium")])
def test_a_backdoor_that_nobody_notices_is_the_gravest(is_found: bool, severity: str) -> None:
    found = document()
    drill = found["poisoning"]["drill"]
    drill["poisoned_net"] = {"success": {"float": 1.0, "file": 1.0}}
    drill["detection"]["alarmed"] = is_found
    assert severities(found)["backdoor"] == severity


def test_a_file_that_wakes_is_told_by_the_net_of_both_sides() -> None:
    found = document()
    found["poisoning"]["drill"]["shipped_net"] |= {"woken": 0.3, "asleep": 0.0}
    assert severities(found)["quantization"] == "high"
    found["poisoning"]["drill"]["shipped_net"] |= {"woken": 0.3, "asleep": 0.3}
    assert severities(found)["quantization"] == "none"


def test_what_was_not_tried_is_no_finding() -> None:
    found = document() | {"files": {}, "membership": {"skipped": "no"}, "extraction": None}
    found["poisoning"] = {"scan": None, "drill": None}
    assert findings(found, SHIPS) == []


def test_the_gravest_comes_first_and_all_are_named() -> None:
    found = document()
    found["files"][SHIPS]["robust"] = 0.0
    rows = findings(found, SHIPS)
    assert rows[0]["id"] == "evasion"
    for row in rows:
        assert row["owasp"] == NAMES[row["id"]]["owasp"]
        assert row["rule"]
        assert row["what_to_do"]
        assert row["evidence"]


def test_names_have_the_form_of_their_lists() -> None:
    for names in NAMES.values():
        assert re.match(r"ML(0[1-9]|10):2023 ", str(names["owasp"]))
        assert all(re.match(r"AML\.T\d{4}(\.\d{3})? ", name) for name in names["atlas"])
        assert re.match(r"NISTAML\.\d{3} ", str(names["nist"]))
