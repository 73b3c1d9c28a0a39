"""Turn the gathered data into report.html and MODEL_CARD.md; pure, save for reading templates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from pipeline.report import charts, evasion, findings, pictures, search, words

HERE = Path(__file__).parent
LABELLED = 10  # classes up to which a confusion matrix is drawn in full
MATRIX = 40


def render_report(
    documents: Mapping[str, Any],
    config: Mapping[str, Any],
    seconds: Mapping[str, float],
    parts: Mapping[str, Any],
) -> str:
    """Return the page: one file, no script, nothing loaded from elsewhere.

    Args:
        documents: what gather() returned, and the advice on it.
        config: the sections that the page quotes, dumped.
        seconds: stage -> how long it took.
        parts: classical model -> seconds to train and to answer.
    """
    return (
        _environment(autoescape=True)
        .get_template("report.html.j2")
        .render(
            **_context(documents, config),
            seconds=seconds,
            parts=parts,
            style=(HERE / "style.css").read_text(),
            curves=_curves(documents),
            samples=_samples(documents, config["report"]["samples"]),
            matrices=_matrices(documents),
            values=_values(documents),
            layers=_layers(documents),
            changed=_changed(documents),
            evasion=evasion.shown(documents),
            membership_curve=findings.membership_curve(documents["audit"]),
            extraction_curve=findings.extraction_curve(documents["audit"]),
            search=search.context(documents["trials"]),
        )
    )


def render_card(documents: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Return the model card (Mitchell et al. 2019, arXiv:1810.03993); same facts, same bytes."""
    return (
        _environment(autoescape=False)
        .get_template("MODEL_CARD.md.j2")
        .render(**_context(documents, config))
    )


def _environment(*, autoescape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"size": words.size, "gated": words.gated}
    environment.globals |= {"figure": words.figure, "metric_names": words.NAMES}
    environment.globals |= {"evidence": findings.evidence}
    return environment


def _context(documents: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what both templates use."""
    shipped = words.shipped(documents)
    measured = documents["parity"]["files"][shipped["file"]]
    runtimes = measured["runtimes"]
    return {
        **documents,
        "config": config,
        "sentence": words.verdict(documents),
        "lighter": words.lighter(documents["weights"]),
        "ships": shipped["format"],
        "shipped": shipped,
        "measured": measured,
        "compared": len(runtimes) > 1,
        "arena": runtimes.get("tflite-micro", {"arena_bytes": None})["arena_bytes"],
        "metric": documents["parity"]["metric"],
        "names": documents["dataset"]["labels"]["names"],
        "skipped": documents["files"]["skipped"] + documents["parity"]["skipped"],
    }


def _curves(documents: Mapping[str, Any]) -> list[Any]:
    """Return the learning curves of each training stage: loss, and the metric."""
    drawn = []
    for stage, history in documents["histories"].items():
        epochs = history["epoch"]
        if not epochs:  # it was trained elsewhere
            continue
        losses = {
            name: list(zip(epochs, history[name], strict=True)) for name in ("loss", "val_loss")
        }
        drawn.append(
            charts.line_chart(
                losses, title=f"{stage}: loss by epoch", x="epoch", y=f"{stage}: loss"
            )
        )
        shown = [
            n
            for n in ("accuracy", "robust_accuracy", "val_accuracy", "mae", "val_mae")
            if n in history
        ]
        curves = {name: list(zip(epochs, history[name], strict=True)) for name in shown}
        if curves:
            label = "accuracy" if "accuracy" in history else "mean absolute error"
            drawn.append(
                charts.line_chart(
                    curves, title=f"{stage}: {label} by epoch", x="epoch", y=f"{stage}: {label}"
                )
            )
    return drawn


def _samples(documents: Mapping[str, Any], count: int) -> list[tuple[Any, str]]:
    """Return training samples with their class names; none where there are no images."""
    figures = documents["figures"]["dataset"]
    if "samples" not in figures:
        return []
    labels = [words.class_name(documents, k) for k in figures["sample_labels"][:count]]
    images = figures["samples"][:count]
    return [
        (pictures.picture(i, alt=f"a {name}"), name) for i, name in zip(images, labels, strict=True)
    ]


def _matrices(documents: Mapping[str, Any]) -> list[Any]:
    """Return the confusion matrices of the reference and of the file that ships."""
    figures, names = documents["figures"]["parity"], documents["dataset"]["labels"]["names"]
    if "confusion_reference" not in figures or len(names) > MATRIX:
        return []
    ships = documents["verdict"]["ships"]
    titles = {"reference": "trained model (reference)", ships: f"{ships} file, as it ships"}
    return [
        charts.confusion_matrix(figures[f"confusion_{key}"], names, title=text)
        for key, text in titles.items()
    ]


def _values(documents: Mapping[str, Any]) -> Any:
    """Return true against answered values of a regression; None for classes."""
    import numpy as np

    figures = documents["figures"]["parity"]
    if "labels" not in figures:
        return None
    points = np.stack([figures["labels"], figures[documents["verdict"]["ships"]]], axis=1)[:500]
    return charts.scatter(
        points, title="true value against the file's answer", x="true value", y="answer"
    )


def _layers(documents: Mapping[str, Any]) -> Any:
    """Return the noise of each layer of the file that ships; None where it was not measured."""
    ships = documents["verdict"]["ships"]
    rows = documents["parity"]["layers"].get(f"model_{ships}.tflite")
    if not rows:
        return None
    values = {row["name"]: row["sqnr_db"] for row in rows}
    return charts.bar_chart(
        values, title="signal to quantization noise of each layer: more is better", unit="dB"
    )


def _changed(documents: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return samples on which file and reference differ: picture, true class, and both answers."""
    figures = documents["figures"]["parity"]
    if "changed_samples" not in figures:
        return []
    keys = ("changed_labels", "changed_reference", "changed_file")
    rows = zip(figures["changed_samples"], *(figures[key] for key in keys), strict=True)
    return [
        (
            pictures.picture(i, alt=f"a {words.class_name(documents, t)}"),
            *(words.class_name(documents, k) for k in (t, r, f)),
        )
        for i, t, r, f in rows
    ]
