"""Settings of `data.source`: one section for each form in which people have their samples."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.folder_schema import (
    Alike,
    AudioFolderSource,
    ImageFolderSource,
    Numbers,
    SeriesFolderSource,
    Sound,
)
from pipeline.config.section import Classes, Count, Positive, Section, Wanted

SplitName = Literal["train", "validation", "test"]


class BundledSource(Classes):
    """A real data set that comes inside scikit-learn: nothing is downloaded."""

    kind: Literal["bundled"]
    name: Literal["digits", "breast_cancer", "wine", "diabetes"]
    """digits: 1,797 handwritten 8x8 images; breast_cancer, wine: tables; diabetes: regression."""


class Words(Section):
    """How a text becomes a row of numbers."""

    unit: Literal["words", "characters"] = "words"
    """words: runs of letters and digits, and each punctuation mark; characters: one by one."""
    vocabulary: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    """Most frequent words or characters of train that have a number of their own."""
    length: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Words or characters of a text that the model sees, from its beginning."""
    lower: bool = True
    """Whether A and a are the same; letters beyond ASCII keep their case."""
    max_bytes: Annotated[int, Field(ge=16, le=1_000_000)] = 4096
    """Bytes of a text that are kept at most; what is longer is cut."""


class TfdsSource(Classes):
    """A set of the TensorFlow Datasets catalog, by name."""

    kind: Literal["tfds"]
    name: Annotated[
        str,
        Field(pattern=r"^[a-z0-9_]+(/[A-Za-z0-9_.\-]+)?(:[0-9.*]+)?$"),
        Wanted("a catalog name such as mnist, emnist/letters or mnist:3.0.1"),
    ]
    """Name, optionally with builder config and version: `mnist`, `emnist/letters`."""
    data_dir: str | None = None
    """Where prepared sets lie; null: TFDS_DATA_DIR, else ~/tensorflow_datasets."""
    manual_dir: str | None = None
    """Folder with the files that some sets ask you to download by hand."""
    splits: dict[SplitName, str] = {"train": "train", "test": "test"}  # noqa: RUF012 pydantic copies it
    """Our split -> TFDS split, for `data.split.by: given`; slices such as `train[:80%]` work."""
    inputs: Annotated[tuple[str, ...], Field(min_length=1)] = ("image",)
    """Names of the features that go into the model."""
    label: str = "label"
    """Name of the feature that the model predicts."""
    name_feature: str | None = None
    """Feature that names a sample, such as `audio/filename`; split patterns look at it."""
    sound: Sound | None = None
    """How an audio feature is heard; null: the defaults of an audio feature, at its own rate."""
    words: Words = Words()
    """How a text feature is read."""


class CsvSource(Classes):
    """A table: a row a sample; one column is predicted, the others hold numbers or categories."""

    kind: Literal["csv"]
    path: Annotated[str, Field(min_length=1)]
    """The file, relative to the config file; the training part where others are given."""
    validation_path: str | None = None
    """The validation part, for `data.split.by: given`."""
    test_path: str | None = None
    """The test part, for `data.split.by: given`."""
    label: Annotated[str, Field(min_length=1)]
    """Column that the model predicts."""
    labels_alike: Alike | None = None
    """What is done with labels that differ in case, spaces or the form of a number only, such as ok
    and OK, or 1 and 1.0 beside True: merge them into one class, or keep them. null: such labels
    stop the run."""
    columns: tuple[str, ...] | None = None
    """Names of the columns of a file without a header; null: its first line has them."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """What stands between two cells; "\\t" for a tab."""
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    """How the file's bytes spell text."""
    missing: tuple[str, ...] = ("", "?", "NA", "N/A", "NaN", "nan", "null", "None")
    """What stands in a cell whose value is not known."""
    strip: str = " "
    """Characters that are cut off both ends of every cell."""
    drop: tuple[str, ...] = ()
    """Columns that are left out."""
    categorical: tuple[str, ...] = ()
    """Columns that hold categories though they look like numbers, such as a postal code."""
    group: str | None = None
    """Column of what must stay together, for `data.split.by: group`; it is no input."""
    split: str | None = None
    """Column with the part of each row, for `data.split.by: given`: train, validation or test, or
    another usual word for one; it is no input."""
    categories: Literal["one_hot", "embedding"] = "one_hot"
    """one_hot: a column for each category that is not rare; embedding: a vector that is learned,
    for columns of many categories."""
    time: str | None = None
    """Column with the moment of each row, for `data.split.by: time`: a date, or a number; it is no
    input."""
    time_format: str | None = None
    """How moments are written, such as `%d/%m/%Y %H:%M`; null: it is found."""
    numbers: Literal["auto", "standard", "robust", "quantile", "piecewise"] = "auto"
    """standard: mean 0, deviation 1; robust: cut at the 0.5 and 99.5 % quantile before; quantile:
    spread evenly by rank, for heavy tails; auto: one of these for each column, by its values.
    piecewise: up to 32 numbers a column, one for each stretch of its values, which a network learns
    most from."""


