"""Every setting: type, default, unit and allowed range. Defaults live here and nowhere else.

Sections are frozen, strict and closed; a variant is chosen by its `kind`. Rules that span sections
are in `rules.py`, because they must be reported together with the mistakes found here.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Task = Literal["classification", "regression", "forecasting", "anomaly"]
Format = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
Border = Literal["int8", "uint8", "float32"]
Target = Literal["cpu", "mcu", "coral-edgetpu", "ethos-u55-128"]
Runtime = Literal["litert", "tflite-runtime"]
Remedy = Literal["calibration", "int16x8"]
SplitName = Literal["train", "validation", "test"]


class Section(BaseModel):
    """Base of all sections: closed, frozen, strict, and documented by the docstring under a field."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )


class BundledSource(Section):
    """A real data set that comes inside scikit-learn: nothing is downloaded."""

    kind: Literal["bundled"]
    name: Literal["digits", "breast_cancer", "wine", "diabetes"]
    """digits: 1,797 handwritten 8x8 images; breast_cancer, wine: tables; diabetes: regression."""


class TfdsSource(Section):
    """A set of the TensorFlow Datasets catalogue, by name."""

    kind: Literal["tfds"]
    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+(/[A-Za-z0-9_.\-]+)?(:[0-9.*]+)?$")]
    """Name, optionally with builder config and version: `mnist`, `cats_vs_dogs`, `emnist/letters`."""
    data_dir: str | None = None
    """Where prepared sets lie; null: TFDS_DATA_DIR, else ~/tensorflow_datasets."""
    manual_dir: str | None = None
    """Folder with the files that some sets ask you to download by hand."""
    splits: dict[SplitName, str] = {"train": "train", "test": "test"}
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


Source = Annotated[
    BundledSource | TfdsSource | ImageFolderSource, Field(discriminator="kind")
]


class Split(Section):
    """Which sample is in train, validation or test; calibration is always a part of train."""

    by: Literal["given", "stratified", "random"] = "stratified"
    """given: as the source says (missing parts are cut from train, stratified); stratified: same
    share of every class in every part; random: no regard to labels."""
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


Activation = Literal["relu", "relu6", "sigmoid", "tanh"]


class Cnn(Section):
    """Convolution blocks (convolution, batch normalisation, activation, pooling), then dense layers."""

    kind: Literal["cnn"]
    filters: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32)
    """Output channels of each block."""
    kernel_size: Annotated[int, Field(ge=1, le=15)] = 3
    """Height and width of every kernel, in pixels."""
    strides: Annotated[int, Field(ge=1, le=8)] = 1
    """Step of every convolution, in pixels."""
    padding: Literal["same", "valid"] = "same"
    """same: borders padded with zeros; valid: only whole windows."""
    convolutions: Annotated[int, Field(ge=1, le=4)] = 1
    """Convolutions in a row in each block."""
    pool: Literal["max", "average", "none"] = "max"
    """2x2 pooling at the end of each block."""
    head: Literal["flatten", "global_average"] = "flatten"
    """How the last feature map becomes a vector."""
    dense: tuple[Count, ...] = (64,)
    """Widths of the dense layers before the output."""
    batch_norm: bool = True
    """Batch normalisation after every convolution, which then has no bias."""
    activation: Activation = "relu"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of units dropped before the output layer."""


class Mlp(Section):
    """Dense layers over the flattened input."""

    kind: Literal["mlp"]
    units: tuple[Count, ...] = (64, 32)
    """Widths of the hidden layers."""
    batch_norm: bool = False
    """Batch normalisation after every hidden layer."""
    activation: Activation = "relu"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of units dropped before the output layer."""


Model = Annotated[Cnn | Mlp, Field(discriminator="kind")]

Positive = Annotated[float, Field(gt=0)]


class FloatRange(Section):
    """A real number between two bounds."""

    float: Annotated[tuple[float, ...], Field(min_length=2, max_length=2)]
    """Lowest and highest value."""
    log: bool = False
    """Search the exponent, for rates that span orders of magnitude."""


class IntRange(Section):
    """A whole number between two bounds."""

    int: Annotated[tuple[int, ...], Field(min_length=2, max_length=2)]
    """Lowest and highest value."""
    step: Count = 1


class Choice(Section):
    """One of the listed values."""

    choice: Annotated[tuple[str | float | bool, ...], Field(min_length=2)]


class Limits(Section):
    """What a trial may cost; null: no limit."""

    parameters: Count | None = None
    macs: Count | None = None
    """Multiply-accumulates an inference."""
    bytes: Count | None = None
    """Weights at one byte each."""


class Tune(Section):
    """Hyper-parameter search by KerasTuner over any field of `model` and `train`."""

    tuner: Literal["random"] = "random"
    max_trials: Count = 10
    epochs: Count = 5
    """Epochs a trial."""
    space: Annotated[dict[str, FloatRange | IntRange | Choice], Field(min_length=1)]
    """Dotted path of a field -> what to try: `model.filters.0: {int: [8, 64], step: 8}`."""
    limits: Limits = Limits()


