"""Mixed precision: the hardware computes in 16 bits, while weights and files stay float32.

bfloat16 has float32's range, so that no gradient vanishes and no loss has to be scaled
(Kalamkar et al. 2019, arXiv:1905.12322); float16, which needs both, is not used.
"""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from pipeline.arrays import Model
from pipeline.documents.spec import Spec
from pipeline.models import MODELS

log = logging.getLogger(__name__)

MIXED = "mixed_bfloat16"
CAPABLE = (8, 0)  # compute capability from which on a GPU multiplies bfloat16 (Ampere)


@contextlib.contextmanager
def policy(setting: str) -> Iterator[None]:
    """Set the type in which new Keras layers compute; afterwards it is float32 again.

    Args:
        setting: float32 or mixed_bfloat16; auto: the faster one of this machine, by `best_here`.
    """
    import keras

    chosen = best_here() if setting == "auto" else setting
    if chosen != "float32":
        log.info("          computing in %s", chosen)
    keras.config.set_dtype_policy(chosen)
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")


def best_here() -> str:
    """Return what this machine trains fastest in without loss: float32 on a CPU."""
    if tf.config.list_logical_devices("TPU"):
        return MIXED
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    capable = [found.get("compute_capability", (0, 0)) >= CAPABLE for found in details]
    return MIXED if capable and all(capable) else "float32"


def in_float32(model: Model, spec: Spec) -> Any:
    """Return the model itself, or where it computes in less, the same in float32."""
    import keras

    if all(layer.compute_dtype != "bfloat16" for layer in model.layers):
        return model
    plain = MODELS[spec.model.kind](keras, spec)
    plain.set_weights(model.get_weights())
    return plain
