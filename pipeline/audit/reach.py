"""What the audit moves: what its own section says, and else what `harden` hardens against."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.config.space_schema import AuditReach

Settings = Mapping[str, Any]

DEFAULT_EPSILON = 0.1  # of [0, 1]; used where neither audit nor harden names one
SAID = ("epsilon", "columns", "channels", "on", "tokens")
REACH = tuple(name for name in AuditReach.model_fields if name != "candidates")


NORMS = {
    "linf": "each value of the input by at most {:g} of its range (Linf)",
    "l2": "the input by a length of at most {:g}, its values being in [0, 1] (L2)",
}


def picture_reach(norm: str, epsilon: float) -> str:
    """Return in words what an attacker may change of a picture."""
    return NORMS[norm].format(epsilon)


def reach_of(audit: Settings, hardened: Settings | None) -> dict[str, Any]:
    """Return the settings of `harden.space_fit.space_of`.

    Args:
        audit: of the section, as `settings_of` gives them.
        hardened: those of `harden.attack`; None: nothing is hardened.
    """
    found = dict(audit)
    if hardened is not None:
        found |= {name: hardened[name] for name in (*REACH, "epsilon") if audit[name] is None}
        if audit["tokens"] is None:
            found["candidates"] = hardened["candidates"]
    if found["epsilon"] is None:
        found["epsilon"] = DEFAULT_EPSILON
    return found


def why_not(
    task: str, kinds: Sequence[str], audit: Settings, hardened: Settings | None
) -> str | None:
    """Return why nothing is attacked; None where something is.

    How far an attacker can go is known of images alone: of anything else somebody must say it.

    Args:
        task: a key of TASKS.
        kinds: of the inputs.
        audit: of the section.
        hardened: those of `harden.attack`; None: nothing is hardened.
    """
    if task != "classification":
        return f"the attack needs classes and the task is {task}"
    if hardened is not None or all(kind == "image" for kind in kinds):
        return None
    if any(audit[name] is not None for name in SAID):
        return None
    if "tokens" in kinds:
        return "nothing says how many words an attacker can replace (audit.tokens)"
    if {"columns", "codes", "table"} & set(kinds):
        return "nothing says which columns an attacker can change (audit.columns)"
    return "nothing says how far an attacker can move a sample (audit.epsilon)"
