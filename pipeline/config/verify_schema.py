"""Settings of `verify`, `audit`, `gate` and `report`: what is measured, and what must hold."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Count, Section, Share
from pipeline.config.space_schema import AuditReach

Runtime = Literal["litert", "litert-builtin", "tflite-runtime", "tflite-micro", "browser"]


class Verify(Section):
    """Where every file is measured against the reference."""

    runtimes: Annotated[tuple[Runtime, ...], Field(min_length=1)] = ("litert",)
    """What runs every file. litert: by XNNPACK's kernels; litert-builtin: without them, as on CPUs
    that those do not know; tflite-runtime: 2.14, as on a Coral board; tflite-micro: by the plain
    kernels of microcontrollers, with the memory that it needs."""
    split: Literal["validation", "test"] = "test"
    abstain: Annotated[float, Field(gt=0, le=0.5)] | None = None
    """Share of samples whose class may be missed: the device answers `abstain` where not exactly
    one class is likely at that price, so that a person decides; null: it always answers."""


class Audit(AuditReach):
    """Attacks on the files that ship."""

    samples: Count = 1000
    """Samples of `verify.split` that are attacked, at most."""
    epsilon: Annotated[float, Field(gt=0, le=0.5)] | None = None
    """Largest change of a value, in the unit that `harden.attack` has: of images a fraction of
    [0, 1]. null: that of `harden`, else 0.1 for images and no attack on others."""
    steps: Annotated[int, Field(ge=1, le=1000)] = 20
    """Gradient steps of the attack."""
    restarts: Annotated[int, Field(ge=1, le=20)] = 1
    """Random starts; a sample counts as robust when it withstands all of them."""


class Gate(Section):
    """What the shipped file must hold; null: not asked."""

    metric_drop: Annotated[float, Field(ge=0)] | None = 0.01
    """Largest loss of the task's metric against the reference: absolute, relative for errors."""
    agreement: Share | None = 0.98
    """Least share of equal decisions of the file and the reference. Quantities are equal within 1 %
    of the target's range: of an int8 file, whose answer has 255 steps, 0.8 is a fair wish."""
    metric_drop_upper: Annotated[float, Field(ge=0)] | None = None
    """Most that the upper end of the drop's paired 95 % interval may be: a drop that few samples
    cannot tell from none does not hold it."""
    worst_class_drop: Share | None = 0.05
    """Largest loss of recall of any one class."""
    worst_group_drop: Annotated[float, Field(ge=0)] | None = None
    """Largest loss of the metric in any group of `data.report_groups`."""
    output_sqnr_db: float | None = None
    """Least ratio of the answers to what quantization adds to them, in dB."""
    calibration_error: Share | None = None
    """Largest expected calibration error of the probabilities (Guo et al. 2017): how far the share
    of right answers is from how sure the file is."""
    latency_ms: Annotated[float, Field(gt=0)] | None = None
    """Longest inference that a target's compiler estimates, in milliseconds."""
    robust_drop: Share | None = 0.02
    """Largest loss of accuracy under attack against the float reference."""
    float_ops: Annotated[int, Field(ge=0)] | None = 0
    """Most operations that may stay in float in an integer file."""
    runtime_changes: Share | None = 0.005
    """Largest share of decisions that a runtime may make otherwise than LiteRT does; one sample
    always may be."""
    bytes: Count | None = None
    """Largest file: the flash that it takes."""
    arena_bytes: Count | None = None
    """Largest arena, which is the working memory, that tflite-micro needs on a 64-bit machine; a
    32-bit one, whose pointers are half as long, needs about three quarters of it."""


class Report(Section):
    """The page about the run."""

    samples: Annotated[int, Field(ge=0, le=100)] = 16
    """Samples and adversarial examples that are shown."""
