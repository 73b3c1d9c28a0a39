"""Which devices train: TensorFlow's strategies, chosen in milliseconds, and logged."""

import functools
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from pipeline.arrays import Model, Strategy
from pipeline.config.schema import Train
from pipeline.errors import ConfigError
from pipeline.launch.place import place_here
from pipeline.train.workers import members

log = logging.getLogger(__name__)

TPU_NAME = "TPU_NAME"
# TensorFlow tries an unreachable address for over 90 s.
TPU_SECONDS = 50.0
ASK = """
import sys, tensorflow as tf
found = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=sys.argv[1])
tf.config.experimental_connect_to_cluster(found)
tf.tpu.experimental.initialize_tpu_system(found)
"""


def choose(name: str) -> Any:
    """Return the tf.distribute strategy of that name, and say which devices train.

    Args:
        name: one_device, mirrored (all GPUs; all logical CPUs where there is none), multi_worker
            (the workers that TF_CONFIG or SLURM names), tpu, or auto: the first of multi_worker,
            tpu, mirrored (several GPUs) and one_device that there is something for.

    Raises:
        ConfigError: there is nothing here for the strategy that is asked for.
    """
    started, why = time.perf_counter(), "train.strategy"
    if name == "auto":
        name, why = _fitting()
    milliseconds = 1000 * (time.perf_counter() - started)
    strategy, devices = MADE[name]()
    log.info("          %s: %s (%s; %.0f ms)", name, devices, why, milliseconds)
    return strategy


def alone(settings: Train) -> Any:
    """Return the `train` section of a training that only the chief runs."""
    if place_here() is None:
        return settings
    return settings.model_copy(update={"strategy": "one_device"})


def spans_workers(strategy: Strategy) -> bool:
    """Tell whether other processes train, too."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def _fitting() -> tuple[str, str]:
    """Return what `auto` takes, and why."""
    place = place_here()
    if place is not None:
        return "multi_worker", f"{place.said_by} names {place.count} workers"
    if os.environ.get(TPU_NAME) or tf.config.list_physical_devices("TPU"):
        return "tpu", "there is a TPU"
    gpus = tf.config.list_physical_devices("GPU")
    if len(gpus) > 1:
        return "mirrored", f"there are {len(gpus)} GPUs"
    return "one_device", "there is one GPU" if gpus else "there is no GPU"


def _one_device() -> tuple[Any, str]:
    gpus = tf.config.list_logical_devices("GPU")
    return tf.distribute.get_strategy(), "GPU" if gpus else "CPU"


def _all_devices() -> tuple[Any, str]:
    gpus = tf.config.list_logical_devices("GPU")
    devices = [device.name for device in gpus or tf.config.list_logical_devices("CPU")]
    return _mirrored(tuple(devices)), f"{len(devices)} devices, {', '.join(devices)}"


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> Any:
    """Make the strategy once a process.

    A second one over the same devices reuses the collective keys of the first, and TensorFlow
    aborts with `Shape mismatch in the collective instance`.
    """
    return tf.distribute.MirroredStrategy(devices)


def _all_workers() -> tuple[Any, str]:
    found = members()
    place, replicas = found.place, found.strategy.num_replicas_in_sync
    return found.strategy, f"worker {place.index} of {place.count}, {replicas} devices in all"


@functools.cache
def _tpu() -> tuple[Any, str]:
    """Connect to the TPU; asked first is a process that can be ended, for this one could not."""
    name = os.environ.get(TPU_NAME, "")
    if not name and not tf.config.list_physical_devices("TPU"):
        raise ConfigError(
            f"train.strategy: tpu: there is no TPU here, and {TPU_NAME} names none; "
            "use train.strategy: auto"
        )
    reach_tpu(name or "local")
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name or "local")
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    strategy = tf.distribute.TPUStrategy(resolver)
    return strategy, f"{strategy.num_replicas_in_sync} cores of {name or 'this machine'}"


def reach_tpu(name: str, seconds: float = TPU_SECONDS) -> None:
    """Return whether a TPU can be reached.

    Args:
        name: of the TPU, its address, or local.
        seconds: to wait.

    Raises:
        ConfigError: it does not.
    """
    command = [sys.executable, "-c", ASK, name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
        said = "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no word"])[-1]
    except subprocess.TimeoutExpired:
        said = f"no reply in {seconds:.0f} s"
    if said:
        raise ConfigError(
            f"train.strategy: tpu: the TPU {name!r} cannot be reached: {said}. See that it runs "
            f"and that {TPU_NAME} is its name or grpc://HOST:PORT; or use train.strategy: auto "
            f"with {TPU_NAME} unset"
        )


MADE: dict[str, Callable[[], tuple[Any, str]]] = {
    "one_device": _one_device,
    "mirrored": _all_devices,
    "multi_worker": _all_workers,
    "tpu": _tpu,
}


def synchronise(model: Model, strategy: Strategy) -> None:
    """Let batch normalization see the global batch, as on one device (no change there).

    What is saved stays the same: the flag counts only in training.
    """
    for layer in model.layers:
        if hasattr(layer, "synchronized"):
            layer.synchronized = strategy.num_replicas_in_sync > 1
