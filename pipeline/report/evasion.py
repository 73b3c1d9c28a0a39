"""What the report shows of attacks on pictures: tables, the curve, examples. Pure."""

from collections.abc import Mapping
from typing import Any

from pipeline.report import attacked, charts, pictures, words
from pipeline.report.gather import Documents

Row = dict[str, Any]
# Name in audit.json -> what the page calls it, and what the attacker has.
NAMES = {
    "pgd_transfer": ("transferred from the trained model", "the trained model"),
    "pgd_parent": ("transferred from the fine-tuned model", "the float model before export"),
    "straight_through": ("straight-through (white box)", "the file: its weights and scales"),
    "square": ("Square Attack (black box)", "outputs of the file alone"),
}


def evasion_view(documents: Documents) -> Row | None:
    """Return what evasion.html.j2 needs; None where nothing was attacked."""
    audit = documents.audit
    if audit is None or audit["skipped"]:
        return None
    ships = documents.verdict.ships
    own = next(row for row in audit["files"].values() if row["format"] == ships)
    corruptions: dict[str, list[Row]] = {}
    for row in audit["corruptions"]:
        corruptions.setdefault(row["name"], []).append(row)
    return {
        "allowed": audit["reach"],
        "groups": [_reference(audit), _file(audit, own)],
        "others": [row for row in audit["files"].values() if row["format"] != ships],
        "curve": _curve(audit, ships),
        "checks": _checks(audit),
        "drop": _drop(own),
        "twin": _twin(own),
        "corruptions": corruptions,
        "severities": sorted({row["severity"] for row in audit["corruptions"]}),
        "examples": _examples(documents),
        "attacked": attacked.examples(documents),
    }


def _steps(audit: Mapping[str, Any]) -> str:
    times = "1 restart" if audit["restarts"] == 1 else f"{audit['restarts']} restarts"
    return f"{audit['steps']} steps, {times}, 2 losses"


def _row(name: str, uses: str, budget: str, accuracy: float, ci95: Any = None) -> Row:
    return {"name": name, "uses": uses, "budget": budget, "accuracy": accuracy, "ci95": ci95}


def _reference(audit: Mapping[str, Any]) -> Row:
    """Return the rows of the trained model."""
    found = audit["reference"]
    rows = [
        _row("none", "", "", found["clean"], found["clean_ci95"]),
        _row("random noise", "nothing", "1 draw", found["noise"]),
        _row("PGD (white box)", "the trained model", _steps(audit), found["white_box"]),
        _row("all", "", _queries(audit, found), found["robust"], found["robust_ci95"]),
    ]
    return {"name": "trained model (reference)", "rows": rows, "ships": False}


def _file(audit: Mapping[str, Any], own: Row) -> Row:
    """Return the rows of the file that ships."""
    rows = [_row("none", "", "", own["clean"], own["clean_ci95"])]
    for name, (called, uses) in NAMES.items():
        if name not in own["attacks"]:
            continue
        budget = _queries(audit, own["square"]) if name == "square" else _steps(audit)
        interval = own["attacks_ci95"][name]
        rows.append(_row(called, uses, budget, own["attacks"][name], interval))
    rows.append(_row("all", "", "", own["robust"], own["robust_ci95"]))
    return {"name": f"shipped {own['format']} file", "rows": rows, "ships": True}


def _checks(audit: Mapping[str, Any]) -> list[Row]:
    """Return a row a check: its name, meaning and limit, and its verdict on reference and file."""
    rows: dict[str, Row] = {}
    for check in audit["checks"]:
        empty = {**check, "reference": None, "file": None}
        rows.setdefault(check["name"], empty)[check["on"]] = check
    return list(rows.values())


def _queries(audit: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    if found["mean_queries"] is None:
        return "no search"
    return f"search: {audit['square_queries']} queries, {found['mean_queries']:.0f} on average"


def _drop(own: Row) -> str:
    low, high = own["robust_drop_ci95"]
    return (
        f"The file loses {100 * own['robust_drop']:.1f} percentage points of robust accuracy "
        f"against the trained model (paired 95 % interval {100 * low:.1f} to {100 * high:.1f})."
    )


def _twin(own: Row) -> str:
    found = own["straight_through"]
    if found["skipped"] is not None:
        return f"No straight-through attack: {found['skipped']}."
    apart = "" if found["mean_lsb"] is None else f", {found['mean_lsb']:.2g} LSB mean difference"
    counts = "" if found["counts"] else ": too few to call its gradients white-box"
    return (
        f"The gradients of the file come from a network with the file's own weights and scales, "
        f"which agrees with the file on {100 * found['agreement']:.2f} % of {found['inputs']:,} "
        f"clean and adversarial inputs{apart}{counts}."
    )


def _curve(audit: Mapping[str, Any], ships: str) -> Any:
    """Return accuracy under attack against epsilon, of the reference and the file that ships."""
    named = {"robust": "trained model", "shipped": f"{ships} file"}
    curves = {
        f"{name}, one restart of the margin loss": [
            (row["epsilon"], row[key]) for row in audit["curve"] if row[key] is not None
        ]
        for key, name in named.items()
    }
    return charts.line_chart(
        {name: points for name, points in curves.items() if len(points) > 1},
        title=f"Robust accuracy by epsilon, {audit['samples']:,} samples",
        x=f"epsilon ({audit['norm']} distance, of the input range)",
        y="robust accuracy",
        rules={"audited": audit["epsilon"]},
    )


def _examples(documents: Documents) -> list[Row]:
    """Return adversarial examples: their pictures, the true class, and what the file says."""
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
    for key, told in (("saliency_clean", "before"), ("saliency_adversarial", "after")):
        if key in figures:
            map_ = figures[key][place].sum(axis=-1, keepdims=True)
            image = pictures.difference(0 * map_, map_)
            drawn.append(pictures.picture(image, alt=f"attribution {told}"))
    keys = {"label": "labels", "said": "prediction_clean", "then": "prediction_adversarial"}
    named = {k: words.class_name(documents, figures[v][place]) for k, v in keys.items()}
    return {"pictures": drawn, **named}
