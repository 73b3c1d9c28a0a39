"""The order of samples: a permutation for each epoch, the same in every process."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.arrays import take
from pipeline.train import batches as reading
from pipeline.train.batches import Feed


@pytest.fixture
def feed(digits: Any) -> Feed:
    positions = digits.split("train")
    return Feed(digits, positions, digits.targets(positions), batch_size=64, seed=5)


def test_an_epoch_uses_no_sample_twice(feed: Feed) -> None:
    order = feed.order(0).ravel()
    assert len(set(order.tolist())) == len(order) == feed.steps * 64


def test_epochs_and_seeds_differ_and_repeat(feed: Feed) -> None:
    assert (feed.order(1) == feed.order(1)).all()
    assert (feed.order(0) != feed.order(1)).any()
    assert (feed.order(0) != replace(feed, seed=6).order(0)).any()


@pytest.mark.parametrize("first", [0, 3, 19])
def test_reading_may_begin_at_any_step(feed: Feed, first: int) -> None:
    read = [(inputs["image"], targets) for _, inputs, targets in feed.calls(2, first)]
    labels = np.concatenate([targets["class"] for _, targets in read])
    np.testing.assert_array_equal(labels, feed.targets["class"][feed.order(2)[first:]])
    images = np.concatenate([images for images, _ in read])
    wanted = feed.dataset.read(feed.positions[feed.order(2)[first]])["image"]
    np.testing.assert_array_equal(images[0], wanted)


@pytest.mark.parametrize("threads", [2, 8])
def test_another_number_of_reading_threads_gives_the_same_batches(
    feed: Feed, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    def batches() -> list[Any]:
        return [(start, inputs["image"], targets) for start, inputs, targets in feed.calls(1, 2)]

    alone = batches()
    monkeypatch.setattr(reading, "ThreadPoolExecutor", lambda _: ThreadPoolExecutor(threads))
    for one, other in zip(alone, batches(), strict=True):
        assert one[0] == other[0]
        np.testing.assert_array_equal(one[1], other[1])
        np.testing.assert_array_equal(one[2]["class"], other[2]["class"])


def test_fewer_samples_than_a_batch_are_one_batch(feed: Feed) -> None:
    small = replace(feed, positions=feed.positions[:10], targets=take(feed.targets, slice(10)))
    assert (small.batch, small.steps) == (10, 1)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_workers_read_their_own_rows_of_one_order(feed: Feed, parts: int) -> None:
    """However many share a batch, together they read what one would, and nothing twice."""
    whole = [(inputs["image"], targets["class"]) for _, inputs, targets in feed.calls(1, 17)]
    shares = [replace(feed, part=part, parts=parts) for part in range(parts)]
    read = [[(i["image"], t["class"]) for _, i, t in share.calls(1, 17)] for share in shares]
    for call, (images, targets) in enumerate(whole):
        assert {own[call][1].shape[1] for own in read} == {64 // parts}
        found = np.concatenate([own[call][0] for own in read], axis=1)
        np.testing.assert_array_equal(found, images)
        found = np.concatenate([own[call][1] for own in read], axis=1)
        np.testing.assert_array_equal(found, targets)
