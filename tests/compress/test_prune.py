"""Pruning: as many zeros as asked, the smallest first, in tfmot's own steps; kill or no kill."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.compress.distillation import DistillationJob
from pipeline.compress.prune import UPDATES, is_due, largest, prune_network, rise_of, sparsity_at
from pipeline.data.preprocess import to_model_inputs
from pipeline.documents.spec import Spec
from pipeline.models import MODELS
from pipeline.models.kernels import compressible_kernels
from pipeline.models.save import load_keras, save_keras
from tests.train.kills import assert_same_bits, with_kills


def section(**settings: Any) -> SimpleNamespace:
    plain = {"sparsity": 0.75, "schedule": "polynomial", "begin": 0.0, "end": 0.5}
    return SimpleNamespace(**(plain | {"epochs": 3, "learning_rate": 3e-3} | settings))


@pytest.fixture
def job(spec: Spec, digits: Any, tmp_path: Path) -> Callable[..., DistillationJob]:
    keras.utils.clear_session()
    path = tmp_path / "model.keras"
    save_keras(MODELS["cnn"](keras, spec), path)

    def make(name: str, **settings: Any) -> DistillationJob:
        learning = {"seed": 3, "strategy": "one_device", "batch_size": 64, "augment": []}
        asked, work = section(**settings), tmp_path / name
        return DistillationJob(path, path, digits, asked, "compress.prune", work=work, **learning)

    return make


@given(
    arrays.arrays(
        np.float32, st.integers(1, 40), elements=st.floats(-9, 9, width=32, allow_subnormal=False)
    ),
    st.floats(0, 0.99),
)
def test_the_largest_stay_and_nothing_else(values: np.ndarray, sparsity: float) -> None:
    found = largest(tf.constant(values), sparsity).numpy()
    kept = max(round(np.float32(len(values)) * np.float32(1 - np.float32(sparsity))), 1)
    assert ((found == values) | (found == 0)).all()
    sizes = np.sort(np.abs(values))[::-1]
    np.testing.assert_array_equal(np.sort(np.abs(found))[::-1][:kept], sizes[:kept])
    assert (found != 0).sum() == min(kept, (values != 0).sum())


TFMOT = """
import json, sys
import numpy as np, tensorflow as tf
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl, pruning_schedule
first, last, every, sparsity = json.loads(sys.argv[1])
decay = pruning_schedule.PolynomialDecay(0.0, sparsity, first, last, frequency=every)
rows = [[bool(turn), float(share)] for turn, share in map(decay, range(last + 5))]
values = tf.constant(json.loads(sys.argv[2]), tf.float32)
once = pruning_schedule.ConstantSparsity(sparsity, 0)
pruning = pruning_impl.Pruning(lambda: 0, [], once, (1, 1), "AVG")
print(json.dumps([rows, pruning._update_mask(values)[1].numpy().tolist()]))
"""


@pytest.mark.slow
def test_steps_and_masks_are_those_of_tfmot(rng: np.random.Generator) -> None:
    """In a process of its own: importing tfmot changes what tf.keras is."""
    rise = rise_of(section(begin=0.1, end=0.6), 3 * UPDATES)
    values = rng.normal(size=(6, 7)).astype(np.float32)
    asked = json.dumps([rise.first, rise.last, rise.every, rise.sparsity])
    arguments = [sys.executable, "-c", TFMOT, asked, json.dumps(values.tolist())]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows, mask = json.loads(done.stdout.splitlines()[-1])
    for number, (turn, share) in enumerate(rows):
        assert bool(is_due(rise, tf.constant(number))) == turn, number
        np.testing.assert_allclose(sparsity_at(rise, tf.constant(number)), share, atol=1e-6)
    np.testing.assert_array_equal(largest(tf.constant(values), rise.sparsity) != 0, mask)


@pytest.mark.parametrize("steps", [1, 2, 3, 50, 1234])
@pytest.mark.parametrize("schedule", ["polynomial", "constant"])
@pytest.mark.parametrize(("begin", "end"), [(0.0, 1.0), (0.2, 0.5), (0.99, 1.0)])
def test_however_short_it_is_the_last_mask_is_made_and_is_whole(
    steps: int, schedule: str, begin: float, end: float
) -> None:
    rise = rise_of(section(schedule=schedule, begin=begin, end=end), steps)
    due = [n for n in range(steps) if is_due(rise, tf.constant(n))]
    shares = [float(sparsity_at(rise, tf.constant(n))) for n in due]
    assert shares[-1] == pytest.approx(0.75)
    assert shares == sorted(shares)
    assert len(due) <= UPDATES + UPDATES // 2 + 2


def test_kernels_get_their_zeros_and_it_comes_nearer_to_what_it_was(
    job: Callable[..., DistillationJob], digits: Any
) -> None:
    given = job("work", epochs=10)
    model, teacher = prune_network(given), load_keras(given.teacher)
    cut = load_keras(given.teacher)
    for weight in compressible_kernels(cut):
        weight.assign(largest(weight.value, 0.75))
    names = {weight.path for weight in compressible_kernels(model)}
    for weight, old in zip(model.weights, teacher.weights, strict=True):
        zeros = int((weight.numpy() == 0).sum())
        wanted = weight.numpy().size - round(0.25 * weight.numpy().size)
        if weight.path in names:
            assert zeros == wanted, weight.path
        else:
            assert (zeros == 0) or (old.numpy() == 0).any(), weight.path
    x = to_model_inputs(digits.read(digits.split("validation")), digits.preprocess)
    wanted = teacher(x, training=False)
    apart = [
        float(tf.reduce_mean(keras.losses.kl_divergence(wanted, net(x, training=False))))
        for net in (model, cut)
    ]
    assert apart[0] < 0.5 * apart[1]


@pytest.mark.slow
def test_a_killed_pruning_ends_with_the_same_bits(
    job: Callable[..., DistillationJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prune_network(job("whole"))
    again, kills = with_kills(
        monkeypatch, lambda count, _: count in (2, 5), lambda: prune_network(job("cut"))
    )
    assert kills == 2
    assert_same_bits(whole, again)
