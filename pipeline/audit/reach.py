"""The threat model of the audit: settings of its own section, else those of `harden`."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.config.space_schema import SAID, AuditReach
from pipeline.samples import KINDS
from pipeline.tasks import TASKS

Settings = Mapping[str, Any]

# Where neither audit nor harden names one: common for small images in [0, 1] under each norm.
DEFAULT_EPSILON = {"linf": 0.1, "l2": 1.0}
NOTHING: dict[str, Any] = AuditReach().model_dump() | {"norm": None, "epsilon": None}
REACH = tuple(name for name in AuditReach.model_fields if name != "candidates")


NORMS = {
    "linf": "each value of the input by at most {:g} of its range (Linf)",
    "l2": "the input by a length of at most {:g}, its values being in [0, 1] (L2)",
}


def picture_reach(norm: str, epsilon: float) -> str:
    """Return in words what an attacker may change of an image."""
    return NORMS[norm].format(epsilon)


def reach_of(audit: Settings | None, hardened: Settings | None) -> dict[str, Any]:
    """Return norm, epsilon, and the other settings of `harden.fit_threat_model.fit_threat_model`.

    Args:
        audit: of the section, as `settings_of` gives them; None: the stage is off.
        hardened: those of `harden.attack`; None: nothing is hardened.
    """
    known = NOTHING | dict(hardened or {})
    settings = dict(NOTHING if audit is None else audit)
    settings["norm"] = settings["norm"] or known["norm"] or "linf"
    if settings["tokens"] is None:
        settings["candidates"] = known["candidates"]
    if settings["epsilon"] is None and settings["norm"] == known["norm"]:
        settings["epsilon"] = known["epsilon"]  # that of another norm says nothing here
    if settings["epsilon"] is None:
        settings["epsilon"] = DEFAULT_EPSILON[settings["norm"]]
    return settings | {name: known[name] for name in REACH if settings[name] is None}


def why_not(
    task: str, kinds: Sequence[str], audit: Settings, hardened: Settings | None
) -> str | None:
    """Return why nothing is attacked; None where something is.

    Images alone have a default threat model.

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
        return "the number of words that an attacker can replace is not set (audit.tokens)"
    if "columns" in attacked_by:
        return "the columns that an attacker can change are not set (audit.columns)"
    return "the largest change of a sample is not set (audit.epsilon)"
