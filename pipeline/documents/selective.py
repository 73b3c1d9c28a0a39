"""Parts of parity.json: when the device abstains, and what it does to a sample before the model."""

from pipeline.documents.record import Record


class AbstentionResult(Record):
    """A rule of abstention, and what it does on the samples of `verify.split`."""

    temperature: float
    """Divides the logits before the softmax."""
    threshold: float
    """Smallest scaled probability of a class in the prediction set."""
    coverage: float
    """Coverage: fraction of samples without abstention, in [0, 1]."""
    selective_error: float
    """Error rate of the samples without abstention; 0 where there are none."""
    error: float
    """Fraction of all samples that would be wrong without abstention."""
    set_coverage: float
    """Fraction of samples whose class is in the prediction set; at least 1 - alpha is promised."""


class Abstention(Record):
    """Selective prediction by split-conformal prediction sets."""

    alpha: float
    """Fraction of samples whose class may be missing from the prediction set."""
    samples: int
    """Validation samples that the rules were fitted on."""
    models: dict[str, AbstentionResult]
    """reference or format -> rule and result."""


class DetectorResult(Record):
    """The detector of adversarial inputs on honest samples."""

    limit: float
    """Distance of the two outputs above which a sample is suspect, in [0, 2]."""
    validation_false_positive_rate: float
    """Fraction of validation samples that are suspect."""
    false_positive_rate: float
    """Fraction of the samples of `verify.split` that are suspect."""
    coverage: float
    """Coverage: fraction of samples without abstention, in [0, 1]."""
    selective_error: float
    """Error rate of the samples without abstention; 0 where there are none."""
    error: float
    """Fraction of all samples that would be wrong without the detector."""


class SanitizedFile(Record):
    """One file with and without feature squeezing."""

    metric: float
    """The task's metric with squeezing."""
    unsqueezed: float
    """The task's metric without."""
    detector: DetectorResult | None
    """The detector; null: there is none."""


class Sanitization(Record):
    """Input sanitization on the device: feature squeezing, and values out of range."""

    median: int | None
    """Width of the median filter, in values; null: none."""
    bit_depth: int | None
    """Bits that a value keeps; null: all."""
    range: str
    """What happens to a sample out of range: clip, abstain or refuse."""
    is_squeezed: bool
    """Whether values are changed."""
    out_of_range: float
    """Fraction of samples far from what the model was trained on, in [0, 1]."""
    false_positive_rate: float | None
    """Fraction of honest samples that the detector may suspect; null: no detector."""
    samples: int
    """Validation samples that set its limit."""
    files: dict[str, SanitizedFile]
    """Format -> result."""
