"""What is said of an encoder's codes: equal codes, noise, groups, neighbours."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.verify.embedding import clusters, kept_codes, reduction


def codes(rng: np.random.Generator, count: int = 120, size: int = 5) -> Any:
    return rng.normal(size=(count, size)).astype(np.float32)


def test_the_same_codes_keep_everything(rng: np.random.Generator) -> None:
    same = codes(rng)
    assert kept_codes(same, same) == {
        "sqnr_db": 100.0,
        "cosine": pytest.approx(1),
        "neighbours": 1.0,
    }


@given(st.floats(0.01, 1.0))
def test_noise_of_a_known_power_is_found(deviation: float) -> None:
    rng = np.random.default_rng(0)
    reference = codes(rng, 2000)
    found = kept_codes(reference, reference + deviation * codes(rng, 2000))
    assert found["sqnr_db"] == pytest.approx(-20 * np.log10(deviation), abs=0.3)


def test_more_noise_keeps_fewer_neighbours(rng: np.random.Generator) -> None:
    reference, noise = codes(rng), codes(rng)
    shares = [kept_codes(reference, reference + d * noise)["neighbours"] for d in (0.01, 0.3, 30)]
    assert shares[0] > shares[1] > shares[2]
    assert shares[2] < 0.3  # ten of 119 by chance


def test_groups_far_apart_are_found_as_the_classes(rng: np.random.Generator) -> None:
    labels = np.arange(120) % 3
    found = clusters(apart := codes(rng) + 50 * np.eye(3, 5)[labels], apart, labels, 0)
    assert found == {"clusters": 3, "agreement": 1.0, "classes": 1.0}
    by_chance = clusters(apart, apart, rng.permutation(labels), 0)
    assert abs(by_chance["classes"]) < 0.1


def test_without_classes_only_the_file_is_compared(rng: np.random.Generator) -> None:
    found = clusters(codes(rng), codes(rng), None, 0)
    assert found["classes"] is None
    assert found["agreement"] < 0.2


def test_a_code_that_is_the_input_keeps_all_neighbours(rng: np.random.Generator) -> None:
    inputs = codes(rng, size=8)
    found = reduction(inputs, inputs, inputs)
    assert found["from"] == found["to"] == 8
    assert found["trustworthiness"] == found["of_principal_components"] == pytest.approx(1)
    shuffled = reduction(inputs, inputs, rng.permutation(inputs))
    assert shuffled["trustworthiness"] < 0.7
