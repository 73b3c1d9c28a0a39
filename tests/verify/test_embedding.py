"""What is said of an encoder's codes: equal codes, noise, groups, neighbors."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.verify.embedding import compare_clusters, compare_codes, measure_reduction


def codes(rng: np.random.Generator, count: int = 120, size: int = 5) -> Any:
    return rng.normal(size=(count, size)).astype(np.float32)


def test_the_same_codes_keep_everything(rng: np.random.Generator) -> None:
    same = codes(rng)
    found = compare_codes(same, same)
    assert (found.sqnr_db, found.neighbor_overlap) == (100.0, 1.0)
    assert found.cosine == pytest.approx(1)


@given(st.floats(0.01, 1.0))
def test_noise_of_a_known_power_is_found(deviation: float) -> None:
    rng = np.random.default_rng(0)
    reference = codes(rng, 2000)
    found = compare_codes(reference, reference + deviation * codes(rng, 2000))
    assert found.sqnr_db == pytest.approx(-20 * np.log10(deviation), abs=0.3)


def test_more_noise_keeps_fewer_neighbors(rng: np.random.Generator) -> None:
    reference, noise = codes(rng), codes(rng)
    shares = [
        compare_codes(reference, reference + d * noise).neighbor_overlap for d in (0.01, 0.3, 30)
    ]
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] < 0.3  # ten of 119 by chance


def test_groups_far_apart_are_found_as_the_classes(rng: np.random.Generator) -> None:
    labels = np.arange(120) % 3
    found = compare_clusters(apart := codes(rng) + 50 * np.eye(3, 5)[labels], apart, labels, seed=0)
    assert (found.clusters, found.with_reference, found.with_classes) == (3, 1.0, 1.0)
    by_chance = compare_clusters(apart, apart, rng.permutation(labels), seed=0)
    assert abs(by_chance.with_classes or 0) < 0.1


def test_without_classes_only_the_file_is_compared(rng: np.random.Generator) -> None:
    found = compare_clusters(codes(rng), codes(rng), None, seed=0)
    assert found.with_classes is None
    assert found.with_reference < 0.2


def test_a_code_that_is_the_input_keeps_all_neighbors(rng: np.random.Generator) -> None:
    inputs = codes(rng, size=8)
    found = measure_reduction(inputs, inputs, inputs)
    assert found.input_size == found.code_size == 8
    assert found.trustworthiness == found.pca_trustworthiness == pytest.approx(1)
    shuffled = measure_reduction(inputs, inputs, rng.permutation(inputs))
    assert shuffled.trustworthiness < 0.7
