"""A set of TensorFlow Datasets: read in the builder's own form, or refused in seconds."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema import Config
from pipeline.data.dataset import open_dataset
from pipeline.errors import ConfigError
from tests.conftest import prepare_data

SECONDS = 20.0  # an import of TFDS and two probes; left alone it retries for minutes
TEXT = """
name: small
task: classification
data:
  source: {kind: tfds, name: NAME, data_dir: tfds}
  split: {by: given, validation: 0.2}
model: {kind: cnn, filters: [4], dense: [8]}
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a set that was prepared as TFDS prepares any."""
    import tensorflow_datasets as tfds

    class TinyShapes(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc]
        """Eight by eight pixels of one level."""

        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> Any:
            features = {
                "image": tfds.features.Image(shape=(8, 8, 1)),
                "nested": {"size": np.float32},
                "label": tfds.features.ClassLabel(names=["low", "high"]),
                "words": tfds.features.Text(),
                "names": tfds.features.Sequence(tfds.features.Text()),
            }
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager: Any) -> Any:
            return {"train": self._examples(0, 40), "test": self._examples(40, 50)}

        def _generate_examples(self) -> Any:
            raise NotImplementedError

        def _examples(self, start: int, stop: int) -> Iterator[tuple[int, dict[str, Any]]]:
            for i in range(start, stop):
                image = np.full((8, 8, 1), 5 * i, np.uint8)
                yield (
                    i,
                    {
                        "image": image,
                        "nested": {"size": i},
                        "label": i % 2,
                        "words": f"number {i}",
                        "names": [],
                    },
                )

    folder = tmp_path_factory.mktemp("sets")
    TinyShapes(data_dir=folder / "tfds").download_and_prepare()
    return folder


@pytest.fixture
def prepare(base: Path, tmp_path: Path, make_config: Callable[..., Config]) -> Callable[..., Any]:
    def call(*overrides: str, name: str = "tiny_shapes") -> Any:
        prepare_data(make_config(*overrides, text=TEXT.replace("NAME", name)), tmp_path, base)
        return open_dataset(tmp_path)

    return call


def test_samples_come_with_the_sets_own_parts_and_names(prepare: Callable[..., Any]) -> None:
    dataset = prepare()
    assert dataset.class_names == ("low", "high")
    sizes = {name: len(dataset.split(name)) for name in ("train", "validation", "test")}
    assert sizes == {"train": 32, "validation": 8, "test": 10}
    images = dataset.read(dataset.split("test"))["image"]
    assert sorted(images[:, 0, 0, 0]) == list(range(200, 250, 5))
    assert (images[:, 0, 0, 0] // 5 % 2 == dataset.labels[dataset.split("test")]).all()
    assert len(set(dataset.ids)) == 50


def test_several_inputs_and_slices(prepare: Callable[..., Any]) -> None:
    slices = "data.source.splits={train: 'train[:50%]', validation: 'train[50%:]', test: test}"
    dataset = prepare("data.source.inputs=[image, nested/size]", slices, "model={kind: mlp}")
    assert [entry.name for entry in dataset.inputs] == ["image", "nested/size"]
    assert len(dataset.split("train")) == len(dataset.split("validation")) == 20
    read = dataset.read(np.arange(50))
    assert (read["nested/size"][:, 0] * 5 == read["image"][:, 0, 0, 0]).all()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.source.inputs=[picture]"], "has no feature 'picture'; it has image, nested/size"),
        (["data.source.inputs=[names]"], "'names' of tiny_shapes is Sequence"),
        (["data.source.label=words"], "wanted one class or one number"),
        (["data.source.splits={train: training}"], r"no split 'training'; it has .*train \(40\)"),
        (
            ["data.source.splits={train: train, test: 'train[:50%]'}"],
            "wanted parts that share noth",
        ),
        (["task=regression", "data.split.by=given"], "labels of this source are classes"),
    ],
)
def test_what_the_set_has_not_is_refused_with_what_it_has(
    prepare: Callable[..., Any], overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        prepare(*overrides)


def test_an_unknown_set_is_refused_at_once_with_the_nearest(prepare: Callable[..., Any]) -> None:
    started = time.monotonic()
    with pytest.raises(ConfigError, match="no set 'fashion_mnst'; did you mean 'fashion_mnist'"):
        prepare(name="fashion_mnst")
    assert time.monotonic() - started < SECONDS


def test_a_set_that_is_not_here_fails_in_seconds_without_a_network(
    prepare: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody answers there
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    started = time.monotonic()
    with pytest.raises(ConfigError, match=r"is not prepared in .*data\.source\.data_dir"):
        prepare(name="kmnist")
    assert time.monotonic() - started < SECONDS
