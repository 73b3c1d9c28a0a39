"""Planted copies, wrong labels and drift are found; sets without them stay silent."""

from typing import Any

import numpy as np
import pytest

from pipeline.data.near_duplicates import doubtful_labels, drift, near_copies, sketches
from tests.documents.preprocess import entry_of

IMAGE = {
    "name": "x", "kind": "image", "shape": [8, 8, 1], "offset": 0.0, "scale": 1 / 255,
    "raw_dtype": "uint8",
}  # fmt: skip
TEXT = {
    "name": "x", "kind": "tokens", "shape": [20], "raw_dtype": "uint8", "unit": "words",
    "lower": True,
    "vocabulary": [f"w{i}" for i in range(50)], "vocabulary_size": 52,
}  # fmt: skip
NO_COPIES = {"validation": np.zeros(50, bool), "test": np.zeros(50, bool)}


def parts_of(train: int) -> dict[str, Any]:
    return {
        "train": np.arange(train),
        "validation": np.arange(train, train + 50),
        "test": np.arange(train + 50, train + 100),
    }


def sketched(values: Any, entry: dict[str, Any] = IMAGE) -> dict[str, Any]:
    parts = parts_of(len(values) - 100)
    return sketches(lambda positions: {"x": values[positions]}, [entry_of(entry)], parts)


@pytest.fixture
def images(rng: np.random.Generator) -> Any:
    return rng.integers(0, 256, (400, 8, 8, 1)).astype(np.uint8)


def test_random_images_are_no_near_copies(images: Any) -> None:
    assert near_copies(sketched(images), "image", NO_COPIES) == []


def test_images_with_a_little_noise_are_near_copies(images: Any, rng: np.random.Generator) -> None:
    noisy = images[:30].astype(int) + rng.integers(-3, 4, (30, 8, 8, 1))
    images[350:380] = np.clip(noisy, 0, 255)
    (found,) = near_copies(sketched(images), "image", NO_COPIES)
    assert (found.code, found.level) == ("near_copies_in_test", "warning")
    assert found.count == 30
    known = {"validation": np.zeros(50, bool), "test": np.arange(50) < 30}
    assert near_copies(sketched(images), "image", known) == []


def test_texts_that_differ_in_a_word_are_near_copies(rng: np.random.Generator) -> None:
    words = rng.integers(0, 50, (400, 20))
    words[340:345] = words[:5]
    words[340:345, 3] = 49
    texts = [" ".join(f"w{i}" for i in row).encode() for row in words]
    raw = np.zeros((400, 80), np.uint8)
    for row, text in zip(raw, texts, strict=True):
        row[: len(text)] = np.frombuffer(text, np.uint8)
    (found,) = near_copies(sketched(raw, TEXT), "tokens", NO_COPIES)
    assert (found.code, found.count) == ("near_copies_in_validation", 5)


def test_a_label_among_others_is_doubted(images: Any) -> None:
    labels = np.arange(300) % 2
    images[:300] = images[:300] // 8 + (labels * 200).astype(np.uint8)[:, None, None, None]
    ids = np.array([f"id{i}" for i in range(300)])
    found = sketched(images)
    assert doubtful_labels(found, labels, ids, names=("a", "b")) == []
    labels[[17, 40]] = 1 - labels[[17, 40]]
    (finding,) = doubtful_labels(found, labels, ids, names=("a", "b"))
    assert finding.count == 2
    assert "id17 (a, not b?)" in finding.text
    assert "id40 (b, not a?)" in finding.text


def test_drift_is_found_by_column_and_by_input(images: Any, rng: np.random.Generator) -> None:
    same = {"speed": (rng.normal(size=500), rng.normal(size=300))}
    assert drift(same, {}) == []
    moved = same | {"load": (rng.normal(size=500), rng.normal(0.8, 1, 300))}
    (finding,) = drift(moved, {})
    assert "load" in finding.text
    assert "speed" not in finding.text
    assert drift({}, sketched(images)) == []
    images[350:] = images[350:] // 4
    (finding,) = drift({}, sketched(images))
    assert finding.code == "drift"
