"""Settings of `compress` and `export`: remedies, formats, input and output types, targets."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Count, Positive, Section

Format = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
Border = Literal["int8", "uint8", "float32"]
Target = Literal[
    "cpu",
    "mcu",
    "coral-edgetpu",
    "ethos-u55-32",
    "ethos-u55-64",
    "ethos-u55-128",
    "ethos-u55-256",
    "ethos-u65-256",
    "ethos-u65-512",
    "ethos-u85-128",
    "ethos-u85-256",
    "ethos-u85-512",
    "ethos-u85-1024",
    "ethos-u85-2048",
    "qualcomm-sm8350",
    "qualcomm-sm8450",
    "qualcomm-sm8550",
    "qualcomm-sm8650",
    "qualcomm-sm8750",
    "qualcomm-sm8850",
]
Remedy = Literal["calibration", "correction", "mixed", "qat", "int16x8"]


class Qat(Section):
    """Quantization-aware training: the network learns its own outputs through int8's rounding."""

    epochs: Count = 10
    """Passes over the training samples."""
    learning_rate: Positive = 3e-4
    """At the start; it falls to zero along a cosine."""
    adversarial: bool = True
    """Where `harden` is on, train on adversarial examples that PGD finds through the rounding, too,
    so that the int8 file is as robust as the trained model. It takes about eight times as long."""


class Granularity(Section):
    """Scales of the weights by kind of layer; other layers have one for each output channel."""

    dense: Literal["channel", "tensor"] = "tensor"
    """Of dense layers: tensor for runtimes whose FULLY_CONNECTED has no scale a channel."""


class Quantize(Section):
    """Which rungs the remedy ladder may climb when plain int8 breaks a gate on validation data."""

    remedies: tuple[Remedy, ...] = ("calibration", "correction", "mixed", "qat", "int16x8")
    """In order; the first that passes ships. calibration: ranges cut by error, percentile, entropy;
    correction: channels equalised, biases corrected; mixed: 16-bit activations where they gain
    most, or float where `gate.float_ops` allows some; qat: fine-tuned through the rounding;
    int16x8: 16-bit activations everywhere."""
    begin: Literal["int8", "qat"] = "int8"
    """The first rung. int8: as it is; qat: fine-tuned at once, even where plain int8 would do."""
    qat: Qat = Qat()
    """Settings of quantization-aware training."""
    granularity: Literal["channel", "tensor"] | Granularity = "channel"
    """Scales of the weights: one for each output channel, or one for all, as old NPUs ask for.
    `{dense: tensor}`: one for all in dense layers, as old runtimes ask for."""
    exhaustive: bool = False
    """Measure every rung and ship the smallest that passes."""

    @property
    def weight_scales(self) -> Literal["channel", "tensor", "dense_tensor"]:
        """The granularity as recipes name it."""
        if not isinstance(self.granularity, Granularity):
            return self.granularity
        return "dense_tensor" if self.granularity.dense == "tensor" else "channel"


class Prune(Section):
    """The smallest weights of each kernel become zero, while the others learn to make up for it.

    They learn the trained model's outputs (Zhu and Gupta 2017, arXiv:1710.01878). Biases,
    normalization and depthwise kernels stay. Files shrink where they are zipped.
    """

    sparsity: Annotated[float, Field(gt=0, le=0.99)] = 0.5
    """Fraction of zeros in each kernel at the end."""
    schedule: Literal["polynomial", "constant"] = "polynomial"
    """polynomial: from none at `begin`, fast at first, to all at `end`; constant: at once."""
    begin: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """When the first weights go, as a fraction of the epochs."""
    end: Annotated[float, Field(gt=0, le=1)] = 0.5
    """When the last weights are gone, as a fraction of the epochs; then those left learn on."""
    epochs: Count = 20
    """Passes over the training samples while weights are pruned."""
    learning_rate: Positive = 1e-2
    """At the start; it falls to zero along a cosine. Of 0.001 to 0.01 the largest kept most at 80
    and 90 % zeros, in a CNN, a Transformer and an LSTM."""


class Cluster(Section):
    """The weights of each kernel take few values, which learn to make up for it.

    They learn the trained model's outputs (Han et al. 2016, arXiv:1510.00149). Zeros stay
    zeros. Biases, normalization and depthwise kernels stay. Files shrink where they are zipped.
    """

    clusters: Annotated[int, Field(ge=2, le=256)] = 16
    """Values that the weights of a kernel may take, zero among them."""
    initialization: Literal["kmeans++", "linear", "density"] = "kmeans++"
    """Where the search for them begins: spread by chance over the weights, evenly over their range,
    or evenly over their number."""
    epochs: Count = 10
    """Passes over the training samples while the centroids are trained."""
    learning_rate: Positive = 1e-3
    """At the start; it falls to zero along a cosine."""


class Compress(Section):
    """How the model gets small: pruned, then clustered, then quantized; each keeps what was before.

    All gates compare with the trained model, as it was before any of them.
    """

    prune: Prune | None = None
    """Weights that become zero; null: none."""
    cluster: Cluster | None = None
    """Kernels with few distinct values; null: none."""
    quantize: Quantize = Quantize()
    """Which remedies are tried when int8 costs too much."""


class Export(Section):
    """Which files are made."""

    formats: Annotated[tuple[Format, ...], Field(min_length=1)] = (
        "float32",
        "float16",
        "dynamic",
        "int8",
        "int16x8",
    )
    """Formats of the .tflite files."""
    ships: Literal["auto", "float32", "float16", "dynamic", "int8", "int16x8"] = "auto"
    """The file to load: what the ladder chose, or one by name."""
    io: Border = "int8"
    """Type of input and output of the integer files. Those of int16x8 are int16 for an integer one,
    and so is an input or output of a `mixed` file at an operation with 16-bit activations, where
    coarse steps of the output cost most. The manifest has the type of each."""
    encoder: bool = False
    """Also export the encoder of an autoencoder, whose output is the code: for clustering, search,
    or as the input of something else."""
    sign: Annotated[str, Field(min_length=1)] | None = None
    """File of an ed25519 private key in PEM, relative to the config; it signs the bundle's
    manifest. Null: the bundle is unsigned."""
    metadata: bool = False
    """TFLite metadata in every file but those for NPUs and the C source: labels, normalization,
    preprocessing, versions, as Android's tools read them; about 1 kB."""
    targets: tuple[Target, ...] = ("cpu", "mcu", "ethos-u55-128")
    """Accelerators that the int8 file is compiled for."""
