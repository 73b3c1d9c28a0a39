"""The checks of an attack: a sound one passes all, each way to break one fails its own."""

from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.audit import soundness
from pipeline.documents.evasion import Check

SOUND = {
    "noise": 0.9, "fewer": 0.55, "at": 0.5, "twice": 0.2, "unbounded": 0.0,
}  # fmt: skip
TWIN = {"own": 0.5, "transferred": 0.55, "noise": 0.9}


def failed(rows: Sequence[Check]) -> list[str]:
    assert all(row.meaning for row in rows)
    return [row.name for row in rows if not row.passed]


def test_a_sound_attack_passes_every_check() -> None:
    assert failed(soundness.of_gradients(SOUND, 1000, "file")) == []
    assert failed(soundness.of_copy(1.0, samples=1000, **TWIN)) == []
    assert soundness.of_search(0.5, 0.49, 1000, on="file").passed
    assert soundness.of_repetition(0.0, "file").passed


@pytest.mark.parametrize(
    ("broken", "name"),
    [
        ({"noise": 0.3}, "noise is weaker than the attack"),
        ({"fewer": 0.3}, "more steps never help the defender"),
        ({"twice": 0.9}, "a larger epsilon never helps the defender"),
        ({"unbounded": 0.4}, "an unbounded attack always succeeds"),
    ],
)
def test_each_broken_figure_fails_its_own_check(broken: dict[str, float], name: str) -> None:
    assert failed(soundness.of_gradients(SOUND | broken, 1000, "file")) == [name]


@pytest.mark.parametrize(
    ("agreement", "broken", "name"),
    [
        (0.98, {}, "the differentiable copy decides as the file"),
        (1.0, {"own": 0.7}, "the file's own gradients beat transferred inputs"),
        (1.0, {"transferred": 0.95}, "transferred inputs beat noise"),
    ],
)
def test_a_twin_that_is_not_the_file_fails(
    agreement: float, broken: dict[str, float], name: str
) -> None:
    assert failed(soundness.of_copy(agreement, samples=1000, **TWIN | broken)) == [name]


def test_chance_may_move_what_it_may_move_and_no_more() -> None:
    assert soundness.of_search(0.5, 0.5 - soundness.slack(1000), 1000, on="file").passed
    assert not soundness.of_search(0.5, 0.49 - soundness.slack(1000), 1000, on="file").passed
    assert soundness.slack(30) == pytest.approx(0.1)
    assert np.isclose(soundness.slack(10**6), soundness.FRACTION)
