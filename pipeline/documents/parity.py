"""parity.json: every file against the reference, on the samples of `verify.split`."""

from typing import Literal

from pydantic import Field

from pipeline.documents.record import Record
from pipeline.documents.selective import Abstention, Sanitization
from pipeline.documents.stages import Skipped
from pipeline.documents.threshold import DecisionQuality

Interval = tuple[float, float]


class ReferenceResult(Record):
    """What the trained model reaches."""

    metrics: dict[str, float]
    """Metric -> value."""


class LayerNoise(Record):
    """Quantization noise of one layer."""

    name: str
    """The layer."""
    sqnr_db: float
    """Signal-to-quantization-noise ratio of its output against the float32 file, in dB."""


class FileParity(Record):
    """How far a file is from the reference."""

    metric_drop: float
    """How much worse the task's metric is: absolute, or relative for errors; below 0: better."""
    metric_drop_ci95: Interval
    """Paired 95 % bootstrap interval of the drop."""
    agreement: float
    """Fraction of samples with the same decision, in [0, 1]."""
    output_sqnr_db: float
    """Signal-to-quantization-noise ratio of the outputs, in dB; at most 200."""
    calibration_error: float | None
    """Expected calibration error (ECE) of the file, in [0, 1]; null without classes."""
    worst_class_drop: float | None
    """Largest loss of recall of one class; null without classes."""
    worst_class: str | None
    """Name of that class."""
    auc_drop: float | None = None
    """Loss of the area under the ROC curve against the reference, whatever the decisions say; null:
    there are not two classes, or one is missing."""
    worst_layer: LayerNoise | None
    """The noisiest layer; null: no layers were compared."""


class RuntimeResult(Record):
    """What one runtime makes of a file."""

    version: str
    """Of the runtime."""
    kernels: str
    """Which implementation of the operations: xnnpack, builtin, reference, own, emulated."""
    agreement: float
    """Fraction of samples with the reference's decision, in [0, 1]."""
    disagreements: int
    """Samples with another decision than LiteRT's."""
    max_abs_lsb: int | None
    """Largest difference of a raw output from LiteRT's, in integer steps; null for float files."""
    arena_bytes: int | None
    """Working memory on a 64-bit machine; null: the runtime does not report it."""


class FileResult(Record):
    """Everything that was measured of one file."""

    format: str
    """float32, float16, dynamic, int8 or int16x8."""
    metrics: dict[str, float]
    """Metric -> value, on LiteRT."""
    parity: FileParity
    """Against the reference."""
    skill: float
    """How much better than guesses the file is: 1 is perfect, 0 is no better. Cohen's kappa of
    classes, Somers' D (2 AUC - 1) of scores, R2 of values, 1 - relative MAE of forecasts."""
    skill_ci95: Interval
    """95 % bootstrap interval of the skill."""
    missing_classes: dict[str, str] | None
    """Class -> why it is missing: no sample has it, or it is never predicted; null: there are no
    classes."""
    runtimes: dict[str, RuntimeResult]
    """Runtime -> result; litert comes first."""


class PreprocessingCheck(Record):
    """The device's preprocessing of one input against that of training."""

    max_abs_difference: float
    """Largest difference of a value of the model input."""
    tolerance: float
    """Largest difference that is allowed."""
    samples: int
    """Number of samples compared."""


class GroupResult(Record):
    """Metrics of the samples of one group."""

    samples: int
    """Number of samples."""
    metrics: dict[str, dict[str, float]]
    """reference or format -> metric -> value."""


class Groups(Record):
    """Metrics per group of samples."""

    column: str
    """The column of `data.report_groups`."""
    values: dict[str, GroupResult]
    """Group -> its metrics, the largest group first."""


class Streaming(Record):
    """The shipped keyword spotter on a stream of recordings with pauses."""

    file: str
    """The file."""
    false_accepts_per_hour: float
    """Detections without a spoken keyword."""
    miss_rate: float
    """Fraction of keywords that are not detected, in [0, 1]."""
    hours: float
    """Length of the stream."""
    keywords: int
    """Keywords in it."""
    threshold: float
    """Smallest mean probability of a detection."""


