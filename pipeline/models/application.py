"""Networks of keras.applications without their last layer, ready to be adopted; see adopt.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.arrays import Model
from pipeline.config.model_schema import Application as Settings
from pipeline.documents.spec import Adoption
from pipeline.errors import ConfigError


@dataclass(frozen=True)
class Application:
    """One network, and what it was trained to see."""

    make: Callable[..., Any]
    """(keras.applications, shape, width, weights) -> model."""
    scale: float
    offset: float
    """Of the input: scale * x + offset, of pictures in [0, 1]."""


def _mobilenet_v2(applications: Any, shape: Any, width: float, weights: str | None) -> Any:
    return applications.MobileNetV2(
        input_shape=shape, alpha=width, include_top=False, weights=weights
    )


def _mobilenet_v3_small(applications: Any, shape: Any, width: float, weights: str | None) -> Any:
    return applications.MobileNetV3Small(
        input_shape=shape,
        alpha=width,
        include_top=False,
        include_preprocessing=False,
        weights=weights,
    )


def _efficientnet_b0(applications: Any, shape: Any, width: float, weights: str | None) -> Any:
    """Return the net from behind its first layer on, which divides by 255: pictures are, here."""
    import keras

    model = applications.EfficientNetB0(input_shape=shape, include_top=False, weights=weights)
    divided = next(layer for layer in model.layers if type(layer).__name__ == "Rescaling")
    return keras.Model(divided.output, model.output, name=model.name)


APPLICATIONS = {
    "MobileNetV2": Application(_mobilenet_v2, 2.0, -1.0),
    "MobileNetV3Small": Application(_mobilenet_v3_small, 2.0, -1.0),
    "EfficientNetB0": Application(_efficientnet_b0, 1.0, 0.0),
}
COLORS = 3  # channels that published weights were trained on


def application(settings: Settings, shape: Sequence[int], base: Path) -> tuple[Model, Adoption]:
    """Return a network without its last layer, and how it is to be adopted.

    Args:
        settings: the `model` section.
        shape: of the picture: height, width, channels; gray is shown as three equal channels where
            weights are given, which were trained on three.
        base: folder at which a relative path of weights starts.

    Raises:
        ConfigError: the weights cannot be had, or are another network's.
    """
    import keras

    chosen = APPLICATIONS[settings.name]
    weights = settings.weights
    if len(shape) != COLORS:
        raise ConfigError(f"model.kind: application takes pictures; came {shape}")
    is_trained = weights != "none"
    height, width, channels = shape
    seen = (height, width, COLORS if is_trained and channels == 1 else channels)
    if is_trained and weights != "imagenet":
        weights = str(base / Path(weights).expanduser())
    try:
        model = chosen.make(
            keras.applications, seen, settings.width, weights if is_trained else None
        )
    except Exception as error:  # a download, a file and a check of shapes fail each in its own way
        reason = str(error).strip().splitlines()[0]
        cure = (
            "; where there is no network, fetch the no_top weights elsewhere and give their path"
            if weights == "imagenet"
            else ""
        )
        raise ConfigError(f"model.weights: {weights}: {reason}{cure}") from error
    return model, Adoption(
        head="add",
        scale=chosen.scale,
        offset=chosen.offset,
        reset_weights=not is_trained,
        triples=seen[2] != channels,
    )
