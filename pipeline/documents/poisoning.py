"""The scan of the training set for poison, and the backdoor drill; part of audit.json."""

from pipeline.documents.record import Record

Interval = tuple[float, float]


class ScannedClass(Record):
    """Activation clustering of one class."""

    name: str
    """The class."""
    samples: int
    """Its scanned samples."""
    reason: str | None = None
    """Why it was not scanned; null: it was."""
    cluster_fraction: float | None = None
    """Fraction of samples in the smaller of two clusters, in [0, 0.5]."""
    silhouette: float | None = None
    """Mean silhouette of the two clusters, in [-1, 1]."""
    p_value: float | None = None
    """Rate at which a normal distribution is clustered as clearly; null: not clear enough."""
    is_clustered: bool = False
    """Whether the class has two clusters beyond chance."""
    is_alarm: bool = False
    """Whether a single value separates the smaller cluster from all other samples."""
    relabel_rate: float | None = None
    """Fraction of the smaller cluster that a forest trained without it gives the same label."""
    separation: float | None = None
    """Largest Kolmogorov-Smirnov distance of one value, in [0, 1]; 1 for a fixed trigger."""


class Suspect(Record):
    """A training sample to look at."""

    id: str
    """The sample."""
    label: str
    """Its class."""
    spectral_score: float
    """Squared projection on the main direction of its class, over the mean there."""
    is_in_cluster: bool
    """Whether it is in a cluster that raised an alarm."""


class CleanRates(Record):
    """How the scan does on clean training sets of the shipped configs."""

    classes: int
    """Classes that were scanned."""
    clustered: int
    """Classes with two clusters."""
    alarms: int
    """False alarms."""


class PoisonScan(Record):
    """The scan of the training set."""

    samples: int
    """Training samples that were scanned."""
    training_samples: int
    """Training samples in all."""
    min_silhouette: float
    """Silhouette from which on two clusters are tested."""
    min_separation: float
    """Separation from which on a cluster is an alarm."""
    significance_level: float
    """Fraction of classes without clusters that are reported to have two."""
    clean_rates: CleanRates
    """How the scan does on clean sets."""
    classes: tuple[ScannedClass, ...]
    """A row a class."""
    suspects: tuple[Suspect, ...]
    """The most suspicious samples, those of an alarm first."""


class ModelRates(Record):
    """A rate of the float model and of the file that is made of it."""

    float_model: float
    """Of the float model, in [0, 1]."""
    file: float
    """Of the file, in [0, 1]."""


class ModelIntervals(Record):
    """95 % Wilson intervals of two rates."""

    float_model: Interval
    """Of the float model."""
    file: Interval
    """Of the file."""


class BackdoorTest(Record):
    """A model and its file under a trigger."""

    samples: int
    """Samples of other classes than the target."""
    clean_accuracy: ModelRates
    """Accuracy without the trigger."""
    base_rate: ModelRates
    """Fraction that is classified as the target without the trigger."""
    success_rate: ModelRates
    """Fraction that the trigger turns into the target."""
    success_ci95: ModelIntervals
    """Intervals of the success rates."""
    file_only_rate: float
    """Fraction that the trigger turns in the file and not in the float model."""
    float_only_rate: float
    """Fraction that the trigger turns in the float model and not in the file."""
    agreement: float
    """Fraction of triggered samples with the same decision."""


class PrecisionRecall(Record):
    """How well a defense finds poisoned samples."""

    recall: float | None
    """Recall of poisoned samples, in [0, 1]; null: none was scanned."""
    precision: float | None
    """Precision of suspected samples, in [0, 1]; null: none was suspected."""


class PoisonDetection(Record):
    """The scan of the set that the drill poisoned."""

    samples: int
    """Training samples that were scanned."""
    poisoned: int
    """Poisoned samples among them."""
    is_detected: bool
    """Whether the target class raised an alarm."""
    false_positives: tuple[str, ...]
    """Other classes that raised one."""
    activation_clustering: PrecisionRecall
    """Samples in clusters of an alarm."""
    spectral_signatures: PrecisionRecall
    """Samples with the largest spectral score in the target class."""


class PoisoningDrill(Record):
    """A backdoor that was planted to measure its detection; the shipped model has no part in it."""

    trigger: str
    """The trigger that was added to samples."""
    target: str
    """The class that it was to make."""
    poisoning_rate: float
    """Fraction of the training samples that was poisoned."""
    poisoned: int
    """Number of them."""
    format: str
    """Format of the file."""
    poisoned_model: BackdoorTest
    """The model that was trained on the poisoned set."""
    shipped_model: BackdoorTest
    """The shipped model under the same trigger."""
    detection: PoisonDetection
    """Whether the scan finds it."""


class Poisoning(Record):
    """Poisoning of the training set."""

    scan: PoisonScan | None
    """Null: off, or there are no classes."""
    drill: PoisoningDrill | None
    """Null: off, or there are no classes."""
