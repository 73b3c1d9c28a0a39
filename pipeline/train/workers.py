"""Workers that train together: the chief sends each training, and all of them run it.

Only the chief runs the stages. A stage that trains calls `together`, which sends the call to the
other workers, so that all of them enter the one training loop with the same arguments; they read
the chief's artifacts from the run folder that all of them share. Messages go through the same
collective operations as the gradients: there is no other channel, and nothing to keep alive.
"""

import contextlib
import functools
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Tensor
from pipeline.errors import ConfigError, PipelineError
from pipeline.launch.place import Place, place_here
from pipeline.train.serialization import decode_value, encode_value
from pipeline.train.slurm import slurm_resolver

log = logging.getLogger(__name__)

JOIN_SECONDS = 120.0  # for all workers to be there; imports take 20 s on a busy machine
# Messages are cut into frames of fixed sizes, since a collective operation keeps its shape.
FRAME, LARGE = 1 << 12, 1 << 20
BASE = 1 << 16  # the length of a message is sent as two digits, each exact in float32
# TensorFlow's constructor waits for the others in C++, for ever, deaf to every signal but SIGKILL,
# and holds Python's lock, so that no thread of this process could end it.
WATCH = """
import os, sys, time
parent, seconds, words = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
until = time.monotonic() + seconds
while os.getppid() == parent and time.monotonic() < until:
    time.sleep(0.1)
if os.getppid() == parent:
    print(words, file=sys.stderr, flush=True)
    os.kill(parent, 9)
"""
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


class WorkerLost(PipelineError):
    """Another worker of the cluster is gone."""


@dataclass
class Members:
    """This process's strategy over all workers, and its index among them."""

    strategy: Any
    place: Place
    is_busy: bool = False
    """Whether all of them are inside a call: then no message can be sent."""


@functools.cache
def members() -> Members:
    """Join the cluster, once a process, before TensorFlow does anything else."""
    place = place_here()
    assert place is not None  # else the config was refused
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if place.said_by == "SLURM":
        resolver = slurm_resolver()
    with _watched(place, JOIN_SECONDS):
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    return Members(strategy, place)


@contextlib.contextmanager
def _watched(place: Place, seconds: float) -> Iterator[None]:
    """End this process from outside when it waits too long for the others."""
    words = (
        f"worker {place.index} of {place.count}: the others did not join within {seconds:.0f} s "
        f"({', '.join(place.addresses) or 'by SLURM'}). See that each of them runs and can be "
        "reached there"
    )
    command = [sys.executable, "-c", WATCH, str(os.getpid()), str(seconds), words]
    watch = subprocess.Popen(command)
    try:
        yield
    finally:
        watch.kill()
        watch.wait()


def together(
    strategy: str,
    call: Callable[..., Any],
    *given: object,
    own: Mapping[str, Any] | None = None,
    **named: object,
) -> Any:
    """Call a function here, and in all workers of the cluster at once; return what it returns here.

    Args:
        strategy: `train.strategy`; where it means one process, this is an ordinary call.
        call: of a module; it is sent by name.
        given: arguments, sent.
        own: further arguments that only the chief has; the others get None.
        named: further arguments, sent.
    """
    alone = own or {}
    if place_here() is None or strategy not in ("auto", "multi_worker"):
        return call(*given, **named, **alone)
    found = members()
    share_value((call, given, {**named, **dict.fromkeys(alone)}))
    found.is_busy = True
    try:
        result = call(*given, **named, **alone)
    except ConfigError:  # every worker has it, at the same step
        found.is_busy = False
        raise
    found.is_busy = False
    return result


def follow() -> None:
    """Run the chief's calls until it is done.

    Raises:
        WorkerLost: the chief is gone.
    """
    members()
    with _losses():
        while (told := share_value(None)) is not None:
            call, given, named = told
            try:
                call(*given, **named)
            except ConfigError as error:  # the chief has it, too, and knows what to make of it
                log.warning("%s", error)


@contextlib.contextmanager
def lead_workers() -> Iterator[None]:
    """Let the others follow this process, the chief, and go when it is done.

    Raises:
        WorkerLost: one of them is gone.
    """
    found = members()
    with _losses():
        try:
            yield
        except PipelineError:
            if not found.is_busy:
                share_value(None)
            raise
        share_value(None)


@contextlib.contextmanager
def _losses() -> Iterator[None]:
    """Say in one line that a worker is gone."""
    try:
        yield
    except LOST as error:
        lines = [line.strip() for line in str(error).splitlines() if "abort" in line.lower()]
        reason = (lines or [type(error).__name__])[0]
        raise WorkerLost(
            f"another worker of the cluster is gone ({reason[:200]}). Start all of them again: "
            "they go on from the last checkpoint"
        ) from error


def is_chief() -> bool:
    """Return whether this process writes: it is the only one, or the first of several."""
    place = place_here()
    return place is None or place.is_chief


def share_value(value: object) -> Any:
    """Return the chief's value in every worker; all of them must call this.

    Args:
        value: of the chief; what others give does not count.
    """
    place = members().place
    body = encode_value(value) if place.is_chief else b""
    first = np.zeros(FRAME, np.float32)
    if place.is_chief:
        start = np.frombuffer(body[: FRAME - 2], np.uint8)
        first[:2] = divmod(len(body), BASE)
        first[2 : 2 + len(start)] = start
    heard = _added(first)
    length = int(heard[0]) * BASE + int(heard[1])
    parts, done = [heard[2:]], FRAME - 2
    while done < length:
        size = FRAME if length - done <= FRAME else LARGE
        frame = np.zeros(size, np.float32)
        part = np.frombuffer(body[done : done + size], np.uint8)
        frame[: len(part)] = part
        parts.append(_added(frame))
        done += size
    return decode_value(np.concatenate(parts)[:length].astype(np.uint8).tobytes())


def _added(frame: Array) -> Any:
    """Return the sum of all workers' frames: the chief's, for those of the others are zero."""
    return _adder(len(frame))(tf.constant(frame)).numpy()


@functools.cache
def _adder(size: int) -> Any:
    strategy = members().strategy

    def of_replica(frame: Tensor) -> Any:
        context = tf.distribute.get_replica_context()
        is_first = context.replica_id_in_sync_group == 0
        own = tf.where(is_first, frame, tf.zeros_like(frame))
        return context.all_reduce("sum", tf.identity(own))

    @tf.function(input_signature=[tf.TensorSpec((size,), tf.float32)])
    def add(frame: Tensor) -> Any:
        return strategy.experimental_local_results(strategy.run(of_replica, args=(frame,)))[0]

    return add
