"""Seeds: derived, stable, apart."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.seeds import fold_seed


@given(st.integers(0, 2**31 - 1), st.text(), st.text())
def test_purposes_give_other_seeds_in_range(seed: int, a: str, b: str) -> None:
    first, second = fold_seed(seed, "x", a), fold_seed(seed, "x", b)
    assert 0 <= first < 2**31
    assert (first == second) == (a == b)


def test_values_never_change() -> None:
    assert fold_seed(0, "train") == fold_seed(0, "train")
    assert fold_seed(0, "train") != fold_seed(1, "train")
