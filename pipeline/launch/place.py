"""Where this process stands among the workers of a cluster, as its environment says.

TF_CONFIG first, then SLURM. No TensorFlow here: asking costs nothing, and every command may ask.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError
from pipeline.process_limits import end_with

if TYPE_CHECKING:
    from pipeline.config.schema import Config

TF_CONFIG = "TF_CONFIG"
LAUNCHER = "EDGELINE_LAUNCHER"  # the process that a worker of `launch` ends with
FORM = '{"cluster": {"worker": ["HOST:PORT", …]}, "task": {"type": "worker", "index": 0}}'


@dataclass(frozen=True)
class Place:
    """One worker of several; the first is the chief, which runs the stages."""

    index: int
    count: int
    said_by: str
    """TF_CONFIG, or SLURM."""
    addresses: tuple[str, ...] = ()
    """HOST:PORT of each worker; empty where SLURM knows them."""

    @property
    def is_chief(self) -> bool:
        """Whether this one runs the stages, and writes."""
        return self.index == 0


def place_here(environ: Mapping[str, str] | None = None) -> Place | None:
    """Return this process's place; None where it is alone.

    Args:
        environ: None: that of this process.

    Raises:
        ConfigError: the environment speaks of a cluster that cannot be.
    """
    found = os.environ if environ is None else environ
    place = _by_tf_config(found[TF_CONFIG]) if found.get(TF_CONFIG) else _by_slurm(found)
    return place if place is not None and place.count > 1 else None


def end_with_launcher() -> None:
    """Have this process end with the `launch` that started it; what it starts itself does not."""
    launcher = os.environ.pop(LAUNCHER, None)
    if launcher is not None:
        end_with(int(launcher))


def _by_tf_config(text: str) -> Place:
    """Return the place that TF_CONFIG gives; a chief counts as the first worker."""
    try:
        read: Any = json.loads(text)
        cluster, task = dict(read["cluster"]), read["task"]
        kind, index = str(task["type"]), int(task["index"])
        first, rest = list(cluster.pop("chief", [])), list(cluster.pop("worker", []))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"TF_CONFIG: wanted {FORM}; came {text[:200]}") from None
    if cluster or kind not in ("chief", "worker"):
        others = ", ".join(sorted({*cluster, kind} - {"chief", "worker"}))
        raise ConfigError(
            f"TF_CONFIG: {others}: workers train in step here, and there are no other kinds "
            f"of tasks; wanted {FORM}"
        )
    own = index + (len(first) if kind == "worker" else 0)
    addresses = tuple(str(address) for address in (*first, *rest))
    if not 0 <= index < len(first if kind == "chief" else rest):
        raise ConfigError(
            f"TF_CONFIG: there is no {kind} {index}: the cluster has {len(addresses)} workers"
        )
    return Place(own, len(addresses), TF_CONFIG, addresses)


def _by_slurm(environ: Mapping[str, str]) -> Place | None:
    """Return the place in a SLURM job step; None outside of one."""
    if "SLURM_STEP_NUM_TASKS" not in environ or "SLURM_PROCID" not in environ:
        return None
    return Place(int(environ["SLURM_PROCID"]), int(environ["SLURM_STEP_NUM_TASKS"]), "SLURM")


def check_place(config: "Config", place: Place | None) -> Place | None:
    """Return the place, where the config can be trained there.

    Raises:
        ConfigError: the config asks for another strategy, or its batches cannot be shared.
    """
    if place is not None:
        check_launch(config, place.count, place.said_by)
    elif config.train.strategy == "multi_worker":
        raise ConfigError(
            "train.strategy: multi_worker: there is no cluster here: TF_CONFIG names no workers, "
            "and this is no SLURM step of several tasks. Start it with: edgeline launch CONFIG "
            "--workers N; or use train.strategy: auto"
        )
    return place


def check_launch(config: "Config", workers: int, said_by: str = "--workers") -> None:
    """See that a config can be trained by so many workers.

    Raises:
        ConfigError: it cannot; every reason is named.
    """
    problems, batch = [], config.data.batch_size
    if config.train.strategy not in ("auto", "multi_worker"):
        problems.append(
            f"train.strategy: {config.train.strategy} is of one process, and {said_by} names "
            f"{workers}; use auto or multi_worker, or: edgeline run, without {said_by}"
        )
    if batch % workers:
        nearest = max(1, round(batch / workers)) * workers
        problems.append(
            f"data.batch_size: {batch} samples a step cannot be shared equally by {workers} "
            f"workers ({said_by}); use a multiple of {workers}, such as {nearest}"
        )
    if problems:
        raise ConfigError(*problems)
