"""Which devices train: TensorFlow's own strategies, chosen in milliseconds, and said aloud."""

import functools
import logging
from typing import Any

import tensorflow as tf

log = logging.getLogger(__name__)


def choose(name: str) -> Any:
    """Return the tf.distribute strategy of that name.

    Args:
        name: auto (mirrored where there are several GPUs), one_device, or mirrored (all GPUs; all
            logical CPUs where there is none).
    """
    gpus = tf.config.list_logical_devices("GPU")
    if name == "auto":
        name = "mirrored" if len(gpus) > 1 else "one_device"
    if name == "one_device":
        log.info("          one device: %s", "GPU" if gpus else "CPU")
        return tf.distribute.get_strategy()
    devices = [device.name for device in gpus or tf.config.list_logical_devices("CPU")]
    log.info("          mirrored over %d devices: %s", len(devices), ", ".join(devices))
    return _mirrored(tuple(devices))


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> Any:
    """Make the strategy once a process.

    A second one over the same devices reuses the collective keys of the first, and TensorFlow
    aborts with `Shape mismatch in the collective instance`.
    """
    return tf.distribute.MirroredStrategy(devices)


def synchronise(model: Any, strategy: Any) -> None:
    """Let batch normalisation see the global batch, as on one device (no change there).

    What is saved stays the same: the flag counts in training alone.
    """
    for layer in model.layers:
        if hasattr(layer, "synchronized"):
            layer.synchronized = strategy.num_replicas_in_sync > 1
