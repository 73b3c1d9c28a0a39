"""What the decision threshold of two classes gives, by the trained model and by every file."""

from collections.abc import Mapping

from pipeline.arrays import Arrays, only
from pipeline.documents.parity import DecisionResult
from pipeline.train.threshold import quality_of
from pipeline.verify.held import Held


def measure_decision(held: Held, outputs: Mapping[str, Arrays]) -> DecisionResult | None:
    """Return precision, recall and F1 of the positive class; None: there is no threshold.

    Args:
        held: the samples.
        outputs: reference or format -> outputs by name.
    """
    placed = held.dataset.preprocess.decision
    if placed is None:
        return None
    positive = list(held.dataset.class_names or ()).index(placed.positive)
    is_positive = only(held.targets) == positive
    return DecisionResult(
        positive=placed.positive,
        threshold=placed.threshold,
        models={
            name: quality_of(is_positive, held.task.decisions(made) == positive)
            for name, made in outputs.items()
        },
    )
