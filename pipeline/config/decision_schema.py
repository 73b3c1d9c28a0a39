"""Settings of `decision`: where the threshold of a classifier of two classes stands, and why."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config.section import Fraction, Positive, Section

NEEDS = {
    "recall_at_precision": "at_least",
    "precision_at_recall": "at_least",
    "cost": "cost_ratio",
    "fixed": "threshold",
}


class Decision(Section):
    """The threshold of a classifier of two classes, chosen on the validation split."""

    metric: Literal[
        "f1", "balanced_accuracy", "recall_at_precision", "precision_at_recall", "cost", "fixed"
    ] = "f1"
    """What the threshold makes largest: f1 of the positive class; balanced_accuracy, the mean
    recall of both classes; recall where precision is at_least so much, or precision where recall
    is; cost: least cost of errors, by cost_ratio; fixed: it is threshold."""
    positive: str | None = None
    """Name of the positive class; null: the one with fewer training samples."""
    at_least: Fraction | None = None
    """Smallest precision of recall_at_precision, or smallest recall of precision_at_recall."""
    cost_ratio: Positive | None = None
    """What a missed positive costs, in false alarms."""
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Probability of the positive class from which on it is predicted, as the trained network gives
    it."""

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "Decision":
        wanted = NEEDS.get(self.metric)
        for name in dict.fromkeys(NEEDS.values()):
            is_given = getattr(self, name) is not None
            if is_given and name != wanted:
                raise ValueError(f"{name} does not go with metric {self.metric}")
            if not is_given and name == wanted:
                raise ValueError(f"metric {self.metric} wants {name}")
        return self
