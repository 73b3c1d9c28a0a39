"""audit.json for tests: files under attack beside an audit that found nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.documents.audit import Audit

FILE: dict[str, Any] = {
    "format": "int8",
    "clean_accuracy": 0.9,
    "clean_ci95": [0.8, 1.0],
    "float_robust_accuracy": 0.7,
    "robust_accuracy": 0.7,
    "robust_ci95": [0.6, 0.8],
    "attacks": {},
    "is_full": True,
}
NOTHING: dict[str, Any] = {
    "norm": "linf",
    "epsilon": 0.1,
    "steps": 20,
    "restarts": 1,
    "square_queries": 500,
    "perturbation": "each value of the input by at most 0.1",
    "membership": {"skipped": "it was not asked"},
    "extraction": None,
    "poisoning": {"scan": None, "drill": None},
    "groups": None,
    "not_attempted": [],
    "findings": [],
}


def audit_of(
    files: Mapping[str, Mapping[str, Any]], checks: Sequence[Mapping[str, Any]] = ()
) -> Audit:
    """Return an audit of files, each with what differs from FILE."""
    rows = {name: FILE | dict(row) for name, row in files.items()}
    return Audit.model_validate(NOTHING | {"files": rows, "checks": list(checks)})


def backdoor(float_success: float, file_success: float) -> dict[str, Any]:
    """Return a test of a model under a trigger."""
    return {
        "samples": 40,
        "clean_accuracy": {"float_model": 0.9, "file": 0.9},
        "base_rate": {"float_model": 0.02, "file": 0.02},
        "success_rate": {"float_model": float_success, "file": file_success},
        "success_ci95": {"float_model": [0.0, 1.0], "file": [0.0, 1.0]},
        "file_only_rate": 0.0,
        "float_only_rate": 0.0,
        "agreement": 1.0,
    }


def detection(*, is_detected: bool) -> dict[str, Any]:
    """Return how the scan of a poisoned set did."""
    return {
        "samples": 50,
        "poisoned": 5,
        "is_detected": is_detected,
        "false_positives": [],
        "activation_clustering": {"recall": 0.8, "precision": 1.0},
        "spectral_signatures": {"recall": 0.8, "precision": 1.0},
    }
