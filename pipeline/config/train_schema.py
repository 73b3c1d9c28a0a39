"""Settings of `train` and `harden`: optimizer, schedule, loss, attack."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from pipeline.config.section import Count, Positive, Section, Share


class AdamW(Section):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

    kind: Literal["adamw"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 1e-3
    """Peak rate, at the end of warm-up."""
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.004
    """Share of each kernel taken off a step, times the rate; biases and scales are left alone."""
    clip_norm: Positive | None = None
    """Largest global norm of the gradients over all replicas; null: no clipping."""


class Sgd(Section):
    """Plain gradient descent, with momentum where asked for (Polyak 1964)."""

    kind: Literal["sgd"]
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 1e-2
    """Peak rate, at the end of warm-up."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the last step that is made again."""
    clip_norm: Positive | None = None
    """Largest global norm of the gradients over all replicas; null: no clipping."""


def _which_optimizer(value: Any) -> str:
    """Return the kind of an optimizer section: adamw where none is named."""
    kind = value.get("kind", "adamw") if isinstance(value, dict) else getattr(value, "kind", "")
    return str(kind)


Optimizer = Annotated[
    Annotated[AdamW, Tag("adamw")] | Annotated[Sgd, Tag("sgd")], Discriminator(_which_optimizer)
]


class Cosine(Section):
    """Linear warm-up, then a half cosine to zero (Loshchilov and Hutter 2017, arXiv:1608.03983)."""

    kind: Literal["cosine"] = "cosine"
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0


class Constant(Section):
    """The same learning rate all along."""

    kind: Literal["constant"]


Schedule = Annotated[Cosine | Constant, Field(discriminator="kind")]


class Freeze(Section):
    """Fine-tuning of a trained network: the last layer alone first, then the others too.

    Batch normalisation keeps the statistics it came with, all along.
    """

    epochs: Count = 5
    """Of `train.epochs`, those in which the last layer alone learns, at the peak rate."""
    rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Factor on the peak rate after that, when the schedule begins."""
    kept: Annotated[int, Field(ge=0)] = 0
    """How many layers with weights, from the input on, stay frozen to the end."""


class Pretrain(Section):
    """Learn to answer the input first, from samples with and without a label."""

    epochs: Count = 20
    """Of its own, before `train.epochs`; optimizer and schedule are the same."""
    compare: bool = True
    """Train the same network without, too, and write down what pre-training gained."""


class EarlyStopping(Section):
    """Stop when the validation loss has stopped falling, and take back the best weights."""

    patience: Count = 10
    """Epochs without improvement."""


def _which_weights(value: Any) -> str:
    """Return the tag of the form in which class weights are given."""
    return "by_class" if isinstance(value, dict) else "by_name"


ClassWeights = Annotated[
    Annotated[Literal["balanced"], Tag("by_name")]
    | Annotated[dict[str, Positive], Tag("by_class")],
    Discriminator(_which_weights),
]


class Train(Section):
    """How weights are found."""

    epochs: Count = 20
    loss: Literal["auto", "categorical_crossentropy", "perceptron", "mse", "mae"] = "auto"
    """auto: cross-entropy for classification, mean squared error for regression. perceptron: what a
    wrong sample is wrong by; with plain sgd, batches of one, a constant rate of 1 and a perceptron
    it is Rosenblatt's own rule."""
    optimizer: Optimizer = AdamW()
    schedule: Schedule = Cosine()
    early_stopping: EarlyStopping | None = None
    freeze: Freeze | None = None
    pretrain: Pretrain | None = None
    """For an autoencoder whose code a classifier or a regression stands on."""
    class_weights: ClassWeights | None = None
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
    clean_share: Share = 0.5
    """Weight of the clean batch in the loss; the adversarial batch has the rest."""
