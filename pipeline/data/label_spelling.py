"""Labels that mean the same and are spelt in several ways: ok, OK and `Ok `; 1, 1.0 and True."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Literal

from pipeline.data.columns import as_number
from pipeline.data.samples import Finding
from pipeline.errors import ConfigError

Alike = Literal["merge", "keep"]
TRUTH = {"true": "1", "false": "0"}
SHOWN = 5  # classes that a message spells out


def merged_labels(
    counts: Mapping[str, int], alike: Alike | None
) -> tuple[dict[str, str], list[Finding]]:
    """Return label -> the label that stands for it, and what was found where some are alike.

    Args:
        counts: label -> samples.
        alike: what is to be done: `data.source.labels_alike`.

    Raises:
        ConfigError: some are alike, and `alike` is None.
    """
    by_form: defaultdict[str, list[str]] = defaultdict(list)
    for label in counts:
        by_form[_form(label)].append(label)
    groups = [sorted(found, key=lambda own: (-counts[own], own)) for found in by_form.values()]
    several = [found for found in groups if len(found) > 1]
    if not several:
        return {label: label for label in counts}, []
    shown = "; ".join(" = ".join(map(repr, found)) for found in several[:SHOWN])
    if alike is None:
        raise ConfigError(
            f"data.source.labels_alike: classes that differ in spelling only: {shown}; say "
            f"merge for {len(groups)} classes, or keep for {len(counts)}"
        )
    if alike == "keep":
        text = f"Classes that differ in spelling only were kept apart: {shown}."
        return {label: label for label in counts}, [
            Finding("warning", "labels_alike", text, len(several))
        ]
    text = f"{len(counts)} labels were merged into {len(groups)} classes: {shown}."
    merged = {label: _name(found) for found in groups for label in found}
    return merged, [Finding("info", "merged_labels", text, len(several))]


def _name(alike: list[str]) -> str:
    """Return the name of a class: a short number, else the most frequent spelling."""
    form = _form(alike[0])
    return form if len(alike) > 1 and as_number(form) is not None else alike[0].strip()


def _form(label: str) -> str:
    """Return a label without what spelling adds: case, spaces, the form of a number."""
    folded = " ".join(label.split()).casefold()
    folded = TRUTH.get(folded, folded)
    number = as_number(folded)
    return folded if number is None else f"{number:.12g}"
