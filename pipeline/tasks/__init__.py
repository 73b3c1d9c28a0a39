"""TASKS: every question about a task, by its name in the config; one file a task."""

from dataclasses import replace

from pipeline.tasks.anomaly import ANOMALY
from pipeline.tasks.classification import CLASSIFICATION
from pipeline.tasks.forecasting import FORECASTING
from pipeline.tasks.regression import REGRESSION
from pipeline.tasks.task import Task

TASKS: dict[str, Task] = {
    "classification": CLASSIFICATION,
    "regression": REGRESSION,
    "forecasting": FORECASTING,
    "anomaly": ANOMALY,
}


def task_of(task: str, metric: str = "auto") -> Task:
    """Return a task, judged by one of its metrics.

    Args:
        task: key of TASKS.
        metric: of `task_metric`; auto, or the task's own: as TASKS says.
    """
    own = TASKS[task]
    if metric in ("auto", own.metric):
        return own
    skill = own.other_skills.get(metric, own.skill)
    return replace(own, metric=metric, score=own.other_scores[metric], skill=skill)
