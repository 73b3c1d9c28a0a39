"""The audit's findings and curves, as people read them. Pure."""

from collections.abc import Mapping
from typing import Any

from pipeline.report import charts


def evidence(figures: Mapping[str, Any]) -> str:
    """Return the figures of a finding in one line; what is not known is left out."""
    return ", ".join(
        f"{name.replace('_', ' ')} {_told(value)}"
        for name, value in figures.items()
        if value is not None
    )


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return " / ".join(f"{name} {_told(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def membership_curve(audit: Mapping[str, Any] | None) -> Any:
    """Return the ROC curve of membership inference, on logarithmic axes; None where not tried."""
    if audit is None or audit["membership"]["skipped"] is not None:
        return None
    curves = {}
    attacks = audit["membership"]["models"]["file"]["attacks"]
    for name, attack in attacks.items():
        points = [(row["fpr"], row["tpr"]) for row in attack["roc"] if row["tpr"] > 0]
        if points:
            curves[name.replace("_", " ")] = points
    if not curves:
        return None
    rates = [row["fpr"] for attack in attacks.values() for row in attack["roc"]]
    curves["chance"] = [(min(rates), min(rates)), (1.0, 1.0)]
    return charts.line_chart(
        curves,
        title="ROC curve of membership inference",
        x="false positive rate",
        y="true positive rate",
        is_log=(True, True),
    )


def extraction_curve(audit: Mapping[str, Any] | None) -> Any:
    """Return the agreement of substitute models by queries; None where none was made."""
    if audit is None or audit["extraction"] is None:
        return None
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in audit["extraction"]["rows"]:
        name = f"{row['source']}, {row['answers']} returned"
        curves.setdefault(name, []).append((row["queries"], row["agreement"]))
    return charts.line_chart(
        curves,
        title="Agreement of a substitute model with the file, on "
        f"{audit['extraction']['samples']:,} samples",
        x="queries",
        y="agreement",
        is_log=(True, False),
    )
