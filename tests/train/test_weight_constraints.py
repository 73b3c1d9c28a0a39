"""What is held stays, to the bit, whatever the optimizer does; on two devices too."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.documents.spec import Spec
from pipeline.train.weight_constraints import (
    WeightConstraint,
    cluster_mask,
    constrain_gradients,
    constrain_values,
    constrained_values,
    sparsity_mask,
)

STEPS = 7


def sparse_and_tied(rng: np.random.Generator) -> np.ndarray:
    return rng.choice(np.array([-0.5, 0.0, 0.25, 1.0], np.float32), size=(9, 13))


def learn(weight: Any, constraint: WeightConstraint, rng: np.random.Generator) -> None:
    """Make some steps of Adam, each with a gradient of its own for every weight."""
    optimizer, strategy = keras.optimizers.Adam(0.1), tf.distribute.get_strategy()
    for number in range(STEPS):
        found = [tf.constant(rng.normal(size=weight.shape), tf.float32)]
        before = constrained_values([constraint])
        optimizer.apply(constrain_gradients([constraint], [weight], found), [weight])
        constrain_values(strategy, [constraint], before, number=tf.constant(number))


def test_zeros_stay_and_the_others_learn(rng: np.random.Generator) -> None:
    values = sparse_and_tied(rng)
    weight = keras.Variable(values)
    learn(weight, sparsity_mask(weight), rng)
    found = weight.numpy()
    np.testing.assert_array_equal(found == 0, values == 0)
    assert (found != values)[values != 0].all()
    assert not np.signbit(found[found == 0]).any()  # one zero, not two: files are zipped


def test_equal_weights_stay_equal_and_learn_as_one(rng: np.random.Generator) -> None:
    values = sparse_and_tied(rng)
    weight = keras.Variable(values)
    groups = np.unique(values, return_inverse=True)[1].reshape(values.shape)
    learn(weight, cluster_mask(weight, groups), rng)
    found = weight.numpy()
    assert len(np.unique(found)) == len(np.unique(values))
    for value in np.unique(values):
        (shared,) = np.unique(found[values == value])
        assert (shared == 0) == (value == 0)
        assert shared != value or value == 0


def test_a_group_learns_from_all_its_members(rng: np.random.Generator) -> None:
    """By the chain rule: the derivative by the shared value is the sum over who shares it."""
    values, gradient = sparse_and_tied(rng), rng.normal(size=(9, 13)).astype(np.float32)
    weight = keras.Variable(values)
    constraint = cluster_mask(weight, np.unique(values, return_inverse=True)[1])
    (found,) = constrain_gradients([constraint], [weight], [tf.constant(gradient)])
    for value in np.unique(values):
        wanted = 0.0 if value == 0 else gradient[values == value].sum()
        np.testing.assert_allclose(found.numpy()[values == value], wanted, rtol=1e-4, atol=1e-6)


def test_what_is_not_held_learns_as_it_would(rng: np.random.Generator) -> None:
    one, other = keras.Variable(sparse_and_tied(rng)), keras.Variable(sparse_and_tied(rng))
    gradients = [tf.ones((9, 13)), tf.ones((9, 13))]
    _, found = constrain_gradients([sparsity_mask(one)], [one, other], gradients)
    assert found is gradients[1]


MIRRORED = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import json, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from pathlib import Path
from types import SimpleNamespace
from pipeline.compress.distillation import DistillationJob
from pipeline.compress.prune import prune_network
from pipeline.data.dataset import open_dataset
model, folder, out = map(Path, sys.argv[1:])
settings = SimpleNamespace(epochs=3, learning_rate=1e-3, sparsity=0.5, schedule="polynomial",
    begin=0.0, end=0.5)
found = {}
for strategy in ("one_device", "mirrored"):
    job = DistillationJob(model, model, open_dataset(folder), settings, "compress.prune", seed=3,
        strategy=strategy, batch_size=64, augment=[], work=out / strategy)
    found[strategy] = prune_network(job).get_weights()
pairs = list(zip(*found.values(), strict=True))
print(json.dumps([max(float(np.abs(a - b).max()) for a, b in pairs),
    [[int((x == 0).sum()) for x in pair] for pair in pairs if pair[0].ndim > 1]]))
"""


@pytest.mark.slow
def test_two_devices_hold_what_one_does(spec: Spec, digits: Any, tmp_path: Path) -> None:
    from pipeline.models import MODELS
    from pipeline.models.save import save_keras

    keras.utils.clear_session()
    without_dropout = spec.model_copy(
        update={"model": spec.model.model_copy(update={"dropout": 0.0})}
    )  # devices draw apart
    save_keras(MODELS["cnn"](keras, without_dropout), tmp_path / "model.keras")
    arguments = [str(tmp_path / "model.keras"), str(digits.folder), str(tmp_path / "work")]
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    apart, zeros = json.loads(done.stdout.splitlines()[-1])
    assert apart < 1e-3, apart  # sums in another order
    assert all(one == other > 0 for one, other in zeros), zeros
