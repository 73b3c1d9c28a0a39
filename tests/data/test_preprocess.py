"""One meaning of preprocessing: fitted on train alone, equal in TensorFlow and in NumPy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema import Config
from pipeline.data.dataset import open_dataset
from pipeline.data.preprocess import fit_target, target_of, to_model_inputs
from pipeline.data.shards import Shards, ShardWriter, open_shards
from pipeline.documents.preprocess import Entry
from pipeline.ondevice.image import fit_image_size
from pipeline.ondevice.prepare import prepare_input
from pipeline.samples.image import fit_image
from pipeline.samples.kind import Input
from pipeline.samples.table import fit_table
from tests.conftest import prepare_data
from tests.documents.preprocess import preprocess_of

TABLE = """
name: small
task: TASK
data:
  source: {kind: bundled, name: NAME}
  split: {by: random}
model: {kind: mlp}
"""


def shards_of(folder: Path, values: Any) -> Shards:
    writer = ShardWriter(folder, Input("x", "table"))
    writer.add(values)
    return open_shards(folder, writer.finish())


def image_entry(folder: Path, values: Any) -> Entry:
    spec = Input("image", "image")
    return fit_image(spec, shards_of(folder, values), np.arange(len(values)))[0]


def test_columns_get_mean_zero_and_deviation_one_on_train(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    values = rng.normal([5, -3, 1e6], [0.1, 30, 2], (500, 3)).astype(np.float32)
    train = np.arange(300)
    spec = Input("x", "table", columns=("a", "b", "c"))
    entry, constant = fit_table(spec, shards_of(tmp_path, values), train)
    scaled = prepare_input(values[train], entry)
    assert constant == []
    assert scaled.mean(axis=0) == pytest.approx(0, abs=0.05)  # float32 of values near a million
    assert scaled.std(axis=0) == pytest.approx(1, abs=0.02)


def test_a_constant_column_becomes_zero_and_is_reported(tmp_path: Path) -> None:
    values = np.stack([np.full(20, 7.0), np.arange(20)], axis=1).astype(np.float32)
    spec = Input("x", "table", columns=("same", "other"))
    entry, constant = fit_table(spec, shards_of(tmp_path, values), np.arange(20))
    assert constant == ["same"]
    assert (prepare_input(values, entry)[:, 0] == 0).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_images_fill_zero_to_one(tmp_path: Path, dtype: str) -> None:
    ends = np.array([0, np.iinfo(dtype).max], dtype).reshape(2, 1, 1, 1)
    entry = image_entry(tmp_path, ends)
    assert prepare_input(ends, entry).ravel().tolist() == pytest.approx([0, 1])


def test_the_training_and_the_device_form_give_the_same_bits(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    raw = rng.integers(0, 256, (50, 8, 8, 3)).astype(np.uint8)
    entry = image_entry(tmp_path, raw)
    theirs = np.asarray(to_model_inputs({"image": raw}, preprocess_of([entry]))["image"])
    assert (theirs == prepare_input(raw, entry)).all()


def test_preprocessing_lets_gradients_through(tmp_path: Path) -> None:
    import tensorflow as tf

    entry = image_entry(tmp_path, np.zeros((1, 2, 2, 1), np.uint8))
    x = tf.Variable(tf.ones((1, 2, 2, 1)))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(to_model_inputs({"image": x}, preprocess_of([entry]))["image"])
    assert np.asarray(tape.gradient(y, x)) == pytest.approx(1 / 255)


def test_targets_are_scaled_and_classes_are_not(rng: np.random.Generator) -> None:
    targets = rng.normal(150, 70, 300).astype(np.float32)
    scaled = target_of(targets, preprocess_of([], target=fit_target(targets)))
    assert float(scaled.std()) == pytest.approx(1, abs=1e-3)
    assert target_of(np.array([3, 1]), preprocess_of([])).dtype == np.int32


def test_a_bundled_table_and_a_regression_are_prepared(
    tmp_path: Path, make_config: Callable[..., Config]
) -> None:
    prepare_data(
        make_config(text=TABLE.replace("TASK", "regression").replace("NAME", "diabetes")), tmp_path
    )
    dataset = open_dataset(tmp_path)
    assert dataset.class_names is None
    assert dataset.labels.dtype == np.float32
    assert dataset.preprocess.inputs[0].columns[0].name == "age"


def test_images_of_16_bits_are_never_resized_to_8(tmp_path: Path) -> None:
    entry = image_entry(tmp_path, np.full((1, 8, 8, 1), 60_000, np.uint16))
    same = np.full((2, 8, 8, 1), 60_000, np.uint16)
    assert fit_image_size(same, entry) is same
    with pytest.raises(ValueError, match=r"wanted images of 8 x 8, .* got uint16 \(9, 8\)"):
        fit_image_size(np.full((1, 9, 8, 1), 60_000, np.uint16), entry)
