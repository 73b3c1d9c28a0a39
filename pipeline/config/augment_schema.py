"""Settings of `data.augment`: changes made only to training samples."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Count, Fraction, Section

IMAGES, SOUND, SERIES, TABLES = ("image",), ("sound",), ("series",), ("table",)
FITS = {  # kind of a change -> forms of a sample that it is for
    **dict.fromkeys(("translate", "flip", "rotate", "crop", "cutout", "color"), IMAGES),
    **dict.fromkeys(("time_shift", "noise"), SOUND + SERIES),
    **dict.fromkeys(("scale", "time_warp"), SERIES),
    "spec_augment": SOUND,
    "mixup": IMAGES + SOUND + SERIES + TABLES,
}
Half = Annotated[float, Field(gt=0, le=0.5)]
Deviation = Annotated[float, Field(gt=0, le=10)]


class Translate(Section):
    """Shift each image by a random distance, edges filled with zero."""

    kind: Literal["translate"]
    fraction: Half = 0.1
    """Largest shift in each direction, as a fraction of height and width."""
    whole: bool = False
    """By whole pixels, which leaves edges as sharp as they are; else bilinear."""


class Flip(Section):
    """Mirror each image left to right with probability one half."""

    kind: Literal["flip"]


class Rotate(Section):
    """Turn each image about its middle by a random angle, bilinear, edges filled with zero."""

    kind: Literal["rotate"]
    degrees: Annotated[float, Field(gt=0, le=180)] = 15.0
    """Largest angle either way."""


class Crop(Section):
    """Take a random part of each image, bilinear, in the size of the whole."""

    kind: Literal["crop"]
    least: Fraction = 0.7
    """Smallest side of the part, as a fraction of the image's."""


class Cutout(Section):
    """Fill a random square of each image with zero (DeVries and Taylor 2017, arXiv:1708.04552)."""

    kind: Literal["cutout"]
    fraction: Fraction = 0.3
    """Side of the square, as a fraction of the image's shorter side."""


class Color(Section):
    """Change brightness, contrast and, of three channels, saturation at random."""

    kind: Literal["color"]
    brightness: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Largest value that is added, of [0, 1]."""
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Largest change of the factor on the distance to the mean."""
    saturation: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Largest change of the factor on the distance to gray."""


class Mixup(Section):
    """Mix each sample, and its loss, with another of the batch (Zhang et al. 2018)."""

    kind: Literal["mixup"]
    alpha: Annotated[float, Field(gt=0, le=10)] = 0.2
    """Parameter of the Beta distribution of weights: the larger, the more even the mixtures."""


class TimeShift(Section):
    """Shift each sound or series by a random time; what comes in is zero, the usual value."""

    kind: Literal["time_shift"]
    fraction: Half = 0.1
    """Largest shift either way, as a fraction of the length."""


class Noise(Section):
    """Add random noise to each value of a sound's bands or a series (jitter)."""

    kind: Literal["noise"]
    deviation: Deviation = 0.1
    """Of the noise, in deviations of the values."""


class SpecAugment(Section):
    """Blank random stretches of time and of pitch (Park et al. 2019, arXiv:1904.08779)."""

    kind: Literal["spec_augment"]
    time: Fraction = 0.2
    """Longest stretch of time, as a fraction of the length."""
    bands: Fraction = 0.2
    """Widest stretch of pitch, as a fraction of the bands."""
    masks: Count = 1
    """Stretches of either kind."""


class Scale(Section):
    """Multiply each channel of a series by a random factor (Um et al. 2017, arXiv:1706.00527)."""

    kind: Literal["scale"]
    deviation: Fraction = 0.1
    """Of the factor, around 1."""


class TimeWarp(Section):
    """Run faster and slower through each series, smoothly (Um et al. 2017, section 3.2)."""

    kind: Literal["time_warp"]
    strength: Fraction = 0.2
    """Deviation of the speed, around 1."""


Augment = Annotated[
    Translate
    | Flip
    | Rotate
    | Crop
    | Cutout
    | Color
    | Mixup
    | TimeShift
    | Noise
    | SpecAugment
    | Scale
    | TimeWarp,
    Field(discriminator="kind"),
]
