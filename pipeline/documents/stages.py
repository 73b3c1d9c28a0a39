"""manifest.json and timings.json of a stage's folder, and bundle.json of what was published."""

from typing import Literal

from pydantic import Field, JsonValue

from pipeline.artifacts import FileHash
from pipeline.documents.record import Record


class Machine(Record):
    """What bits depend on beside config, data and packages of a recipe."""

    system: str
    """Operating system, such as Linux."""
    machine: str
    """Architecture, such as x86_64."""
    libc: str
    """C library and its version; empty where it is not known."""
    python: str
    """Version of Python."""
    packages: dict[str, str]
    """Numeric package -> version, beside those of the recipe."""
    cpu: str
    """Name of the processor."""
    features: tuple[str, ...]
    """Vector instructions of the processor, by which libraries choose their kernels."""
    threads: int | None
    """Cores that the process may use; null where that is not known."""
    settings: dict[str, str]
    """Environment variables that change sums: threads and kernels of the libraries."""
    gpus: tuple[str, ...]
    """GPUs that TensorFlow computed on."""


class Equality(Record):
    """Which class of equality the bytes of a bundle have."""

    same: Literal["bits"] = "bits"
    """What is equal on machines that are as `depends_on`."""
    other: Literal["rounding"] = "rounding"
    """What differs on others: sums are made in another order."""
    depends_on: Machine
    """The machine that wrote the bundle, with the GPUs of all stages."""
    ran_elsewhere: dict[str, Machine]
    """Stage -> its machine, where that is another."""


class StageMetric(Record):
    """One measurement of a stage."""

    name: str
    """What was measured."""
    value: int | float
    """In `unit`."""
    unit: str
    """Empty for a plain number."""


class Skipped(Record):
    """Something that was left out."""

    item: str
    """What it is."""
    reason: str
    """Why."""


class StageRecipe(Record):
    """All that decides the bytes of a stage's result."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    stage: str
    """Name of the stage."""
    code: str
    """sha256 of the code that the stage runs, without comments and docstrings."""
    seed: int
    """The config's seed."""
    config: dict[str, JsonValue]
    """The config's sections that the stage uses, resolved."""
    packages: dict[str, str]
    """Distribution -> version, of those whose version changes the result."""
    inputs: dict[str, dict[str, str]]
    """Kind -> file -> sha256 of what the stage reads."""
    outside: JsonValue
    """State of what is neither config nor artifact: raw data, a model file, installed compilers."""


class StageManifest(StageRecipe):
    """Contents of a stage's manifest.json; a folder that has one is complete."""

    key: str
    """sha256 of the recipe: the fields above."""
    machine: Machine
    """Where the stage ran."""
    outputs: dict[str, FileHash]
    """File -> sha256 and bytes."""
    metrics: tuple[StageMetric, ...]
    """What the stage measured, in order."""
    skipped: tuple[Skipped, ...]
    """What it left out, and why."""


class Timings(Record):
    """Contents of a stage's timings.json: what differs from run to run, which no hash covers."""

    seconds: float
    """Time of the stage."""
    parts: dict[str, JsonValue]
    """Part of the stage -> its time, or its times."""
    host: str
    """Name of the machine."""
    date: str
    """When the stage ended, in UTC, as ISO 8601."""
    commit: str | None
    """Git commit of the code; null outside of a checkout."""


class BundleTimings(Record):
    """Contents of timings.json in a bundle."""

    stages: dict[str, Timings]
    """Stage -> when and where it ran, and how long."""


class Published(Record):
    """Contents of bundle.json, written by `bundle`."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    files: dict[str, FileHash]
    """File of the bundle -> sha256 and bytes, of those whose bytes are promised."""
