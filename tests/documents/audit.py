"""audit.json for tests: files under attack beside an audit that found nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.documents.audit import Audit

FILE = {
    "format": "int8",
    "clean_accuracy": 0.9,
    "clean_ci95": [0.8, 1.0],
    "float_robust_accuracy": 0.7,
    "robust_accuracy": 0.7,
    "robust_ci95": [0.6, 0.8],
    "attacks": {},
    "is_full": True,
}
NOTHING = {
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
