"""What the audit moves: its own settings first, then those of `harden`, else nothing but images."""

from typing import Any

import pytest

from pipeline.audit.reach import DEFAULT_EPSILON, reach_of, why_not
from pipeline.config.schema import Audit, Pgd
from pipeline.config.space_schema import Change, Substitute, settings_of


def audit(**settings: Any) -> dict[str, Any]:
    return settings_of(Audit(**settings))


TABLE = settings_of(Pgd(kind="pgd", epsilon=0.2, columns={"amount": Change(change=5.0)}))
WORDS = settings_of(Substitute(kind="substitute", tokens=3, candidates=9))


def test_the_audit_says_what_it_says_and_harden_the_rest() -> None:
    own = {"age": Change()}
    for norm in ("linf", "l2"):
        assert reach_of(audit(norm=norm), None)["epsilon"] == DEFAULT_EPSILON[norm]
    assert reach_of(audit(), TABLE)["columns"] == TABLE["columns"]
    assert reach_of(audit(columns=own), TABLE)["columns"] == {"age": Change().model_dump()}
    assert reach_of(audit(epsilon=0.3), TABLE)["epsilon"] == 0.3
    assert reach_of(audit(), TABLE)["epsilon"] == 0.2
    assert reach_of(None, TABLE)["epsilon"] == 0.2
    assert reach_of(None, None)["norm"] == "linf"
    found = reach_of(audit(), WORDS)
    assert (found["tokens"], found["candidates"]) == (3, 9)
    found = reach_of(audit(tokens=1, candidates=4), WORDS)
    assert (found["tokens"], found["candidates"]) == (1, 4)


def test_the_epsilon_of_one_norm_says_nothing_of_another() -> None:
    assert reach_of(audit(norm="l2"), TABLE)["epsilon"] == DEFAULT_EPSILON["l2"]
    assert reach_of(audit(norm="l2"), TABLE)["columns"] == TABLE["columns"]


@pytest.mark.parametrize(
    ("kinds", "settings", "hardened", "reason"),
    [
        (["image"], {}, None, None),
        (["series"], {}, None, "audit.epsilon"),
        (["series"], {"epsilon": 0.2}, None, None),
        (["audio"], {"on": "waveform"}, None, None),
        (["columns", "codes"], {}, None, "audit.columns"),
        (["columns"], {}, TABLE, None),
        (["tokens"], {}, None, "audit.tokens"),
        (["tokens"], {"tokens": 2}, None, None),
        (["tokens"], {}, WORDS, None),
    ],
)
def test_what_nobody_bounds_is_not_attacked(
    kinds: list[str], settings: dict[str, Any], hardened: Any, reason: str | None
) -> None:
    found = why_not("classification", kinds, audit(**settings), hardened)
    assert (found is None) == (reason is None)
    assert reason is None or reason in str(found)


def test_a_quantity_has_no_class_to_be_turned() -> None:
    assert "the task is regression" in str(why_not("regression", ["image"], audit(), None))
