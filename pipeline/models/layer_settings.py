"""The settings of a layer that is copied from a network from outside."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.arrays import Layer
from pipeline.documents.spec import Spec
from pipeline.seeds import fold_seed


def settings_of(layer: Layer, spec: Spec, name: str) -> dict[str, Any]:
    """Return a layer's settings under a name, in float32 and with seeds of the spec."""
    config = _with_seeds(layer.get_config(), fold_seed(spec.seed, name)) | {"name": name}
    config |= adapted_statistics(layer)
    return config | ({"dtype": "float32"} if "dtype" in config else {})


def adapted_statistics(layer: Layer) -> dict[str, Any]:
    """Return the statistics of an adapted `Normalization` as settings, not as weights.

    As weights they count only once `finalize_state` was called, which no setter of weights does.
    """
    if type(layer).__name__ != "Normalization" or layer.input_mean is not None:
        return {}
    mean, variance = np.asarray(layer.adapt_mean), np.asarray(layer.adapt_variance)
    return {"mean": mean.tolist(), "variance": variance.tolist()}


def _with_seeds(settings: Any, seed: int, *path: str) -> Any:
    """Return a layer's settings with a seed of its own wherever one is left open."""
    if isinstance(settings, Mapping):
        return {
            key: fold_seed(seed, *path, key)
            if key == "seed" and value is None
            else _with_seeds(value, seed, *path, str(key))
            for key, value in settings.items()
        }
    if isinstance(settings, list):
        return [_with_seeds(value, seed, *path, str(i)) for i, value in enumerate(settings)]
    return settings
