"""Where a process stands in a cluster, and what cannot be trained there."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config.schema import Config
from pipeline.errors import ConfigError
from pipeline.launch.place import Place, check_launch, check_place, place_here


def tf_config(kind: str, index: Any, **cluster: list[str]) -> dict[str, str]:
    task = {"type": kind, "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}


def test_a_process_knows_its_place_from_tf_config() -> None:
    place = place_here(tf_config("worker", 1, worker=["a:1", "b:2"]))
    assert place == Place(1, 2, "TF_CONFIG", ("a:1", "b:2"))
    assert not place.is_chief


def test_a_chief_is_the_first_of_the_workers() -> None:
    cluster = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}
    chief = place_here(tf_config("chief", 0, **cluster))
    assert chief is not None
    assert (chief.index, chief.is_chief) == (0, True)
    other = place_here(tf_config("worker", 0, **cluster))
    assert other is not None
    assert (other.index, other.count) == (1, 3)


def test_a_process_is_alone_without_others() -> None:
    assert place_here({}) is None
    assert place_here({"TF_CONFIG": ""}) is None
    assert place_here(tf_config("worker", 0, worker=["a:1"])) is None
    assert place_here({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}) is None  # a batch script's own
    assert place_here({"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}) is None


def test_a_slurm_step_of_several_tasks_is_a_cluster() -> None:
    place = place_here({"SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "4"})
    assert place == Place(2, 4, "SLURM")


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"TF_CONFIG": "{"}, "wanted"),
        ({"TF_CONFIG": '{"cluster": {"worker": ["a:1"]}}'}, "wanted"),
        ({"TF_CONFIG": "[]"}, "wanted"),
        (tf_config("worker", "one", worker=["a:1", "b:1"]), "wanted"),
        (tf_config("worker", 2, worker=["a:1", "b:1"]), "no worker 2"),
        (tf_config("worker", 0, worker=["a:1"], ps=["b:1"]), "ps"),
        (tf_config("evaluator", 0, worker=["a:1", "b:1"]), "evaluator"),
    ],
)
def test_a_cluster_that_cannot_be_is_refused(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        place_here(environ)


def test_batches_that_workers_cannot_share_are_refused(make_config: Callable[..., Config]) -> None:
    config = make_config("data.batch_size=64", "train.strategy=one_device")
    with pytest.raises(ConfigError) as refused:
        check_launch(config, 3)
    one, two = refused.value.problems
    assert "train.strategy" in one
    assert "auto or multi_worker" in one
    assert "data.batch_size: 64" in two
    assert "such as 63" in two
    check_launch(make_config("data.batch_size=63"), 3)


def test_several_workers_need_a_cluster(make_config: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError, match="edgeline launch"):
        check_place(make_config("train.strategy=multi_worker"), None)
    place = Place(0, 2, "TF_CONFIG", ("a:1", "b:1"))
    assert check_place(make_config(), place) is place
    assert check_place(make_config(), None) is None


def test_hosts_of_a_slurm_step_stand_in_the_order_of_its_ranks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pipeline.train.slurm import slurm_resolver

    environ = {
        "SLURM_PROCID": "1",
        "SLURM_STEP_NUM_TASKS": "3",
        "SLURM_STEP_NODELIST": "node[9-10]",
        "SLURM_STEP_TASKS_PER_NODE": "1,2",
        "SLURM_JOB_ID": "41",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    found = slurm_resolver()
    workers = found.cluster_spec().as_dict()["worker"]
    assert workers == ["node9:20041", "node10:20041", "node10:20042"]
    assert (found.task_type, found.task_id) == ("worker", 1)
