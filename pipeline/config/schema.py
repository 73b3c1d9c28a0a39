"""Every setting: type, default, unit and allowed range. Defaults live in the schema, once.

The sections stand in files of their own, named after them; import every name from here. Sections
are frozen, strict and closed; a variant is chosen by its `kind`. Rules that span sections are in
`rules.py`, because they must be reported together with the mistakes found here.
"""

from typing import Annotated

from pydantic import Field

from pipeline.config.augment_schema import Augment
from pipeline.config.data_schema import Baseline, Data, Sanitize, Split
from pipeline.config.decision_schema import Decision
from pipeline.config.export_schema import Border, Compress, Export, Format, Quantize, Remedy, Target
from pipeline.config.folder_schema import (
    AudioFolderSource,
    ImageFolderSource,
    LogMel,
    Mfcc,
    SeriesFolderSource,
    Sound,
)
from pipeline.config.harden_schema import (
    Adversarial,
    ApgdCe,
    AttackSection,
    Fast,
    Fgsm,
    FgsmMix,
    Harden,
    NFgsm,
    Pgd,
    RsFgsm,
    Trades,
)
from pipeline.config.model_schema import (
    Activation,
    Autoencoder,
    Cnn,
    Cnn1d,
    DsCnn,
    Funnel,
    Mlp,
    Mobilenet,
    Model,
    Perceptron,
    Resnet8,
    Rnn,
    Transformer,
)
from pipeline.config.optimizer_schema import AdamW, Optimizer, Schedule
from pipeline.config.section import (
    Count,
    Fraction,
    Positive,
    Section,
    Share,
    Task,
    TaskMetric,
    Wanted,
)
from pipeline.config.source_schema import (
    BundledSource,
    CsvSource,
    NpzSource,
    SeriesCsvSource,
    Source,
    SplitName,
    TextSource,
    TfdsSource,
    Words,
)
from pipeline.config.train_schema import EarlyStopping, Train
from pipeline.config.tune_schema import Choice, FloatRange, IntRange, Limits, Tune
from pipeline.config.verify_schema import Audit, Gate, Report, Runtime, Verify

__all__ = [
    "Activation",
    "AdamW",
    "Adversarial",
    "ApgdCe",
    "AttackSection",
    "AudioFolderSource",
    "Audit",
    "Augment",
    "Autoencoder",
    "Baseline",
    "Border",
    "BundledSource",
    "Choice",
    "Cnn",
    "Cnn1d",
    "Compress",
    "Config",
    "Count",
    "CsvSource",
    "Data",
    "Decision",
    "DsCnn",
    "EarlyStopping",
    "Export",
    "Fast",
    "Fgsm",
    "FgsmMix",
    "FloatRange",
    "Format",
    "Fraction",
    "Funnel",
    "Gate",
    "Harden",
    "ImageFolderSource",
    "IntRange",
    "Limits",
    "LogMel",
    "Mfcc",
    "Mlp",
    "Mobilenet",
    "Model",
    "NFgsm",
    "NpzSource",
    "Optimizer",
    "Perceptron",
    "Pgd",
    "Positive",
    "Quantize",
    "Remedy",
    "Report",
    "Resnet8",
    "Rnn",
    "RsFgsm",
    "Runtime",
    "Sanitize",
    "Schedule",
    "Section",
    "SeriesCsvSource",
    "SeriesFolderSource",
    "Share",
    "Sound",
    "Source",
    "Split",
    "SplitName",
    "Target",
    "Task",
    "TextSource",
    "TfdsSource",
    "Trades",
    "Train",
    "Transformer",
    "Tune",
    "Verify",
    "Wanted",
    "Words",
]


class Config(Section):
    """One experiment: one file, readable alone, from data to bundle."""

    name: Annotated[
        str,
        Field(pattern=r"^[a-z0-9][a-z0-9_\-]{0,63}$"),
        Wanted("a name of a-z, 0-9, _ and -, at most 64 long, the first a letter or digit"),
    ]
    """Name of the run folder and of the bundle."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Seed of every random choice: split, initial weights, order, augmentation, attacks."""
    task: Task
    """What the model learns."""
    task_metric: TaskMetric = "auto"
    """What a classifier is judged by, from baseline and search to ladder and gates: accuracy
    (auto); macro_f1, the mean over classes, where some are rare; or auc, of two classes the chance
    that a positive scores above a negative, whatever the threshold. Other tasks have one metric."""
    data: Data
    """What is learned from, how it is split and prepared."""
    baseline: Baseline | None = Baseline()
    """Classical models on the same split; null: none."""
    model: Model
    """The model family and its size."""
    tune: Tune | None = None
    """A search of hyper-parameters; null: none."""
    train: Train = Train()
    """How the model is trained."""
    harden: Harden | None = None
    """Fine-tuning on adversarial inputs; null: none."""
    decision: Decision | None = None
    """The threshold of a classifier of two classes; null: the more probable class is predicted."""
    compress: Compress = Compress()
    """Pruning, clustering, and how the model is quantized."""
    export: Export = Export()
    """Which files are written, and for which targets."""
    verify: Verify = Verify()
    """How files are compared with the trained model."""
    audit: Audit | None = Audit()
    """Attacks on the files, privacy and poisoning; null: none."""
    gate: Gate = Gate()
    """Limits that must hold before anything is published."""
    report: Report = Report()
    """What the report and the model card cannot measure."""
