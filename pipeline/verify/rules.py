"""preprocess.json as it ships: with the rules that `verify` fitted for each file."""

from pipeline.documents.preprocess import AbstentionRule, Preprocess
from pipeline.documents.selective import Abstention, Sanitization


def with_rules(
    preprocess: Preprocess, abstain: Abstention | None, sanitize: Sanitization | None
) -> Preprocess:
    """Return preprocess.json with what a file leaves open.

    Args:
        preprocess: of the dataset, with the decision of the reference.
        abstain: when each file abstains; None: never.
        sanitize: the detector of each file; None: there is none.
    """
    rows = {} if abstain is None else abstain.models
    rules = {
        name: AbstentionRule(temperature=row.temperature, threshold=row.threshold)
        for name, row in rows.items()
    }
    limits = detector_limits(sanitize)
    return preprocess.model_copy(update={"abstain": rules or None, "detector": limits})


def detector_limits(document: Sanitization | None) -> dict[str, float] | None:
    """Return format -> limit of its detector; None: there is none."""
    if document is None or document.false_positive_rate is None:
        return None
    return {
        form: row.detector.limit for form, row in document.files.items() if row.detector is not None
    }
