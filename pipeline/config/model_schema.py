"""Settings of `model`: one section a kind; a test compares the kinds with MODELS."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from pipeline.config.section import Count, Section

Activation = Literal["relu", "relu6", "leaky_relu", "gelu", "hard_swish", "sigmoid", "tanh"]
Padding = Literal["same", "valid"]
Embedding = Annotated[int, Field(ge=1, le=4096)]
Kernel = Annotated[int, Field(ge=1, le=15)]
Stride = Annotated[int, Field(ge=1, le=8)]
Dropped = Annotated[float, Field(ge=0, lt=1)]


class Hidden(Section):
    """What every network with hidden layers has."""

    activation: Activation = "relu"
    """Activation function of the hidden layers."""
    negative_slope: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Slope of leaky_relu below zero; the others do not look at it."""
    initializer: Literal["auto", "he", "glorot"] = "auto"
    """How kernels start: auto is He before rectifiers, else Glorot."""
    dropout: Dropped = 0.0
    """Fraction of units dropped before the output layer; in a transformer also after each part."""


class Perceptron(Section):
    """One unit over the flattened input; a unit a class where there are more than two."""

    kind: Literal["perceptron"]
    embedding: Embedding = 16
    """Numbers that are learned for each word or category; texts are the mean of their words."""


class Funnel(Section):
    """Widths that go from the first to the last by one factor."""

    first: Count
    """Units of the first hidden layer."""
    last: Count
    """Units of the last hidden layer."""
    layers: Annotated[int, Field(ge=1, le=20)]
    """Number of hidden layers."""


def _which_units(value: object) -> str:
    """Return the tag of the form in which widths are given."""
    return "funnel" if isinstance(value, dict | Funnel) else "widths"


Units = Annotated[
    Annotated[tuple[Count, ...], Tag("widths")] | Annotated[Funnel, Tag("funnel")],
    Discriminator(_which_units),
]


class Mlp(Hidden):
    """Dense layers over the flattened input."""

    kind: Literal["mlp"]
    units: Units = (64, 32)
    """Widths of the hidden layers; or a funnel, {first: 256, last: 32, layers: 4}."""
    embedding: Embedding = 16
    """Numbers that are learned for each word or category; texts are the mean of their words."""
    input_norm: bool = False
    """Batch normalization of the input."""
    batch_norm: bool = False
    """Batch normalization after every hidden layer."""


def _which_padding(value: object) -> str:
    """Return the tag of the form in which padding is given."""
    return "one" if isinstance(value, str) else "each"


class Cnn(Hidden):
    """Blocks of convolution, batch normalization, activation and pooling; then dense layers."""

    kind: Literal["cnn"]
    filters: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32)
    """Output channels of each block."""
    kernel_size: Kernel = 3
    """Height and width of every kernel, in pixels."""
    strides: Stride = 1
    """Step of every convolution, in pixels."""
    padding: Annotated[
        Annotated[Padding, Tag("one")] | Annotated[tuple[Padding, ...], Tag("each")],
        Discriminator(_which_padding),
    ] = "same"
    """same: edges padded with zeros; valid: only whole windows; a list has one a block."""
    convolutions: Annotated[int, Field(ge=1, le=4)] = 1
    """Convolutions in a row in each block."""
    pool: Literal["max", "average", "none"] = "max"
    """2x2 pooling at the end of each block."""
    head: Literal["flatten", "global_average"] = "flatten"
    """How the last feature map becomes a vector."""
    head_dropout: Dropped = 0.0
    """Fraction of that vector's values dropped before the dense layers, which hold most weights."""
    dense: tuple[Count, ...] = (64,)
    """Widths of the dense layers before the output."""
    batch_norm: bool = True
    """Batch normalization after every convolution, which then has no bias."""


class DsCnn(Hidden):
    """DS-CNN: depthwise-separable convolutions of one width, made for keyword spotting."""

    kind: Literal["ds_cnn"]
    filters: Count = 64
    """Channels of every layer."""
    blocks: Annotated[int, Field(ge=1, le=20)] = 4
    """Depthwise-separable blocks."""
    first_kernel: Annotated[tuple[Kernel, ...], Field(min_length=2, max_length=2)] = (10, 4)
    """Height and width of the first kernel: frames and bands, where the picture is a sound."""
    first_strides: Annotated[tuple[Stride, ...], Field(min_length=2, max_length=2)] = (2, 2)
    """Steps of the first convolution, down and across."""


class Resnet8(Hidden):
    """ResNet-8: residual stacks of two convolutions each, the map halved between them."""

    kind: Literal["resnet8"]
    filters: Annotated[tuple[Count, ...], Field(min_length=1, max_length=6)] = (16, 32, 64)
    """Channels of each stack; three stacks have eight layers with weights on the longest path."""


class Mobilenet(Hidden):
    """MobileNet: thirteen depthwise-separable convolutions, thinner by one factor."""

    kind: Literal["mobilenet"]
    width: Annotated[float, Field(gt=0, le=2)] = 0.25
    """Factor on the number of channels of the paper's net; rounded to multiples of 8."""
    blocks: Annotated[int, Field(ge=1, le=13)] = 13
    """How many of the thirteen blocks, from the first on."""
    first_stride: Annotated[int, Field(ge=1, le=2)] = 2
    """Step of the first convolution: 2, or 1 for small pictures."""
    activation: Activation = "relu6"
    """Activation function of the hidden layers."""


