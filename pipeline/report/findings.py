"""The audit's findings and curves, as people read them. Pure."""

import math
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
    """Return members found against false alarms, on logarithmic axes; None where not tried."""
    if audit is None or audit["membership"]["skipped"] is not None:
        return None
    curves = {}
    for name, attack in audit["membership"]["models"]["file"]["attacks"].items():
        points = [
            (math.log10(row["fpr"]), math.log10(row["tpr"]))
            for row in attack["roc"]
            if row["tpr"] > 0
        ]
        if points:
            curves[name.replace("_", " ")] = points
    if not curves:
        return None
    rates = [math.log10(row["fpr"]) for row in attack["roc"]]
    curves["chance"] = [(rates[0], rates[0]), (0.0, 0.0)]
    return charts.line_chart(
        curves,
        title="members found by false alarms, as powers of ten",
        x="false alarms, power of ten",
        y="members found, power of ten",
    )


def extraction_curve(audit: Mapping[str, Any] | None) -> Any:
    """Return the agreement of copies by questions asked; None where none was made."""
    if audit is None or audit["extraction"] is None:
        return None
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in audit["extraction"]["rows"]:
        name = f"{row['source']}, {row['answers']} told"
        point = math.log10(row["queries"]), row["agreement"]
        curves.setdefault(name, []).append(point)
    return charts.line_chart(
        curves,
        title="agreement of a copy by questions asked",
        x="questions, power of ten",
        y="equal decisions",
    )
