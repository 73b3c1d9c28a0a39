"""Ranks, fronts and the rule: checked against plain definitions on many made-up searches."""

from typing import Any

import numpy as np
import pytest

from pipeline.documents.trials import TrialResult
from pipeline.tasks import TASKS
from pipeline.tune.goal import front, fronts, goal_of, hypervolume, pick_trial, rank_trials
from tests.tasks.named import one

SEEDS = range(20)


def rows(seed: int, count: int = 30) -> list[TrialResult]:
    random = np.random.Generator(np.random.Philox(seed))
    made = []
    for number in range(count):
        score = None if random.random() < 0.2 else round(float(random.random()), 1)
        costs: dict[str, Any] = {"bytes": int(random.integers(1, 12)) * 1000}
        if random.random() < 0.9:
            costs["latency_ms"] = round(float(random.random()), 2)
        trial = f"{number:04}"
        made.append(TrialResult(trial=trial, values={}, epochs=1, score=score, costs=costs))
    return made


def beats(a: Any, b: Any, by: str, sign: int) -> bool:
    more = sign * a.score, -a.costs[by]
    less = sign * b.score, -b.costs[by]
    return more[0] >= less[0] and more[1] >= less[1] and more != less


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("direction", "sign"), [("up", 1), ("down", -1)])
def test_the_front_is_what_nothing_beats(seed: int, direction: str, sign: int) -> None:
    for by in ("bytes", "latency_ms"):
        known = [r for r in rows(seed) if r.score is not None and by in r.costs]
        best = [r for r in known if not any(beats(o, r, by, sign) for o in known)]
        points = {(r.costs[by], r.score) for r in best}
        found = front(rows(seed), direction, by)
        assert {(r.costs[by], r.score) for r in found} == points
        assert len(found) == len(points)
        assert [r.costs[by] for r in found] == sorted(r.costs[by] for r in found)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("direction", "sign"), [("up", 1), ("down", -1)])
def test_the_hypervolume_is_the_area_that_the_front_covers(
    seed: int, direction: str, sign: int
) -> None:
    (by, found), *_ = fronts(rows(seed), direction, {"bytes": 8000}).items()
    reference = found.reference
    chosen = {r.trial: r for r in rows(seed)}
    points = [(chosen[t].known_cost(by), chosen[t].known_score) for t in found.trials]
    covered = 0.0
    for cost in range(500, 8000, 1000):  # cells of 1000 bytes by 0.1, counted one by one
        for step in range(10):
            score = reference.score + sign * (step + 0.5) / 10
            if any(c <= cost and sign * s >= sign * score for c, s in points):
                covered += 1000 * 0.1
    assert found.hypervolume == pytest.approx(covered)
    assert reference.cost == 8000


def test_a_better_trial_never_makes_the_hypervolume_smaller() -> None:
    points = [(2.0, 0.5), (4.0, 0.7)]
    area = hypervolume(points, (5.0, 0.1), "up")
    assert hypervolume([(2.0, 0.6), *points[1:]], (5.0, 0.1), "up") > area
    assert hypervolume([*points, (9.0, 0.9)], (5.0, 0.1), "up") == area


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("is_relative", [False, True])
def test_the_rule_takes_the_cheapest_of_those_nearly_as_good(
    seed: int, direction: str, is_relative: bool
) -> None:
    made = [
        r if r.score is None else r.model_copy(update={"score": 0.5 + r.score}) for r in rows(seed)
    ]
    best = rank_trials(made, direction)[0]
    within = 0.2
    taken = pick_trial(made, direction, within=within, by="bytes", is_relative=is_relative)
    room = within * (best.known_score if is_relative else 1) + 1e-9
    near = [r for r in made if r.score and abs(r.score - best.known_score) <= room]
    assert taken in near
    assert taken.known_cost("bytes") == min(r.known_cost("bytes") for r in near)
    assert pick_trial(made, direction, within=None, by="", is_relative=False) == best


def test_refused_trials_stand_last() -> None:
    order = [row.score is None for row in rank_trials(rows(1), "up")]
    assert order == sorted(order)
    assert any(order)


def test_objectives_are_what_tasks_measure() -> None:
    random = np.random.Generator(np.random.Philox(0))
    labels = np.arange(40) % 2
    for task in TASKS.values():
        found = task.metrics(one(labels), one(random.random((40, 2))))
        assert set(task.metric_names) == set(found)
        assert goal_of("auto", task) == (task.metric, task.direction)
        assert task.metric in task.metric_names
