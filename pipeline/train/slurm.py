"""The workers of a SLURM job step, by TensorFlow's own resolver."""

import os
from typing import Any

import tensorflow as tf

PORTS = 20_000, 20_000  # first, and how many: two jobs on a node hardly ever share one


def slurm_resolver() -> Any:
    """Return where the workers of this step are, in the order of their ranks.

    The resolver sorts hosts by name, so that it takes node10 for the first of node[9-10], while
    SLURM counts node9 as that; so its hosts are read in the order in which SLURM lists them. Which
    GPUs a task has is left to SLURM (--gpus-per-task).
    """
    most = max(_tasks_per_node())
    first, count = PORTS
    port = first + int(os.environ.get("SLURM_JOB_ID", "0")) % count
    found = tf.distribute.cluster_resolver.SlurmClusterResolver(
        port_base=port, gpus_per_node=most, gpus_per_task=1, auto_set_gpu=False
    )
    found.cluster_spec()
    hosts = found._task_configuration
    workers = [f"{host}:{port + task}" for host, count in hosts.items() for task in range(count)]
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": workers}),
        task_type="worker",
        task_id=int(os.environ["SLURM_PROCID"]),
        rpc_layer="grpc",
    )


def _tasks_per_node() -> list[int]:
    """Return the counts in SLURM_STEP_TASKS_PER_NODE, such as 2(x3),1."""
    text = os.environ["SLURM_STEP_TASKS_PER_NODE"]
    return [int(part.partition("(")[0]) for part in text.split(",")]
