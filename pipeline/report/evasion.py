"""The report's section on evasion: tables, the curve, adversarial examples. Pure."""

from collections.abc import Mapping
from typing import Any

from pipeline.documents.audit import Audit
from pipeline.documents.evasion import CorruptionAccuracy, FileRobustness
from pipeline.report import adversarial_examples, charts, pictures, words
from pipeline.report.gather import Documents

Row = dict[str, Any]


def evasion_view(documents: Documents) -> Row | None:
    """Return what evasion.html.j2 needs; None where nothing was attacked."""
    audit = documents.audit
    if audit is None or audit.skipped:
        return None
    ships = documents.verdict.ships
    own = next(row for row in audit.files.values() if row.format == ships)
    corruptions: dict[str, list[CorruptionAccuracy]] = {}
    for row in audit.corruptions:
        corruptions.setdefault(row.name, []).append(row)
    return {
        "allowed": audit.perturbation,
        "groups": [_reference(audit), _file(audit, own)],
        "others": [row for row in audit.files.values() if row.format != ships],
        "curve": _curve(audit, ships),
        "checks": _checks(audit),
        "drop": _drop(own),
        "straight_through": _straight_through(own),
        "corruptions": corruptions,
        "severities": sorted({row.severity for row in audit.corruptions}),
        "examples": _examples(documents),
        "attacked": adversarial_examples.draw_examples(documents),
    }


def _steps(audit: Audit) -> str:
    times = "1 restart" if audit.restarts == 1 else f"{audit.restarts} restarts"
    return f"{audit.steps} steps, {times}, 2 losses"


def _row(name: str, uses: str, budget: str, accuracy: float, ci95: Any = None) -> Row:
    return {"name": name, "uses": uses, "budget": budget, "accuracy": accuracy, "ci95": ci95}


def _reference(audit: Audit) -> Row:
    """Return the rows of the trained model."""
    own = audit.reference
    assert own is not None  # it was attacked
    queries = _queries(audit, own.mean_queries)
    rows = [
        _row("none", "", "", own.clean_accuracy, own.clean_ci95),
        _row("random noise", "nothing", "1 draw", own.noise_accuracy),
        _row("gradient attack", "the trained model", _steps(audit), own.white_box_accuracy),
        _row("all", "", queries, own.robust_accuracy, own.robust_ci95),
    ]
    return {"name": "trained model (reference)", "rows": rows, "ships": False}


def _file(audit: Audit, own: FileRobustness) -> Row:
    """Return the rows of the shipped model."""
    rows = [_row("none", "", "", own.clean_accuracy, own.clean_ci95)]
    for name, result in own.attacks.items():
        info = audit.attacks[name]
        queries = None if own.square is None else own.square.mean_queries
        budget = _queries(audit, queries) if name == "square" else _steps(audit)
        rows.append(_row(info.title, info.needs, budget, result.accuracy, result.ci95))
    rows.append(_row("all", "", "", own.robust_accuracy, own.robust_ci95))
    return {"name": f"{own.format} file, as it ships", "rows": rows, "ships": True}


def _checks(audit: Audit) -> list[Row]:
    """Return a row a check: its name, meaning and limit, and its verdict on reference and file."""
    rows: dict[str, Row] = {}
    for check in audit.checks:
        empty = {**check.dump(), "reference": None, "file": None}
        rows.setdefault(check.name, empty)[check.on] = check
    return list(rows.values())


def _queries(audit: Audit, mean: float | None) -> str:
    if mean is None:
        return "no search"
    return f"search: {audit.square_queries} queries, {mean:.0f} on average"


def _drop(own: FileRobustness) -> str:
    if own.robust_drop is None or own.robust_drop_ci95 is None:
        return ""
    low, high = own.robust_drop_ci95
    return (
        f"The file loses {100 * own.robust_drop:.1f} percentage points of robust accuracy compared "
        f"with the trained model (paired 95 % interval {100 * low:.1f} to {100 * high:.1f})."
    )


def _straight_through(own: FileRobustness) -> str:
    attack = own.straight_through
    if attack is None or attack.agreement is None:
        skipped = "" if attack is None else f": {attack.skipped}"
        return f"No straight-through attack{skipped}."
    apart = (
        "" if attack.mean_lsb is None else f", with a mean difference of {attack.mean_lsb:.2g} LSB"
    )
    verdict = "" if attack.is_white_box else ": too few for its gradients to be the file's"
    return (
        f"The gradients of the file come from a differentiable copy with its weights and scales. "
        f"It decides {100 * attack.agreement:.2f} % of {attack.inputs:,} clean and attacked inputs "
        f"as the file{apart}{verdict}."
    )


def _curve(audit: Audit, ships: str) -> Any:
    """Return accuracy under attack against epsilon, of the reference and the shipped model."""
    named = {"reference_accuracy": "trained model", "shipped_accuracy": f"{ships} file"}
    curves = {
        f"{name}, one restart of the margin": [
            (row.epsilon, getattr(row, key)) for row in audit.curve if getattr(row, key) is not None
        ]
        for key, name in named.items()
    }
    return charts.line_chart(
        {name: points for name, points in curves.items() if len(points) > 1},
        title=f"Robust accuracy by epsilon, {audit.samples:,} samples",
        x=f"epsilon ({audit.norm} distance, of the input range)",
        y="robust accuracy",
        rules={"audited": audit.epsilon},
    )


def _examples(documents: Documents) -> list[Row]:
    """Return adversarial examples: their pictures, the true class, and the file's predictions."""
    figures = documents.figures.get("audit", {})
    if "clean" not in figures:
        return []
    count = documents.figures["audit"]["clean"].shape[0]
    return [_example(documents, figures, place) for place in range(count)]


def _example(documents: Documents, figures: Mapping[str, Any], place: int) -> Row:
    clean, changed = figures["clean"][place], figures["adversarial"][place]
    drawn = [
        pictures.picture(clean, alt="clean"),
        pictures.picture(changed, alt="adversarial"),
        pictures.picture(pictures.difference(clean, changed), alt="change"),
    ]
    for key, when in (("saliency_clean", "before"), ("saliency_adversarial", "after")):
        if key in figures:
            map_ = figures[key][place].sum(axis=-1, keepdims=True)
            image = pictures.difference(0 * map_, map_)
            drawn.append(pictures.picture(image, alt=f"integrated gradients {when}"))
    keys = {"label": "labels", "before": "prediction_clean", "after": "prediction_adversarial"}
    named = {k: words.class_name(documents, figures[v][place]) for k, v in keys.items()}
    return {"pictures": drawn, **named}
