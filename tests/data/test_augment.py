"""Augmentation: a function of the seed alone; each change by its definition; shapes stay."""

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from pydantic import TypeAdapter

from pipeline.config.augment_schema import FITS
from pipeline.config.schema import Augment
from pipeline.data.augment import AUGMENT, augment

KINDS = [kind for kind in AUGMENT if kind != "mixup"]
SHAPES = {"image": (40, 8, 8, 3), "sound": (40, 12, 8, 1), "series": (40, 12, 3)}


def samples(form: str) -> Any:
    rng = np.random.default_rng(7)
    if form == "image":
        return rng.random(SHAPES[form], np.float32)
    return rng.normal(size=SHAPES[form]).astype(np.float32)


def changed(x: Any, seed: int, *changes: dict[str, Any]) -> Any:
    adapter = TypeAdapter(Augment)
    full = [adapter.validate_python(change).model_dump() for change in changes]
    return np.asarray(augment(tf.constant(x), full, tf.constant([seed, 0])))


@pytest.mark.parametrize(("kind", "form"), [(k, f) for k in KINDS for f in FITS[k] if f in SHAPES])
def test_the_seed_decides_and_shape_and_range_stay(kind: str, form: str) -> None:
    x = samples(form)
    first, again, other = (changed(x, seed, {"kind": kind}) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert first.shape == x.shape
    assert first.dtype == x.dtype
    assert np.isfinite(first).all()
    assert len({row.tobytes() for row in first}) == len(x)
    if form == "image":
        assert first.min() >= 0
        assert first.max() <= 1


@pytest.mark.parametrize(("kind", "form"), [(k, f) for k in KINDS for f in FITS[k] if f in SHAPES])
def test_a_sample_is_changed_by_itself_alone(kind: str, form: str) -> None:
    x = samples(form)
    other = x.copy()
    other[1:] = 0
    assert (changed(x, 1, {"kind": kind})[0] == changed(other, 1, {"kind": kind})[0]).all()


def test_a_flip_mirrors_about_half_of_the_images() -> None:
    images = samples("image")
    found = changed(images, 3, {"kind": "flip"})
    mirrored = (found == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (mirrored | (found == images).all(axis=(1, 2, 3))).all()
    assert 8 < mirrored.sum() < 32


def spots(count: int = 200, row: int = 8, column: int = 8) -> Any:
    spot = np.zeros((count, 17, 17, 1), np.float32)
    spot[:, row, column] = 1
    return spot


def centers(moved: Any) -> Any:
    rows, columns = np.indices(moved.shape[1:3])
    mass = moved[..., 0].sum(axis=(1, 2))
    return np.stack([(moved[..., 0] * axis).sum(axis=(1, 2)) / mass for axis in (rows, columns)])


def test_a_translation_moves_by_no_more_than_its_fraction() -> None:
    moved = changed(spots(), 5, {"kind": "translate", "fraction": 0.25})
    assert moved.sum(axis=(1, 2, 3)) == pytest.approx(1, abs=1e-5)
    away = np.abs(centers(moved) - 8).max()
    assert 3 < away <= 0.25 * 17 + 1e-3


def test_a_translation_by_whole_pixels_leaves_a_spot_a_spot() -> None:
    moved = changed(spots(), 5, {"kind": "translate", "fraction": 0.25, "whole": True})
    assert set(np.unique(moved)) == {0.0, 1.0}
    assert moved.sum(axis=(1, 2, 3)) == pytest.approx(1)
    assert set(np.unique(centers(moved)[0]) - 8) == set(range(-4, 5))


def test_a_rotation_keeps_the_middle_and_turns_by_no_more_than_its_degrees() -> None:
    found = changed(spots(), 5, {"kind": "rotate", "degrees": 30.0})
    np.testing.assert_allclose(found[:, 8, 8], 1, atol=1e-4)
    turned = centers(changed(spots(column=14), 5, {"kind": "rotate", "degrees": 30.0})) - 8
    angle = np.degrees(np.arctan2(turned[0], turned[1]))
    assert np.hypot(*turned) == pytest.approx(6, abs=0.3)
    assert 25 < np.abs(angle).max() < 31
    assert angle.min() < -20 < 20 < angle.max()


def test_a_crop_shows_a_part_in_the_size_of_the_whole() -> None:
    """Along a ramp from 0 to 1 a crop is a ramp of `least` to all of its slope."""
    ramp = np.tile(np.linspace(0, 1, 21, dtype=np.float32)[None, None, :, None], (200, 21, 1, 1))
    found = changed(ramp, 5, {"kind": "crop", "least": 0.5})[..., 0]
    slopes = np.diff(found, axis=2) * 20
    assert np.ptp(slopes, axis=(1, 2)).max() < 1e-3
    assert 0.5 <= slopes.min() < 0.55
    assert 0.95 < slopes.max() <= 1.001
    assert found.min() >= 0
    assert found.max() <= 1


def test_a_cutout_is_a_square_of_zeros_and_the_rest_stays() -> None:
    ones = np.ones((200, 20, 20, 2), np.float32)
    found = changed(ones, 5, {"kind": "cutout", "fraction": 0.3})
    assert set(np.unique(found)) == {0, 1}
    gone = (found == 0).all(axis=3)
    rows, columns = gone.any(axis=2).sum(axis=1), gone.any(axis=1).sum(axis=1)
    assert (gone.sum(axis=(1, 2)) == rows * columns).all()
    assert rows.max() == columns.max() == 6
    assert np.median(rows) == 6


def test_color_changes_each_by_its_own_factor() -> None:
    images = 0.3 + 0.4 * samples("image")
    only = {"kind": "color", "brightness": 0.0, "contrast": 0.0, "saturation": 0.0}
    np.testing.assert_allclose(changed(images, 5, only), images, atol=1e-6)
    lighter = changed(images, 5, only | {"brightness": 0.2}) - images
    assert np.ptp(lighter, axis=(1, 2, 3)).max() < 1e-6
    assert 0.15 < np.abs(lighter).max() <= 0.2 + 1e-6
    harder = changed(images, 5, only | {"contrast": 0.3})
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    factor = (harder - mean) / (images - mean)
    assert 0.25 < np.abs(np.median(factor, axis=(1, 2, 3)) - 1).max() <= 0.3 + 1e-3
    grayer = changed(images, 5, only | {"saturation": 0.3})
    np.testing.assert_allclose(grayer.mean(axis=3), images.mean(axis=3), atol=1e-6)
    assert (np.abs(grayer - images) > 1e-3).any()


@pytest.mark.parametrize("form", ["sound", "series"])
def test_a_time_shift_moves_whole_steps_and_fills_with_zero(form: str) -> None:
    x = samples(form) + 10
    found = changed(x, 5, {"kind": "time_shift", "fraction": 0.25})
    shifts = set()
    for before, after in zip(x, found, strict=True):
        (by,) = [
            s
            for s in range(-3, 4)
            if (np.roll(before, s, axis=0)[max(0, s) : 12 + min(0, s)]
                == after[max(0, s) : 12 + min(0, s)]).all()
            and (after[: max(0, s)] == 0).all() and (after[12 + min(0, s) :] == 0).all()
        ]  # fmt: skip
        shifts.add(by)
    assert shifts == set(range(-3, 4))


def test_noise_has_its_deviation_and_no_mean() -> None:
    added = changed(np.zeros((500, 12, 3), np.float32), 5, {"kind": "noise", "deviation": 0.3})
    assert added.std() == pytest.approx(0.3, rel=0.02)
    assert abs(added.mean()) < 0.01


def test_spec_augment_blanks_stretches_of_time_and_pitch() -> None:
    ones = np.ones((300, 20, 10, 1), np.float32)
    change = {"kind": "spec_augment", "time": 0.3, "bands": 0.4, "masks": 1}
    gone = changed(ones, 5, change)[..., 0] == 0
    times, bands = gone.all(axis=2), gone.all(axis=1)
    assert (gone == (times[:, :, None] | bands[:, None, :])).all()
    for blank, most in ((times, 6), (bands, 4)):
        length = blank.sum(axis=1)
        assert length.max() == most
        edges = np.abs(np.diff(np.pad(blank, ((0, 0), (1, 1))).astype(int), axis=1)).sum(axis=1)
        assert set(edges) <= {0, 2}  # one stretch at most


def test_a_scale_is_one_factor_a_channel() -> None:
    x = samples("series")
    factors = changed(x, 5, {"kind": "scale", "deviation": 0.2}) / x
    assert np.ptp(factors, axis=1).max() < 1e-5
    assert np.ptp(factors, axis=2).min() > 0
    assert factors.std() == pytest.approx(0.2, rel=0.2)


def test_a_time_warp_keeps_ends_and_order() -> None:
    """Of a rising line a warp is a rising line from the same start to the same end."""
    line = np.tile(np.linspace(0, 1, 30, dtype=np.float32)[None, :, None], (200, 1, 2))
    found = changed(line, 5, {"kind": "time_warp", "strength": 0.3})
    assert (np.diff(found, axis=1) > 0).all()
    np.testing.assert_allclose(found[:, [0, -1]], line[:, [0, -1]], atol=1e-5)
    assert np.abs(found - line).max() > 0.05
    assert (found[..., 0] == found[..., 1]).all()
    waves = np.sin(2 * math.pi * line)
    assert np.abs(changed(waves, 5, {"kind": "time_warp", "strength": 0.3})).max() <= 1


def test_two_changes_of_one_kind_are_drawn_apart() -> None:
    images = samples("image")
    assert (changed(images, 1, {"kind": "flip"}, {"kind": "flip"}) != images).any()
