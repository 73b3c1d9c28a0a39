"""dataset.json: what the `data` stage has stored, and what was noticed about it."""

from typing import Literal

from pydantic import Field

from pipeline.config.section import Task
from pipeline.documents.record import Record


class StoredInput(Record):
    """Where the raw values of one input lie."""

    name: str
    """Of the input."""
    layout: Literal["fixed", "ragged"]
    """fixed: a row a sample; ragged: samples lie end to end, each with its own shape."""
    shape: list[int]
    """Of one sample; of ragged samples the largest along each axis."""
    dtype: str
    """NumPy's name of the type."""
    shards: list[str]
    """Files, in the order of samples."""
    rows: list[int]
    """Samples of each file."""
    shapes: str | None
    """File with the shape of each sample; null: fixed."""
    offsets: str | None
    """File with the first value of each sample in its shard; null: fixed."""


class StoredLabels(Record):
    """Where labels lie, and what they mean."""

    file: str
    """Class ids, or targets in their own unit."""
    names: list[str] | None
    """Names of the classes by id; null: targets."""


class ReportGroups(Record):
    """The column or pattern of metrics per group."""

    name: str
    """Column, or `group`."""
    file: str
    """Its value for each sample."""


class DataFinding(Record):
    """Something noticed about the data."""

    level: Literal["info", "warning"]
    """warning: it may make the model or its metrics worse than they look."""
    code: str
    """What it is about, for programs."""
    text: str
    """For people."""
    count: int
    """Samples, files, columns or classes that it is about."""


class DatasetDocument(Record):
    """dataset.json: a prepared dataset, whose files lie beside it."""

    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    task: Task
    """What the labels are prepared for."""
    samples: int
    """In all parts, and in none."""
    inputs: list[StoredInput]
    """Raw values."""
    labels: StoredLabels
    """Labels, one a sample."""
    ids: str
    """File with the name of each sample."""
    groups: str | None
    """File with what stays in one part together; null: nothing."""
    windows: bool
    """Whether samples are windows of recordings, named after them."""
    timestamps: str | None
    """File with the first and last moment of each sample, in seconds; null: not known."""
    report_groups: ReportGroups | None
    """The column or pattern of metrics per group; null: none."""
    splits: dict[str, int]
    """Part -> number of samples."""
    fingerprint: str
    """sha256 over inputs, labels and ids of all samples, in order."""
    findings: list[DataFinding]
    """Findings on the data."""
