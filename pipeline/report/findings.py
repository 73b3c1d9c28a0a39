"""The audit's findings and curves for the report. Pure."""

from collections.abc import Mapping
from typing import Any

from pipeline.documents.audit import Audit
from pipeline.report import charts


def format_evidence(metrics: Mapping[str, Any]) -> str:
    """Return the evidence of a finding in one line, without missing values."""
    return ", ".join(
        f"{name.replace('_', ' ')} {_describe(value)}"
        for name, value in metrics.items()
        if value is not None
    )


def _describe(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return " / ".join(f"{name} {_describe(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def membership_curve(audit: Audit | None) -> Any:
    """Return the ROC curves of membership inference, on logarithmic axes; None: not tried."""
    if audit is None or audit.membership.models is None:
        return None
    curves = {}
    attacks = audit.membership.models["file"]
    for name, attack in attacks.items():
        points = [(row.fpr, row.tpr) for row in attack.roc if row.tpr > 0]
        if points:
            curves[name.replace("_", " ")] = points
    if not curves:
        return None
    rates = [row.fpr for attack in attacks.values() for row in attack.roc]
    curves["chance"] = [(min(rates), min(rates)), (1.0, 1.0)]
    return charts.line_chart(
        curves,
        title="Membership inference: ROC curve",
        x="false positive rate",
        y="true positive rate",
        is_log=(True, True),
    )


def extraction_curve(audit: Audit | None) -> Any:
    """Return the agreement of surrogates by queries; None: none was trained."""
    if audit is None or audit.extraction is None:
        return None
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in audit.extraction.surrogates:
        name = f"{row.source}, {row.outputs}"
        curves.setdefault(name, []).append((row.queries, row.agreement))
    return charts.line_chart(
        curves,
        title=f"Agreement of a surrogate with the file, {audit.extraction.samples:,} samples",
        x="queries",
        y="agreement",
        is_log=(True, False),
    )