class SeriesCsvSource(Classes):
    """Timestamped series, in one CSV file or many, cut into windows."""

    kind: Literal["series_csv"]
    path: Annotated[str, Field(min_length=1)]
    """A file, or a pattern of files such as data/**/*.csv, relative to the config file; each file
    is a series of its own; the training part where
    others are given."""
    validation_path: str | None = None
    """The validation part, a file or a pattern, for `data.split.by: given`."""
    test_path: str | None = None
    """The test part, a file or a pattern, for `data.split.by: given`."""
    timestamp: Annotated[str, Field(min_length=1)] = "timestamp"
    """Column with the moment: a date and time of day, or seconds."""
    time_of_day: str | None = None
    """Column with the time of day, where `timestamp` holds the date alone."""
    time_format: str | None = None
    """How moments are written, such as `%d/%m/%Y %H:%M`, as Python's strptime takes it. null: it is
    found; dates in which day and month may be exchanged stop the run."""
    series: tuple[str, ...] = ()
    """Columns that say which series a row is of, such as [user, activity]: where one of them
    changes, a new series begins, and no window crosses."""
    group: str | None = None
    """Column of what must stay together, such as a user, for `data.split.by: group`. null: a
    file."""
    split: str | None = None
    """Column with the part of each row, for `data.split.by: given`: train, validation or test, or
    another usual word for one; no window crosses a change."""
    max_gap_s: Positive | None = None
    """Seconds between two rows beyond which no window may reach. null: windows cross gaps."""
    values: Annotated[tuple[str, ...], Field(min_length=1)] = ("value",)
    """Columns that the model sees."""
    label: str | None = None
    """Column that is predicted for each window: the value of its last row. null: windows_path
    decides, or the first of `values` is forecast."""
    labels_alike: Alike | None = None
    """What is done with labels that differ in case, spaces or the form of a number only, such as ok
    and OK, or 1 and 1.0 beside True: merge them into one class, or keep them. null: such labels
    stop the run."""
    windows_path: str | None = None
    """JSON file: name of each file -> list of [start, end] of anomalies; a window that touches one
    is of the class `anomaly`, the others of `normal`."""
    window: Annotated[int, Field(ge=2, le=100_000)]
    """Rows that the model sees."""
    stride: Count = 1
    """Rows from one window to the next."""
    horizon: Count = 1
    """Rows from the end of a window to the value that is forecast."""
    relative: bool = False
    """Whether each window is seen relative to its own mean and deviation, so that series of
    different levels look alike."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Between the columns."""
    missing: tuple[str, ...] = ("", "NA", "NaN", "nan", "null")
    """What stands in a cell whose value is not known."""
    numbers: Numbers = "auto"
    """As of csv: how each channel is made even."""


class TextSource(Classes):
    """Texts with a label each, in a CSV or tab-separated file."""

    kind: Literal["text"]
    path: Annotated[str, Field(min_length=1)]
    """The file, relative to the config file; the training part where others are given."""
    validation_path: str | None = None
    """The validation part, for `data.split.by: given`."""
    test_path: str | None = None
    """The test part, for `data.split.by: given`."""
    text: str = "text"
    """Column of the text."""
    label: str = "label"
    """Column that the model predicts."""
    labels_alike: Alike | None = None
    """What is done with labels that differ in case, spaces or the form of a number only, such as ok
    and OK, or 1 and 1.0 beside True: merge them into one class, or keep them. null: such labels
    stop the run."""
    columns: tuple[str, ...] | None = None
    """Names of the columns of a file without a header; null: its first line has them."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """What stands between two cells; "\\t" for a tab."""
    quotes: bool = True
    """Whether a cell may stand in double quotes, as in CSV; false: quotes are part of the text."""
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    """How the file's bytes spell text."""
    group: str | None = None
    """Column of what must stay together, for `data.split.by: group`."""
    split: str | None = None
    """Column with the part of each row, for `data.split.by: given`: train, validation or test, or
    another usual word for one; it is no input."""
    words: Words = Words()
    """Vocabulary and length of a sample."""


class NpzSource(Classes):
    """Arrays in a .npz file: samples along the first axis of each."""

    kind: Literal["npz"]
    path: Annotated[str, Field(min_length=1)]
    """The file, relative to the config file. Arrays called <name>_train, <name>_validation and
    <name>_test are parts, for `data.split.by: given`."""
    inputs: Annotated[tuple[str, ...], Field(min_length=1)] = ("x",)
    """Names of the arrays that go into the model: whole numbers of 8 or 16 bits (N, H, W[, C]) are
    images, numbers (N, C) a table, (N, T, C) series."""
    label: str = "y"
    """Name of the array that is predicted: whole numbers are classes, or regression values."""
    group: str | None = None
    """Name of the array of what must stay together, for `data.split.by: group`."""
    numbers: Numbers = "auto"
    """As of csv: how each column or channel is made even."""


Source = Annotated[
    BundledSource
    | TfdsSource
    | ImageFolderSource
    | AudioFolderSource
    | SeriesFolderSource
    | CsvSource
    | SeriesCsvSource
    | TextSource
    | NpzSource,
    Field(discriminator="kind"),
]
