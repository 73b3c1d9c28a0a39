"""Settings of `data` and `baseline`: sources, split, augmentation, classical models."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Count, Fraction, Section, Wanted

SplitName = Literal["train", "validation", "test"]


class BundledSource(Section):
    """A real data set that comes inside scikit-learn: nothing is downloaded."""

    kind: Literal["bundled"]
    name: Literal["digits", "breast_cancer", "wine", "diabetes"]
    """digits: 1,797 handwritten 8x8 images; breast_cancer, wine: tables; diabetes: regression."""


class TfdsSource(Section):
    """A set of the TensorFlow Datasets catalogue, by name."""

    kind: Literal["tfds"]
    name: Annotated[
        str,
        Field(pattern=r"^[a-z0-9_]+(/[A-Za-z0-9_.\-]+)?(:[0-9.*]+)?$"),
        Wanted("a catalogue name such as mnist, emnist/letters or mnist:3.0.1"),
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
    """Name of the feature that the model answers."""


class ImageFolderSource(Section):
    """Images in class subfolders, or in train / validation / test folders of class subfolders."""

    kind: Literal["image_folder"]
    path: Annotated[str, Field(min_length=1)]
    """The folder, relative to the config file."""
    height: Annotated[int, Field(ge=4, le=4096)]
    """Height in pixels to which every image is resized."""
    width: Annotated[int, Field(ge=4, le=4096)]
    """Width in pixels to which every image is resized."""
    color: Literal["rgb", "gray"] = "rgb"
    """Three channels or one."""


class CsvSource(Section):
    """A table: a row a sample; one column is answered, the others hold numbers or categories."""

    kind: Literal["csv"]
    path: Annotated[str, Field(min_length=1)]
    """The file, relative to the config file; the training part where others are given."""
    validation_path: str | None = None
    """The validation part, for `data.split.by: given`."""
    test_path: str | None = None
    """The test part, for `data.split.by: given`."""
    label: Annotated[str, Field(min_length=1)]
    """Column that the model answers."""
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
    numbers: Literal["auto", "standard", "robust", "quantile"] = "auto"
    """standard: mean 0, deviation 1; robust: cut at the 0.5 and 99.5 % quantile before; quantile:
    spread evenly by rank, for heavy tails; auto: chosen for each column by its values."""


Source = Annotated[
    BundledSource | TfdsSource | ImageFolderSource | CsvSource, Field(discriminator="kind")
]


class Split(Section):
    """Which sample is in train, validation or test; calibration is always a part of train."""

    by: Literal["given", "stratified", "random", "group"] = "stratified"
    """given: as the source says (missing parts are cut from train, stratified); stratified: same
    share of every class in every part; random: no regard to labels; group: what the source says
    belongs together (a speaker, a machine) stands in one part alone."""
    test: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of all samples; unused where the source gives a test part."""
    validation: Fraction = 0.1
    """Share of the samples that are not test; unused where the source gives a validation part."""


class Translate(Section):
    """Shift each image by a random distance, bilinear, edges filled with zero."""

    kind: Literal["translate"]
    fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """Largest shift in each direction, as a fraction of height and width."""


class Flip(Section):
    """Mirror each image left to right with probability one half."""

    kind: Literal["flip"]


Augment = Annotated[Translate | Flip, Field(discriminator="kind")]


class Data(Section):
    """Where samples come from and how they are cut into parts."""

    source: Source
    split: Split = Split()
    batch_size: Annotated[int, Field(ge=1, le=65536)] = 64
    """Samples a training step, over all replicas."""
    calibration_samples: Annotated[int, Field(ge=1, le=100_000)] = 256
    """Training samples whose activations set the integer ranges."""
    augment: tuple[Augment, ...] = ()
    """Changes made to training images only, in this order."""


class Baseline(Section):
    """Classical models on the same split."""

    max_samples: Count = 20_000
    """Training samples at most, drawn evenly: above it trees and solvers get slow, not better."""
