"""The drawings of a run: curves, samples, confusion, layers, size against quality. Pure.

Each returns an empty piece of the page where there is nothing to draw.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from pipeline.report import charts, tables, words
from pipeline.report import samples as shown_samples
from pipeline.report.gather import Documents

MATRIX = 40  # classes up to which a confusion matrix can be read
PAIRS = 10  # pairs of classes that are confused most
RECALLS = 40  # classes that the model card lists
QUALITY = ("accuracy", "macro_f1", "auc")
CALLED = {
    "loss": "loss, training",
    "val_loss": "loss, validation",
    "robust_accuracy": "robust accuracy, training",
}


def learning_curves(documents: Documents) -> list[Markup]:
    """Return the learning curves of each training stage: loss, and the metrics beside it."""
    drawn = []
    for stage, history in documents.histories.items():
        epochs = history["epoch"]
        if not epochs:  # it was trained elsewhere
            continue
        shown: dict[str, tuple[str, ...]] = {"loss": ("loss", "val_loss")}
        for name in QUALITY:
            shown[name] = (name, f"val_{name}")
        shown["mae"] = ("val_mae",)  # that of training is in the network's unit
        if "robust_accuracy" in history:
            shown["accuracy"] = ("accuracy", "robust_accuracy", "val_accuracy")
        for what, names in shown.items():
            curves = {
                _called(name): list(zip(epochs, history[name], strict=True))
                for name in names
                if name in history
            }
            label = words.NAMES.get(what, what)
            title = f"{stage}: {label} by epoch"
            drawn.append(charts.line_chart(curves, title=title, x="epoch", y=label))
    return [chart for chart in drawn if chart]


def _called(column: str) -> str:
    """Return what a column of history.csv is called on the page."""
    if column in CALLED:
        return CALLED[column]
    part = "validation" if column.startswith("val_") else "training"
    name = column.removeprefix("val_")
    return f"{words.NAMES.get(name, name)}, {part}"


def samples(documents: Documents, count: int) -> Markup:
    """Return training samples with their labels."""
    figures = documents.figures["dataset"]
    notes = [_answer(documents, label) for label in figures["sample_labels"][:count]]
    entries = documents.preprocess.inputs
    return shown_samples.gallery(figures, "sample", entries, notes=notes)


def targets(documents: Documents) -> Markup:
    """Return how the targets of train, validation and test are spread; nothing for classes."""
    figures = documents.figures["dataset"]
    if "target_counts" not in figures:
        return Markup("")
    parts = ("train", "validation", "test")
    edges = figures["target_edges"].tolist()
    steps = {}
    for part, counts in zip(parts, figures["target_counts"], strict=True):
        shares = (100 * counts / max(1, counts.sum())).tolist()
        steps[part] = [
            (edge, share)
            for low, high, share in zip(edges[:-1], edges[1:], shares, strict=True)
            for edge in (low, high)
        ]
    return charts.line_chart(
        steps,
        title="Distribution of the target per split",
        x="true value (target unit)",
        y="% of the split",
    )


def matrices(documents: Documents) -> list[Markup]:
    """Return the confusion matrices of the reference and of the shipped model."""
    figures, names = documents.figures["parity"], documents.class_names
    if "confusion_reference" not in figures or len(names) > MATRIX:
        return []
    ships = documents.verdict.ships
    titles = {"reference": "trained model (reference)", ships: f"shipped {ships} file"}
    return [
        tables.confusion_matrix(figures[f"confusion_{key}"], names, title=text)
        for key, text in titles.items()
    ]


def confused_pairs(documents: Documents) -> list[dict[str, Any]]:
    """Return the pairs of classes that the file confuses most; none where a matrix says it."""
    figures, names = documents.figures["parity"], documents.class_names
    if "confusion_reference" not in figures or len(names) <= PAIRS:
        return []
    found = figures[f"confusion_{documents.verdict.ships}"].copy()
    wanted, totals = figures["confusion_reference"], found.sum(axis=1)
    np.fill_diagonal(found, 0)
    order = np.argsort(-found, axis=None, kind="stable")[:PAIRS]
    places = [(int(k // len(names)), int(k % len(names))) for k in order]
    return [
        {
            "true": names[i],
            "predicted": names[j],
            "count": int(found[i, j]),
            "reference": int(wanted[i, j]),
            "samples": int(totals[i]),
        }
        for i, j in places
        if found[i, j]
    ]


def recalls(documents: Documents) -> list[dict[str, Any]]:
    """Return samples, recall and precision of each class by reference and file."""
    figures, names = documents.figures["parity"], documents.class_names
    if "confusion_reference" not in figures:
        return []
    pair = figures["confusion_reference"], figures[f"confusion_{documents.verdict.ships}"]
    rows = []
    for k, name in list(enumerate(names))[:RECALLS]:
        row: dict[str, Any] = {"name": name, "samples": int(pair[0][k].sum())}
        for key, counts in zip(("reference", "file"), pair, strict=True):
            true, predicted = int(counts[k].sum()), int(counts[:, k].sum())
            row[key] = {
                "recall": float(counts[k, k]) / true if true else None,
                "precision": float(counts[k, k]) / predicted if predicted else None,
            }
        rows.append(row)
    return rows


def layers(documents: Documents) -> Markup:
    """Return the noise of each layer of the shipped model, where it was measured."""
    ships = documents.verdict.ships
    rows = documents.parity.layers.get(f"model_{ships}.tflite")
    if not rows:
        return Markup("")
    values = {row.name: row.sqnr_db for row in rows}
    title = "SQNR of each layer's output against float32; higher is better"
    return tables.bar_chart(values, title=title, unit="dB")


def trade(documents: Documents, seconds: Mapping[str, float]) -> list[Markup]:
    """Return the metric of each format against its size, and against its time on this machine."""
    parity, metric = documents.parity, documents.parity.metric
    label, by_size, by_time = words.NAMES[metric], {}, {}
    for entry in documents.files.files:
        value = parity.files[entry.file].metrics[metric]
        by_size[entry.format] = [(entry.bytes / 1000, value)]
        if entry.file in seconds:
            by_time[entry.format] = [(1e6 * seconds[entry.file], value)]
    title = f"{label} against size, {parity.samples:,} samples"
    drawn = [charts.line_chart(by_size, title=title, x="file size, kB", y=label)]
    timed = f"{label} against latency"
    x = "time per sample in batches, µs"
    return drawn + ([charts.line_chart(by_time, title=timed, x=x, y=label)] if by_time else [])


def changed_samples(documents: Documents) -> Markup:
    """Return samples on which file and reference differ, with what each of them says."""
    figures = documents.figures["parity"]
    keys = ("changed_labels", "changed_reference", "changed_file")
    if not all(key in figures for key in keys):
        return Markup("")
    notes = [
        "true {}: {} → {}".format(*(_answer(documents, value) for value in row))
        for row in zip(*(figures[key] for key in keys), strict=True)
    ]
    return shown_samples.gallery(figures, "changed", documents.preprocess.inputs, notes=notes)


def _answer(documents: Documents, value: Any) -> str:
    if documents.dataset.labels.names is None:
        return words.number(float(value))
    return words.class_name(documents, value)
