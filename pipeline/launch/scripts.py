"""Files that start a config on somebody else's machines: a SLURM script, or Kubernetes objects.

Each task is the same command as on one machine; where it stands among the others it reads from its
environment (place.py). Both are printed, to be looked at and changed: image, volume, partition.
"""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

PORT = 2222  # of each worker, in its own pod
LONGEST = 50  # of a name that is part of a host's, which has 63 letters


def slurm(name: str, arguments: Sequence[str], *, workers: int, restarts: int, python: str) -> str:
    """Return a script for sbatch: one task a node, started again together when one dies.

    Args:
        name: of the run.
        arguments: of the command `run`.
        workers: nodes.
        restarts: how often all begin again, from the last checkpoint.
        python: the interpreter, at the same place on all nodes.
    """
    command = shlex.join([python, "-P", "-m", "pipeline", "run", *arguments])
    folder = shlex.quote(str(Path.cwd()))
    facts = {"name": name, "workers": workers, "restarts": restarts}
    return _rendered("slurm.sh.j2", command=command, folder=folder, **facts)


def k8s(name: str, arguments: Sequence[str], *, workers: int, restarts: int) -> str:
    """Return a headless Service and an indexed Job: one pod a worker, known by its number.

    Args:
        name: of the run.
        arguments: of the command `run`.
        workers: pods.
        restarts: how often a worker begins again, from the last checkpoint.
    """
    label = f"edgeline-{name.replace('_', '-')}"[:LONGEST].rstrip("-")
    hosts = [f"{label}-{index}.{label}:{PORT}" for index in range(workers)]
    cluster = json.dumps({"worker": hosts})
    place = f'{{"cluster": {cluster}, "task": {{"type": "worker", "index": $(PLACE)}}}}'
    return _rendered(
        "k8s.yaml.j2",
        label=label,
        workers=workers,
        restarts=restarts,
        port=PORT,
        command=json.dumps(["edgeline", "run", *arguments]),
        place=json.dumps(place),
    )


def _rendered(template: str, **facts: object) -> str:
    """Return a template with the facts in their places, as they are."""
    loader = PackageLoader("pipeline", "launch")
    made = Environment(loader=loader, undefined=StrictUndefined, keep_trailing_newline=True)
    return made.get_template(template).render(**facts)
