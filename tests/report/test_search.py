"""The page's part on a search: drawn of what trials.json holds, whatever that is."""

import copy
import re
from typing import Any

import pytest

from pipeline.documents.trials import TrialResult, Trials
from pipeline.report.search import context
from pipeline.tune.goal import fronts, rank_trials
from tests.report.conftest import CONFIG, TIMES, good_run, typed_documents
from tests.tune.test_goal import rows


def searched(seed: int = 0, count: int = 30) -> Trials:
    kinds = ("cnn", "ds_cnn")
    made: list[TrialResult] = []
    for number, row in enumerate(rows(seed, count)):
        values: dict[str, Any] = {
            "model.kind": kinds[number % 2],
            "train.optimizer.learning_rate": 10**-number,
        }
        if number % 2:
            values["model.blocks"] = number
        figures = {"epochs": 3, "metric_drop": 0.001, "reason": "9 bytes, and the limit is 1"}
        costs = {"macs": 1000, "latency_ms": None, **row.costs}
        made.append(row.model_copy(update={**figures, "values": values, "costs": costs}))
    order = rank_trials(made, "up")
    space: dict[str, Any] = {path: {} for row in made for path in row.values}
    return Trials(
        key="k",
        metric="accuracy",
        direction="up",
        tuner="random",
        format="int8",
        picked=order[0].trial,
        space=space,
        limits={},
        fronts=fronts(order, "up", {"bytes": None}),
        trials=tuple(order),
    )


@pytest.mark.parametrize("seed", range(5))
def test_every_finished_trial_is_a_dot_and_a_line(seed: int) -> None:
    trials = searched(seed)
    found = context(trials)
    assert found is not None
    done = [row for row in trials.trials if row.score is not None]
    assert found["fronts"]["bytes"].count("<circle") == len(done)
    assert found["parallel"].count("<polyline") == len(done)
    for chart in (*found["fronts"].values(), found["parallel"]):
        spots = re.findall(r'(?:c?[xy]1?)="(-?[\d.]+)"', chart)
        assert all(-1 <= float(spot) <= 561 for spot in spots)


def test_a_search_of_one_trial_is_shown_without_axes() -> None:
    trials = searched(count=1)
    rows = (trials.trials[0].model_copy(update={"score": 0.5}),)
    trials = trials.model_copy(update={"trials": rows, "fronts": fronts(rows, "up", {})})
    found = context(trials)
    assert found is not None
    assert found["parallel"] is None
    assert context(None) is None


def test_the_page_tells_the_search() -> None:
    from pipeline.report.advice import advise
    from pipeline.report.render import render_report

    documents = typed_documents(copy.deepcopy(good_run()) | {"trials": searched(count=12)})
    page = render_report(documents, advise(documents, CONFIG), CONFIG, times=TIMES)
    assert "<h2>Search</h2>" in page
    assert "Hypervolume" in page
    assert "9 bytes, and the limit is 1" in page
