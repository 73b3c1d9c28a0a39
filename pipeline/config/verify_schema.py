"""Settings of `verify`, `audit`, `gate` and `report`: what is measured, and what must hold."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Count, Section, Share
from pipeline.config.space_schema import AuditReach

Runtime = Literal[
    "litert", "litert-builtin", "tflite-runtime", "tflite-micro", "browser", "compiled-model",
    "openvino", "tosa", "hexagon",
]  # fmt: skip


class Verify(Section):
    """Where every file is measured against the reference."""

    runtimes: Annotated[tuple[Runtime, ...], Field(min_length=1)] = ("litert",)
    """What runs every file. litert: by XNNPACK's kernels; litert-builtin: without them, as on CPUs
    that those do not know; tflite-runtime: 2.14, as on a Coral board; tflite-micro: by the plain
    kernels of microcontrollers, with the memory that it needs; compiled-model: the successor of
    LiteRT's interpreter; openvino: Intel's runtime; tosa: the reference model of Arm's TOSA;
    hexagon: Qualcomm's NPU, emulated by Qualcomm's library. `make runtimes` installs the last
    three."""
    split: Literal["validation", "test"] = "test"
    """The samples that files are compared on."""
    abstain: Annotated[float, Field(gt=0, le=0.5)] | None = None
    """Fraction of samples whose class may be missed: the device abstains unless the conformal
    prediction set at that level has exactly one class; null: it never abstains."""
    detector: Annotated[float, Field(gt=0, le=0.5)] | None = None
    """False positive rate of a detector of adversarial examples: the device predicts each sample
    with and without `data.sanitize`, and abstains where the outputs are too far apart; null: there
    is no detector, and it predicts once. 0.05 is usual."""


class PoisoningDrill(Section):
    """Poison the training set in memory, train, quantize; measure backdoor and detection."""

    share: Annotated[float, Field(gt=0, le=0.3)] = 0.05
    """Of the training samples, that get the trigger and the target as label."""
    target: str | None = None
    """Name of the class that the trigger is to make; null: the first."""
    epochs: Count | None = None
    """Of the training; null: as many as `train.epochs`."""


class Audit(AuditReach):
    """Attacks on the files that ship."""

    samples: Count = 1000
    """Samples of `verify.split` that are attacked, at most."""
    norm: Literal["linf", "l2"] = "linf"
    """How a change is measured: by its largest value, or by the length of all together."""
    epsilon: Annotated[float, Field(gt=0, le=100)] | None = None
    """Largest change, in the unit that `harden.attack` has: of pictures values are in [0, 1]; under
    linf at most 0.5. null: that of `harden`, else for pictures 0.1, under l2 1, and no attack on
    others."""
    steps: Annotated[int, Field(ge=1, le=1000)] = 20
    """Gradient steps of each attack."""
    restarts: Annotated[int, Field(ge=1, le=20)] = 1
    """Random starts of each loss (cross-entropy and margin); a sample counts as robust when
    all of them fail."""
    square_queries: Annotated[int, Field(ge=0, le=100_000)] = 500
    """Queries of the search without gradients (Square attack) for each sample that gradient attacks
    leave correctly classified; 0: no search."""
    membership_samples: Count | None = 2000
    """Most training samples, and as many of `verify.split`, of the membership inference; a false
    positive rate of 0.001 needs 1,000. null: not tried."""
    shadow_models: Annotated[int, Field(ge=4, le=256, multiple_of=2)] | None = None
    """Shadow models, which show the outputs for training samples (LiRA); each takes as long as
    `train`. null: none."""
    extraction_queries: Annotated[int, Field(ge=100)] | None = None
    """Most queries to the shipped model, on whose outputs a surrogate is trained; null: none."""
    poisoning_scan: bool = True
    """Whether to look for groups in the classes of the training set."""
    poisoning_drill: PoisoningDrill | None = None
    """Measure a planted backdoor; null: not tried."""


class Gate(Section):
    """Limits that the shipped file must meet; null: no limit. `pipeline.gate.gates` reads them."""

    gain_over_trivial: float | None = 0.0
    """By how much the file's metric must be better than that of every prediction without a model;
    equal fails. These are the most frequent class; the mean and the median of the training targets;
    no change, and the value one season ago, for a forecast; a guess for an anomaly detector.
    Absolute, relative for errors."""
    skill_lower: float | None = 0.0
    """What the lower end of the 95 % interval of the skill must be above. Skill is 0 for guesses
    and 1 for perfect predictions: Cohen's kappa of classes, 2 AUC - 1 of scores, R2 of values, 1
    less the relative error of forecasts. Too few samples fail it: they show nothing."""
    missing_classes: tuple[str, ...] | None = ()
    """Classes, by name, that may have no sample on `verify.split`, or that the file may never
    predict there; any other such class fails. null: every class may."""
    metric_drop: Annotated[float, Field(ge=0)] | None = 0.01
    """Largest loss of the task's metric against the reference: absolute, relative for errors."""
    auc_drop: Annotated[float, Field(ge=0)] | None = 0.01
    """Largest loss of the area under the ROC curve of two classes, or of an anomaly detector's
    scores. Decisions may all stay while int8 makes scores equal that the reference tells apart."""
    decision_drop: Annotated[float, Field(ge=0)] | None = None
    """Largest loss of F1 of the positive class against the reference, at the threshold of
    `decision`."""
    agreement: Share | None = 0.98
    """Smallest fraction of samples on which the file and the reference decide the same. Values of a
    regression or forecast count as the same within a quarter of the reference's own RMSE."""
    min_metric: float | None = None
    """Smallest value of the task's metric, where higher is better."""
    max_error: Annotated[float, Field(ge=0)] | None = None
    """Largest value of the task's metric, where lower is better: the error of a forecast."""
    min_recording_auc: Share | None = None
    """Smallest AUC of an anomaly detector over whole recordings. The score of a recording is the
    mean over its windows. With `data.report_groups`: the mean AUC over the groups."""
    metric_drop_upper: Annotated[float, Field(ge=0)] | None = None
    """Largest upper end of the paired 95 % interval of the metric drop. Too few test samples fail
    it, because they cannot show that the drop is small."""
    worst_class_drop: Share | None = 0.05
    """Largest loss of recall of any one class."""
    worst_group_drop: Annotated[float, Field(ge=0)] | None = None
    """Largest loss of the metric in any group of `data.report_groups`."""
    output_sqnr_db: float | None = None
    """Smallest signal-to-quantization-noise ratio of the outputs, in dB."""
    calibration_error: Share | None = None
    """Largest expected calibration error of the probabilities (ECE, Guo et al. 2017)."""
    latency_ms: Annotated[float, Field(gt=0)] | None = None
    """Largest latency of one inference that a target's compiler estimates, in milliseconds."""
    min_robust_accuracy: Share | None = None
    """Smallest accuracy under all attacks of the audit together."""
    robust_drop: Share | None = 0.02
    """Largest loss of robust accuracy against the float reference. Where there is an audit, its
    checks that the attacks are sound must pass whatever this says."""
    robust_drop_upper: Annotated[float, Field(ge=0)] | None = None
    """Largest upper end of the paired 95 % interval of that loss."""
    float_ops: Annotated[int, Field(ge=0)] | None = 0
    """Largest number of operations that may stay in float in an integer file."""
    max_runtime_disagreement: Share | None = 0.005
    """Largest fraction of samples on which another runtime may decide differently from LiteRT; one
    sample is always allowed."""
    device_code: Annotated[int, Field(ge=0)] | None = 0
    """Largest number of samples that the C library in the bundle's `device/` prepares or decides
    otherwise than run_on_device.py; left out where no C compiler is."""
    bytes: Count | None = None
    """Largest size of the file, in bytes of flash."""
    arena_bytes: Count | None = None
    """Largest arena (working memory) that tflite-micro needs on a 64-bit machine. A 32-bit machine
    has pointers of half the length and needs about three quarters of it."""


class Report(Section):
    """The page about the run, and the model card."""

    samples: Annotated[int, Field(ge=0, le=100)] = 16
    """Samples and adversarial examples that are shown."""
    intended_use: str | None = None
    """What the model is for, and whom, in a sentence or two of the model card."""
    out_of_scope: str | None = None
    """What it must not be used for."""
    license: str | None = None
    """Of the model: a name such as Apache-2.0, or a sentence."""
    data_license: str | None = None
    """Of the data that it learned from."""
    contact: str | None = None
    """Whom to ask, or to tell of a mistake."""
