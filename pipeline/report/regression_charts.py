"""Charts of regression values, forecasts and scores against the true values. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from markupsafe import Markup

from pipeline.report import charts
from pipeline.report.gather import Documents
from pipeline.report.words import number
from pipeline.tasks import TASKS

POINTS = 500  # of a scatter: more only cover each other
BINS = 40
HOUR, DAY = 3600.0, 86400.0
DATED = 1e8  # seconds since 1970 from which on times are dates; below, a clock of their own

Figures = Mapping[str, Any]


def value_charts(documents: Documents) -> list[Markup]:
    """Return the charts of regression, two classes or an anomaly; none for more classes."""
    figures, ships = documents.figures["parity"], documents.verdict.ships
    samples = documents.parity.samples
    if "reference" in figures:
        unit = "change from the last value" if "forecast_last" in figures else "target unit"
        found = [_against_truth(figures, ships, samples, unit), _residuals(figures, ships, unit)]
        return [_forecast(figures, ships), *found] if "forecast_last" in figures else found
    if "score_reference" not in figures:
        return []
    is_detector = TASKS[documents.dataset.task].has_threshold
    second = str(documents.class_names[1])
    scores = _anomaly_scores(figures, ships) if is_detector else _scores(figures, ships, second)
    return [scores, _roc(figures, ships, second)]


def _against_truth(figures: Figures, ships: str, samples: int, unit: str) -> Markup:
    points = np.stack([figures["labels"], figures[ships]], axis=1)[:POINTS]
    error = np.abs(figures[ships].astype(np.float64) - figures["labels"]).mean()
    return charts.scatter(
        {"samples": points},
        title=f"Predictions of the {ships} file against true values, {len(points):,} of "
        f"{samples:,} samples",
        x=f"true value ({unit})",
        y=f"predicted value ({unit})",
        caption=f"mean absolute error {number(float(error))}",
        has_diagonal=True,
    )


def _residuals(figures: Figures, ships: str, unit: str) -> Markup:
    """Return the errors of reference and file, without the outermost 1 %."""
    errors = {
        "trained model": figures["reference"].astype(np.float64) - figures["labels"],
        f"{ships} file": figures[ships].astype(np.float64) - figures["labels"],
    }
    low, high = np.percentile(np.concatenate(list(errors.values())), [0.5, 99.5])
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    counts = {name: np.histogram(values, edges)[0] for name, values in errors.items()}
    return charts.histogram(
        counts,
        edges,
        title="Errors (predicted - true value), without the outermost 1 %",
        x=f"error ({unit})",
        y="samples",
        rules={"zero error": 0.0} if low < 0 < high else None,
    )


def _forecast(figures: Figures, ships: str) -> Markup:
    """Return true values, forecasts and the naive forecast over one period."""
    indices, last = figures["forecast_indices"], figures["forecast_last"].astype(np.float64)
    times = figures["forecast_times"].astype(np.float64)
    scale, word = (DAY, "days") if times[-1] - times[0] > 3 * DAY else (HOUR, "hours")
    if times[-1] - times[0] < HOUR:
        scale, word = 1.0, "seconds"
    begin = ""
    if times[0] > DATED:
        begin = f" from {datetime.fromtimestamp(times[0], UTC):%Y-%m-%d %H:%M} UTC"
    xs = (times - times[0]) / scale
    lines = {
        "true value": last + figures["labels"][indices],
        f"{ships} forecast": last + figures[ships][indices],
        "naive forecast": last,
    }
    return charts.line_chart(
        {name: list(zip(xs.tolist(), ys.tolist(), strict=True)) for name, ys in lines.items()},
        title=f"The last {len(indices)} steps of one series",
        x=f"{word}{begin}",
        y="value (target unit)",
    )


def _anomaly_scores(figures: Figures, ships: str) -> Markup:
    """Return a histogram of anomaly scores over the threshold, on a logarithmic axis."""
    output = np.clip(figures[f"score_{ships}"].astype(np.float64), 1e-6, 1 - 1e-6)
    times = output / (1 - output)  # the output is s / (s + threshold); this is s / threshold
    edges = np.geomspace(times.min(), max(times.max(), times.min() * 1.01), BINS + 1)
    edges[0], edges[-1] = edges[0] * 0.999, edges[-1] * 1.001
    return charts.histogram(
        _counts(figures["labels"], times, edges, ("normal", "anomalous")),
        edges,
        title=f"Anomaly scores of the {ships} file, {len(times):,} samples",
        x="anomaly score / threshold",
        y="samples",
        rules={"threshold": 1.0},
        is_log=True,
    )


def _scores(figures: Figures, ships: str, second: str) -> Markup:
    scores = figures[f"score_{ships}"].astype(np.float64)
    counts = _counts(
        figures["labels"], scores, np.linspace(0, 1, BINS + 1), ("the other class", second)
    )
    return charts.histogram(
        counts,
        np.linspace(0, 1, BINS + 1),
        title=f"Scores of the {ships} file for {second}, {len(scores):,} samples",
        x=f"score for {second}",
        y="samples",
        rules={"threshold": 0.5},
    )


def _counts(labels: Any, values: Any, edges: Any, names: tuple[str, str]) -> dict[str, Any]:
    return {name: np.histogram(values[labels == k], edges)[0] for k, name in enumerate(names)}


def _roc(figures: Figures, ships: str, second: str) -> Markup:
    """Return the ROC curve: recall against the false positive rate."""
    labels = figures["labels"] == 1
    if not 0 < labels.sum() < len(labels):
        return Markup("")
    curves = {
        name: roc_points(labels, figures[key])
        for name, key in (("trained model", "score_reference"), (f"{ships} file", f"score_{ships}"))
    }
    return charts.line_chart(
        curves | {"chance": [(0.0, 0.0), (1.0, 1.0)]},
        title=f"ROC curve ({second})",
        x="false positive rate",
        y="recall (true positive rate)",
    )


def roc_points(is_second: Any, scores: Any) -> list[tuple[float, float]]:
    """Return (false positive rate, recall) as the threshold falls, at most POINTS of them.

    Args:
        is_second: (N,), whether each sample is of the positive class.
        scores: (N,), the larger, the more likely the positive class.
    """
    order = np.argsort(-scores, kind="stable")
    hits, ranked = is_second[order], scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # equal scores fall together
    recall = np.cumsum(hits)[last] / max(1, int(hits.sum()))
    false = np.cumsum(~hits)[last] / max(1, int((~hits).sum()))
    kept = np.unique(np.linspace(0, len(recall) - 1, POINTS).astype(int))
    return [(0.0, 0.0), *zip(false[kept].tolist(), recall[kept].tolist(), strict=True)]
