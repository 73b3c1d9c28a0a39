"""The table of rungs for report and manifest. Pure."""

from collections.abc import Mapping

from pipeline.compress.ladder import RUNGS, Limits, Measured, Result, failed_gates
from pipeline.documents.ladder import Refusal, Rung


def describe_rungs(
    measured: Measured, gates: Limits, skipped: Mapping[str, str]
) -> tuple[Rung, ...]:
    """Return the table of rungs for report and manifest: the climbed, then the skipped.

    Args:
        measured: the rungs that were climbed.
        gates: as for `passes`.
        skipped: rung -> why it was not.
    """
    rows = [_row(rung, found, gates) for rung, found in measured.items()]
    return (*rows, *(Rung(name=rung, why=f"skipped: {why}") for rung, why in skipped.items()))


def _row(rung: str, found: Result, gates: Limits) -> Rung:
    if isinstance(found, Refusal):
        return Rung(name=rung, why=f"cannot be made: {found.refused}")
    return Rung(
        name=rung,
        why=RUNGS[rung].why,
        bytes=found.bytes,
        metric=found.metric,
        metric_drop=found.metric_drop,
        agreement=found.agreement,
        agreement_at_least=found.agreement_at_least,
        worst_class_drop=found.worst_class_drop,
        auc_drop=found.auc_drop,
        passed=not (failed := failed_gates(found, gates)),
        fails=failed,
    )
