"""Settings of sources whose samples are files: pictures, recordings of sound, of sensors."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Classes, Count, Pattern, Positive, Section

Byte = Annotated[int, Field(ge=0, le=255)]
Numbers = Literal["auto", "standard", "robust", "quantile"]
Alike = Literal["merge", "keep"]


class Listing(Section):
    """Columns of a CSV file that lists files; null: the usual names are looked for."""

    file: Annotated[str, Field(min_length=1)] | None = None
    """Name of the CSV file in each part folder (train, valid, test) of `data.source.path`, such as
    _classes.csv: the folder says the part. null: `data.source.path` is the CSV file, if any is."""
    path: str | None = None
    """Column with the name of a file: relative to `folder`, absolute, or the bare name of a file
    anywhere below it. null: the first column that names files."""
    label: str | None = None
    """Column with the class. null: label, class, category and the like, or one column of 0 and 1 a
    class."""
    group: str | None = None
    """Column of what must stay together. null: group, fold, speaker, patient and the like."""
    split: str | None = None
    """Column with the part: train, validation or test. null: split, part, subset and the like."""
    folder: str | None = None
    """Folder of the files, relative to the CSV file; null: that of the CSV file, or the one above
    where it is called metadata or the like."""


class FileSource(Classes):
    """A sample a file: in class folders, with the class in its name, or listed in a CSV file."""

    path: Annotated[str, Field(min_length=1)]
    """A folder of class subfolders, or of train / validation / test folders of class subfolders; a
    .zip or .tar of one; or a CSV file that lists files and labels; relative to the config file."""
    listing: Listing = Listing()
    """Names of the columns of a CSV file."""
    label_pattern: Pattern | None = None
    """Regular expression that finds the class in a file's name below the folder, as its first
    (…): `(normal|anomaly)_id_` in test/anomaly_id_01_00000000.wav. Files then lie in one folder, or
    in train / validation / test folders; null: a folder a class."""
    validation_list: str | None = None
    """File in the folder that names the files of the validation part, one a line, as Speech
    Commands has it; those that no list names are train. For `data.split.by: given`."""
    test_list: str | None = None
    """The same for the test part."""
    labels_alike: Alike | None = None
    """What is done with classes that differ in case, spaces or the form of a number only, such as
    ok and OK: merge them into one, or keep them. null: such classes stop the run."""


class LogMel(Section):
    """The logarithm of the energy in bands of pitch: a picture of the sound."""

    kind: Literal["log_mel"] = "log_mel"
    window_ms: Annotated[float, Field(gt=0, le=1000)] = 32.0
    """Length of the piece of sound behind each row, in milliseconds."""
    stride_ms: Annotated[float, Field(gt=0, le=1000)] = 16.0
    """Milliseconds from one row to the next."""
    bins: Annotated[int, Field(ge=4, le=256)] = 40
    """Bands, evenly spaced on the mel scale."""
    low_hz: Annotated[float, Field(ge=0)] = 20.0
    """Where the lowest band begins."""
    high_hz: Annotated[float, Field(gt=0)] | None = None
    """Where the highest band ends; null: half the sample rate."""


class Mfcc(LogMel):
    """Mel-frequency cepstral coefficients: the cosine transform of the log-mel bands."""

    kind: Literal["mfcc"]  # type: ignore[assignment]
    coefficients: Annotated[int, Field(ge=2, le=256)] = 13
    """How many are kept, the lowest first; at most `bins`."""


class Sound(Section):
    """One length and one rate for all recordings, and what the model sees of them."""

    sample_rate: Annotated[int, Field(ge=1000, le=192_000)] = 16_000
    """Samples a second, to which every recording is brought."""
    seconds: Annotated[float, Field(gt=0, le=600)] = 1.0
    """Length to which every recording is cut, or padded with silence."""
    features: Annotated[LogMel | Mfcc, Field(discriminator="kind")] = LogMel()
    """What the model sees: log_mel or mfcc."""


class ImageFolderSource(FileSource):
    """Images in class subfolders, or in train / validation / test folders of class subfolders."""

    kind: Literal["image_folder"]
    height: Annotated[int, Field(ge=4, le=4096)]
    """Height in pixels to which every image is resized."""
    width: Annotated[int, Field(ge=4, le=4096)]
    """Width in pixels to which every image is resized."""
    color: Literal["rgb", "gray"] = "rgb"
    """Three channels or one."""
    background: tuple[Byte, Byte, Byte] = (255, 255, 255)
    """Red, green and blue that stand behind transparent pixels; the color that a file hides there
    is never seen."""
    value_range: tuple[float, float] | None = None
    """Values of pixels of 16 bits or floats (thermal, depth, X-ray) that become black and white;
    what is beyond is cut. null: fitted to the files of train, where they have such pixels."""


class AudioFolderSource(FileSource):
    """Recordings (.wav, .flac) in class subfolders, or listed in a CSV file; any sample rate."""

    kind: Literal["audio_folder"]
    sound: Sound = Sound()
    """Rate, length and features of the recordings."""
    stride_s: Positive | None = None
    """Seconds from one window to the next, each `sound.seconds` long: a recording is many samples,
    all of them in one part, and the device predicts for each. null: a recording is one sample."""
    unknown: tuple[str, ...] = ()
    """Class folders that are put together into one class `unknown`."""
    silence: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Fraction of samples of a class `silence` that is added: pieces of the recordings in a folder
    `_background_noise_`, as quiet as they come down to nothing."""


class SeriesFolderSource(FileSource):
    """Recordings of sensors, a CSV file each, in class subfolders; of any length."""

    kind: Literal["series_folder"]
    length: Annotated[int, Field(ge=2, le=100_000)]
    """Rows that the model sees."""
    fit: Literal["resample", "pad", "window"] = "resample"
    """resample: stretched to `length`; pad: cut, or the last row repeated; window: pieces of
    `length` rows, `stride` apart, all of a recording in one part."""
    stride: Count | None = None
    """Rows from one window to the next; null: half of `length`."""
    columns: tuple[str, ...] | None = None
    """Columns that the model sees, by the header; null: all columns of the first file."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Between the columns."""
    header: bool = True
    """Whether the first line of a file holds names."""
    numbers: Numbers = "auto"
    """As of csv: how each channel is made even."""
