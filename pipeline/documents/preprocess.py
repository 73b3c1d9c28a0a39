"""preprocess.json: how raw samples become model inputs, and model outputs become decisions.

The `data` stage fits it on the training split; the bundle's copy is read on the device.
"""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Task
from pipeline.documents.decision import Decision
from pipeline.documents.record import Record
from pipeline.documents.target import Target
from pipeline.documents.threshold import Threshold

SCHEMA_FILE = "preprocess.schema.json"


class CategoryColumn(Record):
    """A column of categories; a raw value is an index into `values`, or -1 for any other."""

    kind: Literal["category"] = "category"
    name: str
    """Name in the table's header."""
    values: list[str]
    """Categories of the training data, in the order in which raw values count them."""
    category_index: list[int]
    """Index of each of `values` in the encoding; rare ones have the last, out-of-vocabulary."""
    width: int
    """Number of indices; the last is for rare, new and missing categories."""
    offset: int | None = None
    """Added to an index, for columns that share one embedding table; null: one-hot."""


class ScaledColumn(Record):
    """A column or channel of numbers that is clipped and scaled; NaN is unknown."""

    kind: Literal["number"] = "number"
    name: str
    """Name of the column or channel."""
    encoding: Literal["standard", "robust"]
    """robust: outliers were cut off before offset and scale were measured."""
    impute_value: float
    """Stands in for an unknown value: the median of the training split."""
    width: Literal[1] = 1
    """Model inputs that the column becomes."""
    low: float
    """Values below become this one."""
    high: float
    """Values above become this one."""
    offset: float
    """Is subtracted first: the mean of the training split."""
    scale: float
    """Multiplies the difference: 1 / standard deviation of the training split."""


class QuantileColumn(Record):
    """A column or channel of numbers that is encoded by rank, interpolated between knots."""

    kind: Literal["number"] = "number"
    name: str
    """Name of the column or channel."""
    encoding: Literal["quantile"] = "quantile"
    impute_value: float
    """Stands in for an unknown value: the median of the training split."""
    width: Literal[1] = 1
    """Model inputs that the column becomes."""
    knots: list[float]
    """Rising raw values; others are interpolated, and clipped to the first and the last."""
    quantile_values: list[float]
    """Model input at each knot: its rank in the training split, with mean 0 and deviation 1."""


class PiecewiseColumn(Record):
    """A column of numbers that becomes one model input an interval between two edges."""

    kind: Literal["number"] = "number"
    name: str
    """Name of the column."""
    encoding: Literal["piecewise"] = "piecewise"
    impute_value: float
    """Stands in for an unknown value: the median of the training split."""
    width: int
    """Model inputs that the column becomes: one an interval."""
    edges: list[float]
    """Rising raw values; an input is how far into its interval a value is, in [0, 1]."""


Channel = Annotated[ScaledColumn | QuantileColumn, Field(discriminator="encoding")]
NumberColumn = Annotated[
    ScaledColumn | QuantileColumn | PiecewiseColumn, Field(discriminator="encoding")
]
Column = Annotated[CategoryColumn | NumberColumn, Field(discriminator="kind")]


class Sanitize(Record):
    """Input sanitization, before samples are encoded."""

    median: int | None
    """Odd number of neighboring values whose median replaces a value; null: no filter."""
    bit_depth: int | None
    """Bits to which values are reduced; null: they are kept."""
    range: Literal["clip", "abstain", "refuse"]
    """What happens to a sample outside `limits`."""
    limits: list[tuple[float, float] | None] | None
    """Least and greatest raw value of each column, with a margin; null: no limit."""
    levels: list[list[float] | None] | None
    """Rising raw values of each column, the nearest of which replaces a value; null: any."""


class _Entry(Record):
    """The fields of every input."""

    name: str
    """Name of the model's input."""
    shape: list[int]
    """Of one model input, without the batch."""
    raw_dtype: str
    """NumPy's name of the type of raw values."""
    sanitize: Sanitize | None = None
    """Input sanitization; null: none."""


class ImageEntry(_Entry):
    """Images (H, W, C) of whole numbers; a model input is (raw - offset) * scale."""

    kind: Literal["image"] = "image"
    offset: float
    """In the unit of a raw pixel."""
    scale: float
    """1 / the largest value of the raw type, so that model inputs are in [0, 1]."""
    color: Literal["rgb", "gray"]
    """What image files are converted to."""
    background: list[int]
    """Color (R, G, B) behind transparent pixels of image files."""
    value_range: list[float] | None
    """Values of 16-bit and float pixels that become 0 and 255; null: there were none in train."""
    columns: None = None


class TableEntry(_Entry):
    """Numbers of a fixed shape; a model input is (raw - offset) * scale."""

    kind: Literal["table"] = "table"
    offset: float | list[float]
    """Mean of the training split, of all values or of each column."""
    scale: float | list[float]
    """1 / standard deviation of the training split, of all values or of each column."""
    columns: list[str] | None
    """Names along the last axis; null: there are none."""


