"""Settings of `data` and `baseline`: split, sanitising, classical models; sources have a file."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.config.augment_schema import Augment
from pipeline.config.section import Count, Fraction, Pattern, Section, Wanted
from pipeline.config.source_schema import Source


class Split(Section):
    """Which sample is in train, validation or test; calibration is always a part of train."""

    by: Literal["given", "stratified", "random", "group", "time"] = "stratified"
    """given: as the source says (missing parts are cut from train, stratified, or by time where
    samples are windows of a timestamped series); stratified: same fraction of every class in every
    part; random: no regard to labels; group: what belongs together
    (a speaker, a machine) is in only one part; time: train is the oldest, test the newest.
    Groups that the source or `pattern` names are never cut, save by given and time; windows of one
    recording never are."""
    pattern: Pattern | None = None
    """Regular expression that finds the group in a sample's name, as its first (…):
    `_([a-z]+)_` finds the speaker in 7_jackson_3.wav."""
    test_pattern: Pattern | None = None
    """Regular expression: the samples whose name it finds are the test part."""
    test: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Fraction of all samples; unused where the source gives a test part."""
    validation: Fraction = 0.1
    """Fraction of the samples outside test; unused where the source gives a validation part."""


def _is_odd(window: int) -> int:
    """Refuse a window without a middle."""
    if window % 2 == 0:
        raise ValueError(f"wanted an odd number, so that it has a middle; came {window}")
    return window


Window = Annotated[int, Field(ge=3, le=15), AfterValidator(_is_odd), Wanted("3, 5, 7, … 15")]


class Sanitize(Section):
    """What is done to a raw sample before anything else, in training and on the device alike.

    What squeezes a sample takes room from an attacker (feature squeezing: Xu et al. 2018,
    arXiv:1704.01155); unlike there the network is trained on what is squeezed.
    """

    bit_depth: Annotated[int, Field(ge=1, le=8)] | None = None
    """Bits that are left of a value: of pixels, of sound around silence; of numbers as many levels,
    spread over what train holds. null: all."""
    median: Window | None = None
    """Side of the window whose median each value becomes: over rows and columns of a picture, over
    time of sound and series. null: none."""
    range: Literal["clip", "abstain", "refuse"] = "clip"
    """What the device does with numbers far outside of train (by more than train's own spread), and
    with a text without a known word. clip: it predicts, with the number cut to the limit;
    abstain: its decision is `abstain`; refuse: it stops with an error."""


class Data(Section):
    """Where samples come from and how they are cut into parts."""

    source: Source
    """Where the samples come from."""
    split: Split = Split()
    """How samples are split into train, validation and test."""
    batch_size: Annotated[int, Field(ge=1, le=65536)] = 64
    """Samples a training step, over all replicas."""
    calibration_samples: Annotated[int, Field(ge=1, le=100_000)] = 256
    """Training samples whose activations set the integer ranges."""
    sanitize: Sanitize = Sanitize()
    """Feature squeezing of the input, in training and on the device; null: none."""
    augment: tuple[Augment, ...] = ()
    """Changes made to training samples only, in this order; each is for some kinds of input."""
    normal: tuple[str, ...] = ("normal",)
    """Classes that count as normal, for `task: anomaly`; all others are anomalies. Only what is
    normal is trained on."""
    unlabeled: Annotated[str, Field(min_length=1)] | None = None
    """Class, folder or word that means that a sample has no label: such samples are for
    `train.pretrain`."""
    labeled: Count | None = None
    """Training samples that keep their label, of every class; the others are used as if they had
    none. null: all keep it."""
    report_groups: str | None = None
    """Column of a csv or text source, or `group`, for metrics per group."""


class Baseline(Section):
    """Classical models on the same split."""

    max_samples: Count = 20_000
    """Training samples at most, drawn evenly: above it trees and solvers get slow, not better."""
    interpretable: bool = False
    """Whether people must be able to read how it decides: adds a tree of as few questions as do."""