class RangeMetrics(Record):
    """Anomalies as spans of time, each counted once, however many windows it covers."""

    range_f1: float
    """Harmonic mean of precision and recall."""
    precision: float
    """Fraction of flagged spans that overlap an anomaly."""
    recall: float
    """Fraction of anomalies that overlap a flagged span."""
    ranges: float
    """Number of anomalies."""


class BaselineDrop(Record):
    """A classical model against the shipped file, on the same samples."""

    drop: float
    """How much worse the classical model's metric is; below 0: it is better."""
    drop_ci95: Interval
    """Paired 95 % bootstrap interval of the drop."""


class CodeParity(Record):
    """Codes of an encoder file against those of the reference."""

    sqnr_db: float
    """Signal-to-quantization-noise ratio of the codes, in dB."""
    cosine: float
    """Mean cosine similarity over samples."""
    neighbor_overlap: float
    """Fraction of each sample's ten nearest neighbors that are the same, in [0, 1]."""


class CodeClustering(Record):
    """k-means clusters of the codes, by the adjusted Rand index: 1 equal, 0 by chance."""

    clusters: int
    """Number of clusters."""
    with_reference: float
    """Index against the clusters of the reference's codes."""
    with_classes: float | None
    """Index against the classes; null: there are none."""


class CodeReduction(Record):
    """How well codes preserve neighborhoods, by trustworthiness in [0, 1]."""

    input_size: int
    """Numbers of an input."""
    code_size: int
    """Numbers of a code."""
    trustworthiness: float
    """Of the codes."""
    pca_trustworthiness: float
    """Of as many principal components."""


class EncoderResult(Record):
    """What the codes of one encoder file are worth."""

    codes: CodeParity
    """Against the reference."""
    clustering: CodeClustering
    """How they cluster."""
    reduction: CodeReduction
    """How much is left of the inputs' neighborhoods."""


class DeviceCode(Record):
    """The C library of the shipped file against run_on_device.py, on the same samples."""

    file: str
    """The file whose inputs and outputs it prepares and decodes."""
    compiler: str
    """What compiled it here."""
    samples: int
    """Number of samples compared."""
    disagreements: int
    """Samples with another model input, refusal or decision."""
    inputs: dict[str, float]
    """Input -> largest difference of a value: in steps of an integer tensor, else in numbers."""


class DecisionResult(Record):
    """What the decision threshold of two classes gives, before and after quantization."""

    positive: str
    """Name of the positive class."""
    threshold: float
    """Probability of that class, as it was trained, from which on it is predicted."""
    models: dict[str, DecisionQuality]
    """reference or format -> precision, recall and F1 of that class."""


class Parity(Record):
    """Contents of parity.json, written by `verify`."""

    schema_version: Literal[3] = Field(default=3, alias="schema")
    """Version of this document's form."""
    split: Literal["validation", "test"]
    """Where the samples are from."""
    samples: int
    """Number of samples."""
    metric: str
    """The task's metric; a key of every `metrics`."""
    direction: Literal["up", "down"]
    """up: higher is better."""
    reference: ReferenceResult
    """What the trained model reaches."""
    trivial: dict[str, float]
    """What takes no model (the most frequent class, the mean, …) -> the task's metric of it."""
    test_readings: int
    """How often this run read the test split."""
    files: dict[str, FileResult]
    """File -> result."""
    layers: dict[str, tuple[LayerNoise, ...]]
    """Integer file -> noise of its layers, in order of computation."""
    preprocessing: dict[str, PreprocessingCheck]
    """Input -> check."""
    groups: Groups | None
    """Metrics per group; null: no column was named."""
    streaming: Streaming | None
    """Keyword spotting on a stream; null: another task."""
    ranges: dict[str, RangeMetrics] | None
    """reference or format -> metrics of spans; null: samples have no time."""
    baseline: dict[str, BaselineDrop] | None
    """Classical model -> comparison; null: no baseline ran."""
    encoder: dict[str, EncoderResult] | None
    """Encoder file -> result; null: no encoder."""
    abstain: Abstention | None
    """Selective prediction; null: the device never abstains."""
    sanitize: Sanitization | None
    """Input sanitization; null: none."""
    device_code: DeviceCode | None
    """The C library; null: it was not compared."""
    decision: DecisionResult | None = None
    """The decision threshold; null: the more probable class is predicted."""
    skipped: tuple[Skipped, ...]
    """What was left out, and why."""
