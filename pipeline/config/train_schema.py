"""Settings of `train`; those of optimizer and schedule have a file of their own."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from pipeline.config.model_schema import Model
from pipeline.config.optimizer_schema import AdamW, Cosine, Optimizer, Schedule
from pipeline.config.section import Count, Fraction, Positive, Section, Share

Loss = Literal[
    "auto",
    "categorical_crossentropy",
    "binary_crossentropy",
    "focal",
    "generalized_crossentropy",
    "perceptron",
    "mse",
    "mae",
    "huber",
]


class Freeze(Section):
    """Fine-tuning of a trained network: first only the last layer, then the others, too.

    Batch normalization keeps the statistics it came with, all along.
    """

    epochs: Count = 5
    """Of `train.epochs`, those that train only the last layer, at the peak rate."""
    rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Factor on the peak rate after that, when the schedule begins."""
    kept: Annotated[int, Field(ge=0)] = 0
    """How many layers with weights, from the input on, stay frozen to the end."""


class Pretrain(Section):
    """Learn to reconstruct the input first, from samples with and without a label."""

    epochs: Count = 20
    """Of its own, before `train.epochs`; optimizer and schedule are the same."""
    compare: bool = True
    """Train the same network without, too, and write down what pre-training gained."""


class Distill(Section):
    """Learn from a larger network, the teacher, which is trained first (Hinton et al. 2015)."""

    teacher: Model
    """A `model` section."""
    epochs: Count | None = None
    """Of the teacher; null: as many as `train.epochs`."""
    temperature: Annotated[float, Field(ge=1, le=100)] = 1.0
    """Softens the teacher's probabilities, so that those of wrong classes count more. With 4, every
    measured network of a few thousand weights was less accurate than without a teacher."""
    weight: Share = 0.9
    """Of the teacher in the loss; the labels have the rest. Samples without a label (data.labeled,
    data.unlabeled) are learned only from the teacher."""
    compare: bool = True
    """Train the same network without a teacher, too, and write down what it gained."""


class RateScaling(Section):
    """Rates that were tuned for one batch size, used with another.

    With many devices `data.batch_size`, which all of them share, is made larger; the rates of
    `train`, `harden` and `compress` grow with it.
    """

    rule: Literal["linear", "sqrt"] = "linear"
    """linear: by as much as the batch, after some `warmup_epochs` (Goyal et al. 2017,
    arXiv:1706.02677). sqrt: by its root, for Adam and its kin."""
    batch: Count
    """The `data.batch_size` that the rates were tuned for."""


class EarlyStopping(Section):
    """Stop when the validation loss has stopped falling, and take back the best weights."""

    patience: Count = 10
    """Epochs without improvement."""


def _which_weights(value: object) -> str:
    """Return the tag of the form in which class weights are given."""
    return "by_class" if isinstance(value, dict) else "by_name"


ClassWeights = Annotated[
    Annotated[Literal["balanced"], Tag("by_name")]
    | Annotated[dict[str, Positive], Tag("by_class")],
    Discriminator(_which_weights),
]


class Train(Section):
    """How weights are trained."""

    epochs: Annotated[int, Field(ge=0)] = 20
    """0: a network from a file keeps the weights that it came with, and nothing is trained."""
    loss: Loss = "auto"
    """auto: cross-entropy for classification, mean squared error for regression. binary: of two
    classes. focal: less of samples that are right already, where classes are very uneven.
    generalized: less of samples that stay wrong, where labels are or a net is too small. huber:
    squared near zero, absolute far off. perceptron: what a wrong sample is wrong by; with plain
    sgd, batches of one, a constant rate of 1 and a perceptron it is Rosenblatt's own rule."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Fraction of the label that cross-entropy spreads over all classes."""
    focal_gamma: Annotated[float, Field(ge=0, le=10)] = 2.0
    """How little correctly classified samples count in the focal loss."""
    generalized_q: Annotated[float, Field(gt=0, le=1)] = 0.7
    """How little misclassified samples count in the generalized cross-entropy: near 0 as in
    cross-entropy; at 1 as in the mean absolute error, which learns slowly, or not at all."""
    huber_delta: Positive = 1.0
    """Error at which huber goes over from squared to absolute, in deviations of the target."""
    optimizer: Optimizer = AdamW()
    """The optimizer with its learning rate."""
    schedule: Schedule = Cosine()
    """How the learning rate changes over the epochs."""
    early_stopping: EarlyStopping | None = None
    """When to stop before the last epoch; null: never."""
    freeze: Freeze | None = None
    """Which layers are frozen at first; null: none."""
    pretrain: Pretrain | None = None
    """For an autoencoder whose code a classifier or a regression stands on."""
    class_weights: ClassWeights | None = None
    """Weight of each class in the loss: `balanced` (inverse frequency), by name, or none."""
    oversample: bool = False
    """Show samples of rare classes more often, so that every class counts the same."""
    ema: Fraction | None = None
    """Weight of the old in a running mean of the weights, such as 0.999; the mean is what is
    validated and kept (Polyak and Juditsky 1992). null: the weights themselves."""
    precision: Literal["auto", "float32", "mixed_bfloat16"] = "auto"
    """Of computation in training: auto is mixed_bfloat16 on a TPU and on GPUs that have it, else
    float32. Weights, and all files, stay float32."""
    range_test: bool = False
    """Try rates from small to large first (Smith 2017, arXiv:1506.01186) and take the one where the
    loss falls best as the peak, instead of `optimizer.learning_rate`."""
    distill: Distill | None = None
    """A larger teacher; null: none."""
    learning_curve: bool = False
    """Train on a tenth and on 30 % of the samples, too: whether more data or another size of the
    network would help. It takes about twice as long again."""
    rate_scaling: RateScaling | None = None
    """How rates grow with the batch size; null: they do not."""
    strategy: Literal["auto", "one_device", "mirrored", "multi_worker", "tpu"] = "auto"
    """auto: multi_worker where TF_CONFIG or SLURM names several workers, else tpu where there is
    one, mirrored where there are several GPUs, and one device. The batch is that of all devices."""
