"""The goal of a search: the best trials, the chosen one, and the Pareto front. Pure.

Only finished trials, those with a score, take part.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from pipeline.documents.trials import Front, ReferencePoint, TrialResult
from pipeline.tasks.task import Task

LESS_IS_MORE = ("mae", "rmse", "relative_mae")
FRONTS = ("bytes", "latency_ms")  # what the metric is compared with, where it is known


def goal_of(objective: str, task: Task) -> tuple[str, Literal["up", "down"]]:
    """Return the name of the score, and its direction: up or down.

    Args:
        objective: of `tune`; auto is the task's metric.
        task: its metric judges the outputs.
    """
    name = task.metric if objective == "auto" else objective
    return name, "down" if name in LESS_IS_MORE else "up"


def rank_trials(rows: Sequence[TrialResult], direction: str) -> list[TrialResult]:
    """Return the trials, best first, equal ones by their numbers, refused ones last."""
    sign = -1 if direction == "up" else 1
    done = [row for row in rows if row.score is not None]
    others = [row for row in rows if row.score is None]
    best = sorted(done, key=lambda row: (sign * row.known_score, row.trial))
    return best + sorted(others, key=lambda row: row.trial)


def pick_trial(
    rows: Sequence[TrialResult], direction: str, *, within: float | None, by: str, is_relative: bool
) -> TrialResult:
    """Return the chosen trial.

    Args:
        rows: at least one is finished.
        direction: of the score.
        within: how far behind the best the cheapest may be; None: the best is chosen.
        by: the cost that counts then.
        is_relative: whether that is a fraction of the best score.
    """
    first, *_ = order = [row for row in rank_trials(rows, direction) if row.score is not None]
    if within is None:
        return first
    room = within * abs(first.known_score) if is_relative else within
    near = [row for row in order if abs(row.known_score - first.known_score) <= room + 1e-12]
    known = [row for row in near if row.costs.get(by) is not None]
    return min(known, key=lambda row: row.known_cost(by)) if known else first


def front(rows: Sequence[TrialResult], direction: str, by: str) -> list[TrialResult]:
    """Return the trials that no other beats in both score and cost, the cheapest first.

    Of trials that are equal in both, the first counts.
    """
    sign = 1 if direction == "up" else -1
    known = [row for row in rows if row.score is not None and row.costs.get(by) is not None]
    found: list[TrialResult] = []
    order = sorted(known, key=lambda r: (r.known_cost(by), -sign * r.known_score, r.trial))
    for row in order:
        if not found or sign * row.known_score > sign * found[-1].known_score:
            found.append(row)
    return found


def hypervolume(
    points: Sequence[tuple[float, float]], reference: tuple[float, float], direction: str
) -> float:
    """Return the area between a front and a reference point: more is better.

    Zitzler and Thiele 1998, "Multiobjective optimization using evolutionary algorithms".

    Args:
        points: (cost, score) of each trial of the front, the cheapest first.
        reference: (cost, score) that is as bad as any; points beyond it add nothing.
        direction: of the score.
    """
    sign = 1 if direction == "up" else -1
    area, height = 0.0, 0.0
    for cost, score in points:
        rise = sign * (score - reference[1])
        if cost <= reference[0] and rise > height:
            area += (reference[0] - cost) * (rise - height)
            height = rise
    return area


def fronts(
    rows: Sequence[TrialResult], direction: str, limits: Mapping[str, float | None]
) -> dict[str, Front]:
    """Return the Pareto front by cost, with its hypervolume.

    The reference is the worst score of a finished trial, at the limit; where there is none, at the
    highest cost of a finished trial.
    """
    done = [row for row in rows if row.score is not None]
    found: dict[str, Front] = {}
    for by in FRONTS:
        costs = [row.known_cost(by) for row in done if row.costs.get(by) is not None]
        if not costs:
            continue
        limit = limits.get(by)
        worst = min if direction == "up" else max
        reference = (max(costs) if limit is None else limit, worst(r.known_score for r in done))
        best = front(rows, direction, by)
        points = [(row.known_cost(by), row.known_score) for row in best]
        found[by] = Front(
            trials=tuple(row.trial for row in best),
            reference=ReferencePoint(cost=reference[0], score=reference[1]),
            hypervolume=hypervolume(points, reference, direction),
        )
    return found
