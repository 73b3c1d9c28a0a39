"""Names of columns that say who or what was measured: patient, user, session, machine_id."""

import re

NAMES = (
    "group", "fold", "speaker", "speaker_id", "subject", "subject_id", "patient", "patient_id",
    "user", "user_id", "machine", "machine_id", "session", "source_id",
)  # fmt: skip
MEASURED = re.compile(
    r"(user|subject|patient|participant|person|speaker|session|device|machine)([ _]?(id|no|nr))?\Z",
    re.IGNORECASE,
)
ENDS_IN_ID = re.compile(r"(.*_id|[a-z]+ID)\Z")
SPARSE = 0.5  # of the rows have a value of their own, from which on it groups nothing


def is_group_name(name: str) -> bool:
    """Tell whether a column is surely called after who or what was measured."""
    return name.lower() in NAMES or MEASURED.match(name) is not None


def may_group(name: str, *, distinct: int, rows: int) -> bool:
    """Tell whether a column may group rows: by its name, and as its values come again.

    Args:
        name: of the column.
        distinct: different values.
        rows: that were read.
    """
    is_named = is_group_name(name) or ENDS_IN_ID.match(name) is not None
    return is_named and 1 < distinct <= SPARSE * rows
