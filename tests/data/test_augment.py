"""Augmentation: a function of the seed, and of nothing else; shapes and range stay."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.data.augment import AUGMENT, augment

CHANGES = [{"kind": "translate", "fraction": 0.25}, {"kind": "flip"}]


@pytest.fixture
def images(rng: np.random.Generator) -> np.ndarray:  # type: ignore[type-arg]
    return rng.random((40, 8, 8, 2)).astype(np.float32)


def changed(images, changes, seed):  # type: ignore[no-untyped-def]
    return np.asarray(augment(tf.constant(images), changes, tf.constant([seed, 0])))


@pytest.mark.parametrize("kind", AUGMENT)
def test_the_seed_decides_and_shape_and_range_stay(images, kind: str) -> None:  # type: ignore[no-untyped-def]
    changes = [change for change in CHANGES if change["kind"] == kind]
    first, again, other = (changed(images, changes, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert first.shape == images.shape
    assert first.min() >= 0
    assert first.max() <= 1
    assert len({tuple(row.ravel()) for row in first}) == len(images)


def test_a_flip_mirrors_about_half_of_the_images(images) -> None:  # type: ignore[no-untyped-def]
    found = changed(images, [{"kind": "flip"}], 3)
    mirrored = (found == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (mirrored | (found == images).all(axis=(1, 2, 3))).all()
    assert 8 < mirrored.sum() < 32


def test_a_translation_moves_by_no_more_than_its_fraction() -> None:
    spot = np.zeros((200, 16, 16, 1), np.float32)
    spot[:, 8, 8] = 1
    moved = changed(spot, [{"kind": "translate", "fraction": 0.25}], 5)[..., 0]
    rows, columns = np.indices((16, 16))
    mass = moved.sum(axis=(1, 2))
    centers = np.stack([(moved * axis).sum(axis=(1, 2)) / mass for axis in (rows, columns)])
    assert mass == pytest.approx(1, abs=1e-5)
    assert np.abs(centers - 8).max() <= 4 + 1e-3
    assert np.abs(centers - 8).max() > 3


def test_two_changes_of_one_kind_are_drawn_apart(images) -> None:  # type: ignore[no-untyped-def]
    twice = changed(images, [{"kind": "flip"}, {"kind": "flip"}], 1)
    assert (twice != images).any()