class _CsvEntry(_Entry):
    """How rows are read from a .csv file."""

    missing: list[str]
    """Cells that state no value."""
    delimiter: str
    """Between two cells."""
    number_format: Literal["plain", "thousands", "decimal_comma"]
    """How numbers are written: 1234.5, 1,234.5 or 1.234,5."""


class ColumnsEntry(_CsvEntry):
    """Rows of numbers and categories; a model input is what their columns become, end to end."""

    kind: Literal["columns"] = "columns"
    strip: str | None
    """Characters that are removed at both ends of a cell; null: white space."""
    columns: list[Column]
    """In the order of raw values."""


class CodesEntry(_CsvEntry):
    """Rows of categories; a model input is an id of an embedding for each column."""

    kind: Literal["codes"] = "codes"
    strip: str | None
    """Characters that are removed at both ends of a cell; null: white space."""
    columns: list[CategoryColumn]
    """In the order of raw values."""
    vocabulary_size: int
    """Number of ids of all columns together."""


class AudioEntry(_Entry):
    """Sound of 16 bits (S,); a model input is its log-mel bands or MFCC (frames, bands, 1)."""

    kind: Literal["audio"] = "audio"
    sample_rate: int
    """Of a recording, in Hz; recordings of another rate are resampled."""
    samples: int
    """Length of a recording; others are cut or padded."""
    every: int | None
    """Samples from one window of a long recording to the next; null: it is one sample."""
    window: int
    """Samples of a frame."""
    stride: int
    """Samples from one frame to the next."""
    fft: int
    """Samples of the Fourier transform."""
    low_hz: float
    """Lower end of the bands."""
    high_hz: float
    """Upper end of the bands."""
    bins: int
    """Number of mel bands."""
    features: Literal["log_mel", "mfcc"]
    """What a frame becomes."""
    coefficients: int | None
    """Cepstral coefficients that are kept; null for log_mel."""
    offset: list[float]
    """Mean of each feature over the training split."""
    scale: list[float]
    """1 / standard deviation of each feature over the training split."""
    columns: None = None


class SeriesEntry(_CsvEntry):
    """Windows of a time series (steps, channels)."""

    kind: Literal["series"] = "series"
    length: int
    """Steps of a window."""
    fit: Literal["resample", "pad", "window"]
    """How a longer or shorter recording becomes samples."""
    stride: int
    """Steps from one window to the next, for fit: window."""
    per_window_standardize: bool
    """Whether each window is standardized by its own mean and deviation, not by `columns`."""
    floor: float
    """Least deviation that a window is divided by, in the unit of raw values."""
    header: bool
    """Whether a .csv file has a line of names."""
    columns: list[Channel]
    """Channels, in order."""


class TokensEntry(_Entry):
    """Texts in UTF-8; a model input is an id for each word or character."""

    kind: Literal["tokens"] = "tokens"
    unit: Literal["words", "characters"]
    """What has an id."""
    lower: bool
    """Whether ASCII letters are lowered first."""
    max_bytes: int
    """A longer text is cut."""
    vocabulary: list[str]
    """Words or characters from id 2 on; 0 is padding, 1 is unknown."""
    vocabulary_size: int
    """Number of ids."""
    columns: None = None


Entry = Annotated[
    ImageEntry | TableEntry | ColumnsEntry | CodesEntry | AudioEntry | SeriesEntry | TokensEntry,
    Field(discriminator="kind"),
]


class AbstentionRule(Record):
    """When the predicted class of one file is left open."""

    temperature: float
    """Divides the log-probabilities."""
    threshold: float
    """A class is likely from this probability on; not exactly one likely class: abstain."""


class Preprocess(Record):
    """preprocess.json: how raw samples become model inputs, and outputs become decisions."""

    json_schema: str = Field(default=SCHEMA_FILE, alias="$schema")
    """File with the JSON schema of this document, in the bundle."""
    schema_version: Literal[2] = Field(default=2, alias="schema")
    """Version of this document's form."""
    task: Task
    """The target of a regression or forecast."""
    labels: list[str] | None
    """Names of the classes by id; null: no classes."""
    inputs: list[Entry]
    """The model's inputs."""
    target: Target | None
    """How outputs become values; null: no values are predicted."""
    anomaly: Decision | None = None
    """How a detector scores and decides, as in decision.json; null: no detector."""
    decision: Threshold | None = None
    """Where a classifier of two classes decides, as in threshold.json; null: at 0.5. Every file has
    it in its last bias, so that nothing is to be done on the device."""
    abstain: dict[str, AbstentionRule] | None = None
    """Format of a file -> when it abstains; null: no file does."""
    detector: dict[str, float] | None = None
    """Format of a file -> limit of the change by squeezing that marks a suspect; null: none."""
