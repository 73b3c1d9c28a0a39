"""The table of attacks: complete, and the docs list it."""

from pathlib import Path

from pipeline.audit.attacks import ATTACKS
from pipeline.config.verify_schema import Audit

DOCS = Path(__file__).resolve().parents[2] / "docs/concepts/robustness.md"


def test_the_docs_list_every_attack_of_the_table() -> None:
    text = DOCS.read_text().split("## Attacks")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    infos = [attack.describe() for attack in ATTACKS.values()]
    assert rows[1:] == [[i.title, i.goal, i.needs, i.cost, i.paper] for i in infos]


def test_an_attack_that_is_off_names_its_setting() -> None:
    off = Audit(membership_samples=None, poisoning_scan=False)
    reasons = [attack.why_off(off) for attack in ATTACKS.values() if attack.goal != "evasion"]
    assert all(reason is not None and reason.startswith("audit.") for reason in reasons)
    on = Audit.model_validate({"extraction_queries": 100, "poisoning_drill": {"share": 0.1}})
    assert [attack.why_off(on) for attack in ATTACKS.values()] == [None] * len(ATTACKS)
