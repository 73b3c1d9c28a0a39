"""Findings: what the figures of an audit mean, by stated rules, in the words of the field. Pure.

Names are those of the OWASP Machine Learning Security Top Ten (2023), of MITRE ATLAS, and of NIST
AI 100-2 E2025 ("Adversarial machine learning: a taxonomy and terminology of attacks and
mitigations", doi:10.6028/NIST.AI.100-2e2025).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pipeline.audit.poisoning import SIGN

Document = Mapping[str, Any]
Severity = Literal["high", "medium", "low", "none"]

# kind -> its names in OWASP, ATLAS, NIST
NAMES = {
    "evasion": {
        "owasp": "ML01:2023 Input Manipulation Attack",
        "atlas": ["AML.T0043 Craft Adversarial Data", "AML.T0015 Evade AI Model"],
        "nist": "NISTAML.022 Evasion",
    },
    "membership": {
        "owasp": "ML04:2023 Membership Inference Attack",
        "atlas": ["AML.T0024.000 Infer Training Data Membership"],
        "nist": "NISTAML.033 Membership Inference",
    },
    "extraction": {
        "owasp": "ML05:2023 Model Theft",
        "atlas": ["AML.T0024.002 Extract AI Model", "AML.T0044 Full AI Model Access"],
        "nist": "NISTAML.031 Model Extraction",
    },
    "poisoning": {
        "owasp": "ML02:2023 Data Poisoning Attack",
        "atlas": ["AML.T0020 Poison Training Data"],
        "nist": "NISTAML.013 Data Poisoning",
    },
    "backdoor": {
        "owasp": "ML02:2023 Data Poisoning Attack",
        "atlas": ["AML.T0020 Poison Training Data"],
        "nist": "NISTAML.023 Backdoor Poisoning",
    },
    "quantization": {
        "owasp": "ML10:2023 Model Poisoning",
        "atlas": ["AML.T0018 Manipulate AI Model"],
        "nist": "NISTAML.026 Model Poisoning",
    },
}

KEPT = (0.5, 0.8)  # of the clean accuracy, under attack: below the first high, the second medium
TEN_TIMES = 10  # members found for each other accused, from which on membership is high
STOLEN = (0.95, 0.85)  # agreement of a surrogate: from the first on high, the second medium
WORKS = 0.5  # success of a trigger, from which on a backdoor works
WOKEN = (0.05, 0.01)  # of the samples that a trigger turns in the file alone: high, medium


def findings(document: Document, ships: str) -> list[dict[str, Any]]:
    """Return a row for every kind of attack that was tried, the gravest first.

    Args:
        document: audit.json, with what was found.
        ships: name of the shipped file in it.
    """
    rows = [
        *_evasion(document, ships),
        *_membership(document["membership"]),
        *_extraction(document["extraction"]),
        *_scan(document["poisoning"]),
        *_drill(document["poisoning"]["drill"]),
    ]
    order = ("high", "medium", "low", "none")
    return sorted(rows, key=lambda row: order.index(row["severity"]))


def _row(
    kind: str, name: str, severity: Severity, rule: str, cure: str, **evidence: Any
) -> dict[str, Any]:
    return {
        "id": f"{kind}",
        "name": name,
        **NAMES[kind],
        "severity": severity,
        "rule": rule,
        "evidence": evidence,
        "what_to_do": cure,
    }


def _graded(value: float, limits: tuple[float, float], least: Severity = "low") -> Severity:
    """Return high from the first limit on, medium from the second."""
    return "high" if value >= limits[0] else "medium" if value >= limits[1] else least


def _evasion(document: Document, ships: str) -> Iterator[dict[str, Any]]:
    if ships not in document["files"]:
        return
    row = document["files"][ships]
    kept = row["robust"] / row["clean"] if row["clean"] else 0.0
    severity = _graded(1 - kept, (1 - KEPT[0] + 1e-9, 1 - KEPT[1] + 1e-9))
    cure = "train with `harden`, or with a larger epsilon there; give doubtful answers to a person"
    yield _row(
        "evasion",
        "Small changes of the input change the answer",
        severity,
        f"high below {KEPT[0]:.0%} of the clean accuracy under attack, medium below {KEPT[1]:.0%}",
        f"{cure} (verify.abstain)",
        clean=row["clean"],
        robust=row["robust"],
        float_robust=row["float_robust"],
        epsilon=document["epsilon"],
    )


def _membership(found: Document) -> Iterator[dict[str, Any]]:
    if found["skipped"] is not None:
        return
    attacks = found["models"]["file"]["attacks"]
    told = [
        (at["tpr"], at["fpr"], name, at["told_apart"])
        for name, attack in attacks.items()
        for at in attack["tpr"]
        if at["tpr"] is not None
    ]
    best = max((row for row in told if row[3]), key=lambda row: row[0] / row[1], default=None)
    severity: Severity = "none" if told else "low"
    if best is not None:
        severity = "high" if best[0] >= TEN_TIMES * best[1] else "medium"
    strongest = best if best is not None else max(told, default=(None, None, None, None))
    yield _row(
        "membership",
        "The answers tell who was in the training set",
        severity,
        f"medium where members are found at more than the rate of false alarms, beyond chance; "
        f"high from {TEN_TIMES} times that rate on; low where there are too few samples to tell",
        "fewer train.epochs or train.early_stopping, augmentation, more samples, label smoothing; "
        "answer with the class alone where the shares are not needed",
        attack=strongest[2],
        found=strongest[0],
        false_alarms=strongest[1],
        auc=max(attack["auc"] for attack in attacks.values()),
        shift=found["shift"],
    )


def _extraction(found: Document | None) -> Iterator[dict[str, Any]]:
    if found is None:
        return
    best = max(found["rows"], key=lambda row: row["agreement"])
    yield _row(
        "extraction",
        "A copy learns to decide as the file from its answers",
        _graded(best["agreement"], STOLEN),
        f"high from {STOLEN[0]:.0%} equal decisions on, medium from {STOLEN[1]:.0%}",
        "limit how often a device answers, and answer with the class alone; who holds the device "
        "holds the file, so that secrets belong behind secure storage, or elsewhere",
        queries=best["queries"],
        answers=best["answers"],
        source=best["source"],
        agreement=best["agreement"],
    )


def _scan(found: Document) -> Iterator[dict[str, Any]]:
    scanned = found["scan"]
    if scanned is None:
        return
    alarmed = [row["name"] for row in scanned["classes"] if row["alarm"]]
    yield _row(
        "poisoning",
        "A group of training samples in a class carries a sign of its own",
        "medium" if alarmed else "none",
        f"medium where a class falls into two groups and one value alone tells at least {SIGN:.0%} "
        "of the smaller one from all other samples, as a trigger would",
        "look at the samples in audit.json, poisoning.scan.suspects; where it is a trigger, drop "
        "them and train again",
        alarmed=alarmed,
        of_two_groups=[row["name"] for row in scanned["classes"] if row["grouped"]],
        classes=len(scanned["classes"]),
    )


def _drill(found: Document | None) -> Iterator[dict[str, Any]]:
    if found is None:
        return
    hit, detected = found["poisoned_net"]["success"]["file"], found["detection"]["alarmed"]
    works: Severity = "low" if hit < WORKS else "medium" if detected else "high"
    yield _row(
        "backdoor",
        "Who can write to the training set can plant a backdoor",
        works,
        f"low where the planted trigger turns less than {WORKS:.0%} of the samples; else medium "
        "where the scan finds it, high where it does not",
        "let nobody add training samples unseen; keep the scan on, and compare the accuracy of "
        "each source of data",
        share=found["share"],
        success=found["poisoned_net"]["success"],
        detected=detected,
    )
    own = found["shipped_net"]
    yield _row(
        "quantization",
        "The file answers to the trigger where the trained network does not",
        _graded(own["woken"] - own["asleep"], WOKEN, "none"),
        f"medium from {WOKEN[1]:.0%} of the samples on that the trigger turns in the file alone, "
        f"net of those that it turns in the network alone; high from {WOKEN[0]:.0%} on",
        "train the network yourself, or from weights that you trust; look at the triggered "
        "samples; try another rung of compress.quantize.remedies",
        woken=own["woken"],
        asleep=own["asleep"],
        success=own["success"],
    )
