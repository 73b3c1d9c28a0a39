"""MLPerf Tiny: the configs read sets of the published form, and build the published networks."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.load import load
from pipeline.data.dataset import Dataset
from pipeline.errors import ConfigError
from pipeline.models import MODELS
from tests.conftest import CONFIGS, make_spec
from tests.data.mlperf import SETS, settings, with_set

Prepared = Callable[..., Dataset]
# What a network sees and answers; the number of its weights that is published, and whether the
# statistics of normalization are among them: the README of each model in NXP's eIQ model zoo.
NETS: dict[str, tuple[list[int], dict[str, Any], int, bool]] = {
    "mlperf_keyword": ([49, 10, 1], {"task": "classification", "units": 12}, 23_756, False),
    "mlperf_wake_words": ([96, 96, 3], {"task": "classification", "units": 2}, 221_794, True),
    "mlperf_images": ([32, 32, 3], {"task": "classification", "units": 10}, 78_666, True),
    "mlperf_machines": ([5, 128, 1], {"task": "anomaly"}, 267_928, False),
}
TARGETS = {"mlperf_keyword": 0.90, "mlperf_wake_words": 0.80, "mlperf_images": 0.85}
CLASSES = {"mlperf_keyword": 12, "mlperf_wake_words": 2, "mlperf_images": 10, "mlperf_machines": 2}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mlperf")
    shutil.copytree(CONFIGS, folder / "configs")
    for name in SETS:
        with_set(name, folder)
    return folder


def vanished(model: Any) -> int:
    """Return how many biases stand before a normalization in the benchmark, and not in ours."""
    bare = [layer for layer in model.layers if getattr(layer, "use_bias", True) is False]
    return sum(layer.output.shape[-1] for layer in bare)


@pytest.mark.parametrize("name", NETS)
def test_a_network_has_the_published_number_of_weights(root: Path, name: str) -> None:
    import keras

    shape, output, published, with_statistics = NETS[name]
    model = load(root / "configs" / f"{name}.yaml").model.model_dump(mode="json")
    inputs = [{"name": "x", "shape": shape, "dtype": "float32"}]
    made = MODELS[model["kind"]](keras, make_spec(model, inputs, output, seed=0))
    weights = made.weights if with_statistics else made.trainable_weights
    assert sum(int(np.prod(w.shape)) for w in weights) + vanished(made) == published


def test_the_targets_are_gates(root: Path) -> None:
    for name, target in TARGETS.items():
        assert load(root / "configs" / f"{name}.yaml").gate.min_metric == target
    assert load(root / "configs/mlperf_machines.yaml").gate.min_recording_auc == 0.85


@pytest.mark.parametrize("name", NETS)
def test_a_set_of_the_published_form_is_read(root: Path, prepared: Prepared, name: str) -> None:
    dataset = prepared(root, name, *settings(name))
    (entry,) = dataset.preprocess.inputs
    assert list(entry.shape) == NETS[name][0]
    assert len(dataset.class_names or ()) == CLASSES[name]
    assert {part: len(dataset.split(part)) > 0 for part in dataset.splits} == dict.fromkeys(
        ("train", "validation", "test", "calibration"), True
    )


def test_a_recording_of_a_car_is_in_one_part_and_told_by_machine(
    root: Path, prepared: Prepared
) -> None:
    dataset = prepared(root, "mlperf_machines")
    recordings, groups = dataset.recordings, dataset.report_groups
    assert recordings is not None
    assert groups is not None
    parts = {name: set(recordings[dataset.split(name)]) for name in ("train", "validation", "test")}
    assert not parts["train"] & parts["validation"]
    assert all(name.startswith("test/") for name in parts["test"])
    assert len(parts["train"]) + len(parts["validation"]) == 24
    assert set(groups) == {"01", "02"}
    assert not dataset.labels[dataset.split("train")].any()
    windows = dataset.read(np.flatnonzero(recordings == "train/normal_id_01_00000000.wav"))["audio"]
    assert windows.shape == (6, 3072)  # a second of 0.192 s every 0.16 s; the rest is cut
    np.testing.assert_array_equal(windows[0, 2560:], windows[1, : 3072 - 2560])


@pytest.mark.parametrize("name", ["mlperf_wake_words", "mlperf_machines"])
def test_a_set_that_is_not_there_is_told_with_where_to_look(name: str, tmp_path: Path) -> None:
    config = shutil.copytree(CONFIGS, tmp_path / "configs") / f"{name}.yaml"
    with pytest.raises(ConfigError, match=r"there is none at .*the first lines of the config say"):
        load(config)
    assert "runs/data" in config.read_text().split("name:")[0]
