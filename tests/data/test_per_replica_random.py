"""What is drawn for a sample does not depend on how many devices share its batch."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.config.augment_schema import FITS
from pipeline.data.per_replica_random import draw_per_replica, first_here, share_of
from pipeline.harden.ball import Ball
from tests.data.test_augment import KINDS, SHAPES, changed, samples

SEED = tf.constant([3, 4])
LAST_BIT = 1e-5  # a product of matrices rounds by its size


@pytest.mark.parametrize(("kind", "form"), [(k, f) for k in KINDS for f in FITS[k] if f in SHAPES])
@pytest.mark.parametrize("devices", [2, 5])
def test_devices_change_their_samples_as_one_would(kind: str, form: str, devices: int) -> None:
    x = samples(form)
    whole, share, parts = changed(x, 3, {"kind": kind}), len(x) // devices, []
    for first in range(0, len(x), share):
        with share_of(tf.constant(first), share, len(x)):
            parts.append(changed(x[first : first + share], 3, {"kind": kind}))
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=0, atol=LAST_BIT)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_devices_start_attacks_where_one_would(norm: Any, rng: np.random.Generator) -> None:
    x = tf.constant(rng.random((6, 4, 4, 1), np.float32))
    ball = Ball(norm, 0.1)
    with share_of(2, 2, 6):
        own = ball.start(x[2:4], SEED)
    np.testing.assert_allclose(own, ball.start(x, SEED)[2:4], rtol=0, atol=1e-7)


def test_alone_a_device_draws_for_itself() -> None:
    plain = tf.random.stateless_uniform((4, 2), SEED)
    np.testing.assert_array_equal(
        draw_per_replica(tf.random.stateless_uniform, (4, 2), SEED), plain
    )
    with share_of(0, 4, 4):
        assert first_here() == 0
        np.testing.assert_array_equal(
            draw_per_replica(tf.random.stateless_uniform, (4, 2), SEED), plain
        )
    assert first_here() == 0