class Cnn1d(Hidden):
    """Convolutions over the steps of a series, or over words or characters."""

    kind: Literal["cnn1d"]
    filters: Annotated[tuple[Count, ...], Field(min_length=1)] = (32, 64)
    """Output channels of each block."""
    kernel_size: Annotated[int, Field(ge=1, le=63)] = 5
    """Steps that a kernel sees."""
    strides: Stride = 1
    """Step of every convolution."""
    pool: Literal["max", "average", "none"] = "max"
    """Pooling by two at the end of each block."""
    head: Literal["max", "mean", "flatten"] = "max"
    """How the last steps become a vector: the largest value of each channel, the mean, or all."""
    head_dropout: Dropped = 0.0
    """Fraction of that vector's numbers dropped before the dense layers."""
    dense: tuple[Count, ...] = ()
    """Widths of the dense layers before the output."""
    batch_norm: bool = True
    """Batch normalization after every convolution, which then has no bias."""
    embedding: Embedding = 16
    """Numbers that are learned for each word or character."""


class Rnn(Hidden):
    """Recurrent cells over a series or a text; then dense layers."""

    kind: Literal["rnn"]
    cell: Literal["simple", "lstm", "gru"] = "lstm"
    """lstm is one operation in the file; simple and gru are written out, a step at a time, so that
    their files grow with the number of steps."""
    units: Annotated[tuple[Count, ...], Field(min_length=1)] = (32,)
    """Width of each recurrent layer, one on the other."""
    direction: Literal["forward", "backward", "bidirectional"] = "forward"
    """backward suits a text: the padding after its end is read first."""
    dense: tuple[Count, ...] = ()
    """Widths of the dense layers before the output."""
    embedding: Embedding = 32
    """Numbers that are learned for each word or character."""


class Transformer(Hidden):
    """Self-attention over the steps of a series, a text, or the patches of a picture."""

    kind: Literal["transformer"]
    width: Annotated[int, Field(ge=4, le=512)] = 32
    """Numbers that stand for each step (d_model); a multiple of `heads`."""
    heads: Annotated[int, Field(ge=1, le=8)] = 4
    """Attentions side by side in each block."""
    blocks: Annotated[int, Field(ge=1, le=12)] = 2
    """Number of encoder blocks."""
    feed_forward: Annotated[int, Field(ge=1, le=4096)] = 64
    """Width of the inner dense layer of each block."""
    patch: Annotated[int, Field(ge=1, le=256)] | None = None
    """Side of a picture's patches, in pixels; null: its rows are the steps."""
    embedding: Embedding = 32
    """Numbers that are learned for each word or character."""
    activation: Activation = "gelu"
    """Activation function of the hidden layers."""


class Autoencoder(Hidden):
    """It reconstructs its input through a code of a few numbers."""

    kind: Literal["autoencoder"]
    form: Literal["dense", "conv", "recurrent"] = "dense"
    """dense: any numbers; conv: series and pictures; recurrent: series, by LSTM."""
    code: Count = 8
    """Numbers in the code."""
    units: Annotated[tuple[Count, ...], Field(min_length=1)] = (64, 32)
    """Widths of the dense layers before the code, and backward after it; of the LSTMs the first."""
    filters: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32)
    """Channels of the convolutions before the code, each of stride 2, and backward after it."""
    batch_norm: bool = False
    """Batch normalization after every dense layer but the last, the code's too; such a layer then
    has no bias."""
    code_activation: bool = False
    """Whether the activation comes after the code, too."""
    noise: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Standard deviation of the noise that training adds to the inputs, and not to the targets."""


def _which_range(value: object) -> str:
    """Return the tag of the form in which the range of an input is given."""
    return "named" if isinstance(value, str) else "borders"


InputRange = Annotated[
    Annotated[Literal["auto", "as_is", "raw"], Tag("named")]
    | Annotated[tuple[float, float], Tag("borders")],
    Discriminator(_which_range),
]


class File(Section):
    """Your own network: a Functional or Sequential model, trained or not."""

    kind: Literal["file"]
    path: Annotated[str, Field(min_length=1)]
    """A .keras, .h5 or float .tflite file, or the folder of a SavedModel of Keras 2. Code in it is
    never run."""
    reset_weights: bool = False
    """Take only the layers: weights are initialized under the seed."""
    head: Literal["keep", "replace", "add"] = "keep"
    """keep its last layer; replace it with a new one; or add one, as an encoder needs."""
    input_range: InputRange = "auto"
    """Values that it was trained on. raw: pixels from 0 to 255, columns and channels in their own
    unit. as_is: as they are prepared, pictures in [0, 1], numbers of mean 0 and deviation 1.
    [low, high]: pictures in that range. auto: raw where it begins with a Rescaling, Normalization
    or BatchNormalization for raw values, else as_is."""
    scale: float = 1.0
    """What it was trained to see is scale * x + offset, of what preprocessing gives: pictures are
    in [0, 1], numbers of mean 0 and deviation 1."""
    offset: float = 0.0
    """Is added after `scale`."""
    dropout: Dropped = 0.0
    """Fraction of units dropped before a new last layer."""


class Application(Section):
    """A network of keras.applications with a new last layer."""

    kind: Literal["application"]
    name: Literal["MobileNetV2", "MobileNetV3Small", "EfficientNetB0"]
    """The architecture of keras.applications."""
    weights: Annotated[str, Field(min_length=1)] = "none"
    """none; imagenet, which is fetched; or a file of weights without the top. Trained ones want
    train.freeze."""
    width: Annotated[float, Field(gt=0, le=2)] = 1.0
    """Factor on the number of channels (alpha); EfficientNetB0 has only 1."""
    dropout: Dropped = 0.2
    """Fraction of units dropped before the last layer."""


Model = Annotated[
    Perceptron
    | Mlp
    | Cnn
    | DsCnn
    | Resnet8
    | Mobilenet
    | Cnn1d
    | Rnn
    | Transformer
    | Autoencoder
    | File
    | Application,
    Field(discriminator="kind"),
]
