"""What was installed where a bundle was made, as CycloneDX 1.6 (ECMA-424)."""

from importlib import metadata
from typing import Literal

from pydantic import Field

from pipeline.documents.record import Record

SBOM = "sbom.cdx.json"
LONGEST_LICENSE = 100  # characters: longer ones are whole texts, not names


class LicenseName(Record):
    """A license by its name."""

    name: str
    """As the distribution states it."""


class LicenseChoice(Record):
    """One license."""

    license: LicenseName
    """What it is called."""


class Component(Record):
    """A distribution of Python."""

    type: Literal["library"] = "library"
    """What CycloneDX calls it."""
    bom_ref: str = Field(alias="bom-ref")
    """Its name in this document: the purl."""
    name: str
    """Of the distribution."""
    version: str
    """That was installed."""
    purl: str
    """Package URL."""
    licenses: tuple[LicenseChoice, ...]
    """Empty: it states none."""


class Sbom(Record):
    """Contents of sbom.cdx.json: no date and no serial number, so that equal ones are equal."""

    bom_format: Literal["CycloneDX"] = Field(default="CycloneDX", alias="bomFormat")
    """Of this document."""
    spec_version: Literal["1.6"] = Field(default="1.6", alias="specVersion")
    """Of CycloneDX."""
    version: Literal[1] = 1
    """Of this list."""
    components: tuple[Component, ...]
    """By name."""


def installed_components() -> Sbom:
    """Return every distribution that is installed, by name."""
    found = {str(dist.metadata["Name"]).lower(): dist for dist in metadata.distributions()}
    return Sbom(components=tuple(_component(found[name]) for name in sorted(found)))


def _component(distribution: metadata.Distribution) -> Component:
    facts = distribution.metadata
    name = str(facts["Name"])
    keys = [key for key in ("License-Expression", "License") if key in facts]
    text = " ".join(facts[keys[0]].split()) if keys else ""
    licenses = (LicenseChoice(license=LicenseName(name=text)),)
    purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{distribution.version}"
    return Component.model_validate(
        {
            "bom-ref": purl,
            "name": name,
            "version": distribution.version,
            "purl": purl,
            "licenses": licenses if 0 < len(text) <= LONGEST_LICENSE else (),
        }
    )
