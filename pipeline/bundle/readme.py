"""README.md of a bundle: how to load it on each device, with this model's own shapes and types."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from pipeline.bundle.sample import sample_name

TEMPLATE = Path(__file__).with_name("README.md.j2")


def readme(manifest: Mapping[str, Any]) -> str:
    """Return the text for a bundle's manifest."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    shipped = next(model for model in manifest["models"] if model["format"] == manifest["ships"])
    integer = next((model for model in manifest["models"] if model["format"] == "int8"), None)
    entry = manifest["preprocess"]["inputs"][0]
    return environment.from_string(TEMPLATE.read_text()).render(
        manifest=manifest,
        shipped=shipped,
        integer=integer,
        entry=entry,
        entries={entry["name"]: entry for entry in manifest["preprocess"]["inputs"]},
        sample=sample_name(manifest["preprocess"]["inputs"]),
        metrics=shipped["metrics"],
        reference=manifest["reference"]["metrics"],
    )
