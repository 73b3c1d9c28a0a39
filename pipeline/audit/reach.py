"""What the audit moves: what its own section says, and else what `harden` hardens against."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.config.space_schema import SAID, AuditReach
from pipeline.samples import KINDS
from pipeline.tasks import TASKS

Settings = Mapping[str, Any]

# Where neither audit nor harden names one: common for small pictures in [0, 1] under each norm.
DEFAULT_EPSILON = {"linf": 0.1, "l2": 1.0}
NOTHING: dict[str, Any] = AuditReach().model_dump() | {"norm": None, "epsilon": None}
REACH = tuple(name for name in AuditReach.model_fields if name != "candidates")


NORMS = {
    "linf": "each value of the input by at most {:g} of its range (Linf)",
    "l2": "the input by a length of at most {:g}, its values being in [0, 1] (L2)",
}


def picture_reach(norm: str, epsilon: float) -> str:
    """Return in words what an attacker may change of a picture."""
    return NORMS[norm].format(epsilon)


def reach_of(audit: Settings | None, hardened: Settings | None) -> dict[str, Any]:
    """Return norm, epsilon, and the other settings of `harden.space_fit.space_of`.

    Args:
        audit: of the section, as `settings_of` gives them; None: the stage is off.
        hardened: those of `harden.attack`; None: nothing is hardened.
    """
    known = NOTHING | dict(hardened or {})
    found = dict(NOTHING if audit is None else audit)
    found["norm"] = found["norm"] or known["norm"] or "linf"
    if found["tokens"] is None:
        found["candidates"] = known["candidates"]
    if found["epsilon"] is None and found["norm"] == known["norm"]:
        found["epsilon"] = known["epsilon"]  # that of another norm says nothing here
    if found["epsilon"] is None:
        found["epsilon"] = DEFAULT_EPSILON[found["norm"]]
    return found | {name: known[name] for name in REACH if found[name] is None}


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
    if not TASKS[task].can_be_attacked:
        return f"the attack needs classes and the task is {task}"
    if hardened is not None or all(KINDS[kind].has_fixed_range for kind in kinds):
        return None
    if any(audit[name] is not None for name in SAID):
        return None
    attacked_by = {KINDS[kind].attacked_by for kind in kinds}
    if "tokens" in attacked_by:
        return "nothing says how many words an attacker can replace (audit.tokens)"
    if "columns" in attacked_by:
        return "nothing says which columns an attacker can change (audit.columns)"
    return "nothing says how far an attacker can move a sample (audit.epsilon)"
