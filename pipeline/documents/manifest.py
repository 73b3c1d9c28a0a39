"""manifest.json of a bundle: each measurement beside the sha256 of the file it was made on.

Other people's devices and programs read it: fields are added, never renamed.
"""

from typing import Literal

from pydantic import Field, JsonValue

from pipeline.artifacts import FileHash
from pipeline.config.export_schema import Cluster, Prune
from pipeline.documents.advice import Advice
from pipeline.documents.baseline import BaselineModel
from pipeline.documents.evasion import AttackedFile
from pipeline.documents.files import FileContents, FileSizes, FrontEnd
from pipeline.documents.ladder import Rung, SmallModel
from pipeline.documents.parity import (
    BaselineDrop,
    DeviceCode,
    EncoderResult,
    FileParity,
    Groups,
    PreprocessingCheck,
    RangeMetrics,
    RuntimeResult,
    Streaming,
)
from pipeline.documents.preprocess import Preprocess
from pipeline.documents.record import Record
from pipeline.documents.selective import Abstention, Sanitization
from pipeline.documents.stages import Equality, Skipped
from pipeline.documents.training import Distillation, Learning, Pretraining, RangeTest, Warnings
from pipeline.documents.verdict import GateResult
from pipeline.targets.compiler import CompileReport

SCHEMA_FILE = "manifest.schema.json"


class DataSummary(Record):
    """What the network learned from, and how often its test split was read."""

    name: str
    """Name of the data set, or the kind of its source."""
    fingerprint: str
    """sha256 of all samples and their split."""
    splits: dict[str, int]
    """Split -> number of samples."""
    test_readings: int
    """How often this run read the test split."""


class Reference(Record):
    """The trained model that every file is measured against."""

    file: str
    """Path in the bundle."""
    sha256: str
    """Of the file."""
    parameters: int
    """Number of weights."""
    macs: int
    """Multiply-accumulates of one inference."""
    metrics: dict[str, float]
    """Metric -> value."""
    samples: int
    """Number of samples it was measured on."""


class RuntimeRow(RuntimeResult):
    """What one runtime makes of a file, and whether that conforms."""

    conforms: bool | None
    """Whether the gate on disagreements with LiteRT passed; null: there is no such gate."""


class CompiledFile(CompileReport):
    """A file that was compiled for one accelerator."""

    file: str | None
    """Path in the bundle; null: the plain file runs there."""
    bytes: int | None
    """Size of the file."""


class ModelRobustness(AttackedFile):
    """A file under attack, with the size of the perturbation."""

    norm: Literal["linf", "l2"]
    """Norm of the perturbation."""
    epsilon: float
    """Radius of the perturbation; for images of values in [0, 1]."""
    samples: int
    """Samples that were attacked."""


class ModelFile(FileContents, FileSizes):
    """A .tflite file of the whole model, with everything that was measured on it."""

    format: str
    """float32, float16, dynamic, int8 or int16x8."""
    file: str
    """Path in the bundle."""
    zero_weights: float
    """Fraction of the weights that are zero, in [0, 1]."""
    metrics: dict[str, float]
    """Metric -> value, on LiteRT."""
    parity: FileParity
    """Against the reference."""
    robustness: ModelRobustness | None
    """Accuracy under adversarial examples; null: not audited."""
    runtimes: dict[str, RuntimeRow]
    """Runtime -> result."""
    targets: dict[str, CompiledFile]
    """Accelerator -> compiled file."""
    gates: tuple[GateResult, ...]
    """Every gate of the config."""


class EncoderFile(FileContents, FileSizes, EncoderResult):
    """A .tflite file of only the encoder."""

    format: str
    """float32, float16, dynamic, int8 or int16x8."""
    file: str
    """Path in the bundle."""


class Encoder(Record):
    """The encoder of an autoencoder: its output is a code for clustering and search."""

    model: str
    """Path of the .keras file."""
    ships: str
    """Path of the .tflite file to use."""
    files: tuple[EncoderFile, ...]
    """All its .tflite files."""


class RankedBaseline(BaselineModel, BaselineDrop):
    """A classical model beside the shipped file."""


class BaselineSummary(Record):
    """Classical models on the same samples."""

    name: str
    """The best of them on validation."""
    metrics: dict[str, float]
    """Metric -> value of the best."""
    models: tuple[RankedBaseline, ...]
    """Every classical model."""


class Compression(SmallModel):
    """What pruning and weight clustering were asked for, and what they did."""

    prune: Prune | None = None
    """The `compress.prune` section."""
    cluster: Cluster | None = None
    """The `compress.cluster` section."""


class Training(Record):
    """What training wrote down of itself; null: it did not."""

    warnings: Warnings | None = None
    """What still goes wrong after the last epoch."""
    learning: Learning | None = None
    """The metric with fewer samples."""
    pretraining: Pretraining | None = None
    """What samples without labels gained."""
    distillation: Distillation | None = None
    """What a teacher gained."""
    range_test: RangeTest | None = None
    """The loss while the learning rate rises."""


class Manifest(Record):
    """Contents of a bundle's manifest.json."""

    json_schema: str = Field(default=SCHEMA_FILE, alias="$schema")
    """File with the JSON schema of this document, in the bundle."""
    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    name: str
    """Name of the run."""
    task: str
    """classification, regression, forecasting or anomaly."""
    seed: int
    """Of the run."""
    config: dict[str, JsonValue]
    """The resolved config."""
    config_sha256: str
    """Of its canonical JSON."""
    packages: dict[str, str]
    """Distribution -> version that made the bundle."""
    equality: Equality
    """On which machines the same run gives the same bytes."""
    labels: list[str] | None
    """Classes in the order of the outputs; null: there are none."""
    ships: str
    """Format of the file to use."""
    data: DataSummary
    """What the network learned from."""
    preprocess: Preprocess
    """Contents of preprocess.json."""
    preprocess_parity: dict[str, PreprocessingCheck]
    """Input -> the device's preprocessing against that of training."""
    reference: Reference
    """The trained model."""
    front_end: FrontEnd
    """The way by which the model went to the converter."""
    groups: Groups | None
    """Metrics per group of samples; null: no column was named."""
    streaming: Streaming | None
    """Keyword spotting on a stream; null: another task."""
    ranges: dict[str, RangeMetrics] | None
    """reference or format -> metrics of spans of time; null: samples have no time."""
    abstain: Abstention | None
    """Selective prediction; null: the device never abstains."""
    sanitize: Sanitization | None
    """Input sanitization; null: none."""
    device_code: DeviceCode | None = None
    """The C library in device/ against run_on_device.py; null: it was not compared."""
    baseline: BaselineSummary | None
    """Classical models; null: none were trained."""
    advice: tuple[Advice, ...]
    """What to do next, the weightiest first."""
    encoder: Encoder | None
    """The encoder; null: not exported."""
    training: Training
    """How training went."""
    models: tuple[ModelFile, ...]
    """Every .tflite file."""
    skipped: tuple[Skipped, ...]
    """What was left out, and why."""
    compress: Compression
    """What pruning and weight clustering did."""
    remedies: tuple[Rung, ...]
    """Rungs of the quantization ladder."""
    files: dict[str, FileHash]
    """Path -> sha256 and bytes of everything in the bundle whose bytes are promised."""

    @property
    def shipped_model(self) -> ModelFile:
        """The shipped model."""
        return next(model for model in self.models if model.format == self.ships)