class AdamW(Section):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

    kind: Literal["adamw"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 1e-3
    """Peak rate, at the end of warm-up."""
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.004
    """Share of each kernel taken off a step, times the rate; biases and scales are left alone."""
    clip_norm: Positive | None = None
    """Largest global norm of the gradients over all replicas; null: no clipping."""


class Cosine(Section):
    """Linear warm-up, then a half cosine to zero (Loshchilov and Hutter 2017, arXiv:1608.03983)."""

    kind: Literal["cosine"] = "cosine"
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0


class Constant(Section):
    """The same learning rate all along."""

    kind: Literal["constant"]


Schedule = Annotated[Cosine | Constant, Field(discriminator="kind")]


class EarlyStopping(Section):
    """Stop when the validation loss has stopped falling, and take back the best weights."""

    patience: Count = 10
    """Epochs without improvement."""


class Train(Section):
    """How weights are found."""

    epochs: Count = 20
    loss: Literal["auto", "categorical_crossentropy", "mse", "mae"] = "auto"
    """auto: cross-entropy for classification, mean squared error for regression."""
    optimizer: AdamW = AdamW()
    schedule: Schedule = Cosine()
    early_stopping: EarlyStopping | None = None
    class_weights: Literal["balanced"] | dict[str, Positive] | None = None
    """Weight of each class in the loss: `balanced` (inverse frequency), by name, or none."""
    strategy: Literal["auto", "one_device", "mirrored"] = "auto"
    """auto: mirrored where there are several GPUs, else one device."""


class Fgsm(Section):
    """One signed step from a random start (Wong et al. 2020, arXiv:2001.03994)."""

    kind: Literal["fgsm"]
    epsilon: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """Largest change of a value, as a fraction of the input range [0, 1]."""


class Pgd(Section):
    """Projected gradient descent in the Linf ball (Madry et al. 2018, arXiv:1706.06083)."""

    kind: Literal["pgd"]
    epsilon: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """Largest change of a value, as a fraction of the input range [0, 1]."""
    steps: Annotated[int, Field(ge=1, le=100)] = 7


Attack = Annotated[Fgsm | Pgd, Field(discriminator="kind")]


class Harden(Section):
    """Fine-tuning on clean and adversarial batches."""

    attack: Attack = Pgd(kind="pgd")
    epochs: Count = 5
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    """Peak rate of the fine-tuning; it falls to zero by a half cosine."""
    clean_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Weight of the clean batch in the loss; the adversarial batch has the rest."""


class Quantize(Section):
    """Which rungs the remedy ladder may climb when plain int8 breaks a gate on validation data."""

    remedies: tuple[Remedy, ...] = ("calibration", "int16x8")
    """In order; the first that passes ships."""
    exhaustive: bool = False
    """Measure every rung and ship the smallest that passes."""


class Compress(Section):
    """How the model gets small."""

    prune: None = None
    """Weight pruning: not built yet."""
    cluster: None = None
    """Weight clustering: not built yet."""
    quantize: Quantize = Quantize()


class Export(Section):
    """Which files are made."""

    formats: Annotated[tuple[Format, ...], Field(min_length=1)] = (
        "float32",
        "float16",
        "dynamic",
        "int8",
        "int16x8",
    )
    ships: Literal["auto"] | Format = "auto"
    """The file to load: what the ladder chose, or one by name."""
    io: Border = "int8"
    """Type of input and output of the integer files."""
    targets: tuple[Target, ...] = ("cpu", "mcu", "ethos-u55-128")


class Verify(Section):
    """Where every file is measured against the reference."""

    runtimes: Annotated[tuple[Runtime, ...], Field(min_length=1)] = ("litert",)
    split: Literal["validation", "test"] = "test"


class Audit(Section):
    """Attacks on the files that ship."""

    samples: Count = 1000
    """Samples of `verify.split` that are attacked, at most."""
    epsilon: Annotated[float, Field(gt=0, le=0.5)] | None = None
    """Largest change of a value, as a fraction of [0, 1]; null: that of `harden`, else 0.1."""
    steps: Annotated[int, Field(ge=1, le=1000)] = 20
    """Gradient steps of the attack."""
    restarts: Annotated[int, Field(ge=1, le=20)] = 1
    """Random starts; a sample counts as robust when it withstands all of them."""


class Gate(Section):
    """What the shipped file must hold; null: not asked."""

    metric_drop: Annotated[float, Field(ge=0)] | None = 0.01
    """Largest loss of the task's metric against the reference: absolute, relative for errors."""
    agreement: Annotated[float, Field(ge=0, le=1)] | None = 0.98
    """Least share of equal decisions of the file and the reference."""
    worst_class_drop: Annotated[float, Field(ge=0, le=1)] | None = 0.05
    """Largest loss of recall of any one class."""
    robust_drop: Annotated[float, Field(ge=0, le=1)] | None = 0.02
    """Largest loss of accuracy under attack against the float reference."""
    float_ops: Annotated[int, Field(ge=0)] | None = 0
    """Most operations that may stay in float in an integer file."""
    bytes: Count | None = None
    """Largest file."""


class Report(Section):
    """The page about the run."""

    samples: Annotated[int, Field(ge=0, le=100)] = 16
    """Samples and adversarial examples that are shown."""


class Config(Section):
    """One experiment: one file, readable alone, from data to bundle."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_\-]{0,63}$")]
    """Name of the run folder and of the bundle."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    task: Task
    data: Data
    baseline: Baseline | None = Baseline()
    model: Model
    tune: Tune | None = None
    train: Train = Train()
    harden: Harden | None = None
    compress: Compress = Compress()
    export: Export = Export()
    verify: Verify = Verify()
    audit: Audit | None = Audit()
    gate: Gate = Gate()
    report: Report = Report()
