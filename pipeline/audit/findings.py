"""Findings: the severity of each attack, by stated rules. Pure.

Names are those of the OWASP Machine Learning Security Top Ten (2023), of MITRE ATLAS, and of NIST
AI 100-2 E2025 ("Adversarial machine learning: a taxonomy and terminology of attacks and
mitigations", doi:10.6028/NIST.AI.100-2e2025).
"""

from collections.abc import Iterator
from typing import Any, Literal

from pipeline.audit.poisoning import SIGN
from pipeline.documents.audit import Evasion, Examination, Finding
from pipeline.documents.evasion import FileRobustness
from pipeline.documents.poisoning import PoisoningDrill, PoisonScan
from pipeline.documents.privacy import Extraction, Membership

Severity = Literal["high", "medium", "low", "none"]

# kind -> its names in OWASP, ATLAS, NIST
NAMES: dict[str, dict[str, Any]] = {
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

KEPT = (0.5, 0.8)  # robust over clean accuracy: below the first high, below the second medium
TEN_TIMES = 10  # true positive rate over false positive rate from which on membership is high
STOLEN = (0.95, 0.85)  # agreement of a surrogate: from the first on high, the second medium
WORKS = 0.5  # success rate of a trigger from which on a backdoor works
FILE_ONLY = (0.05, 0.01)  # rate of samples that a trigger turns in the file alone: high, medium


def list_findings(evasion: Evasion, own: Examination, name: str) -> tuple[Finding, ...]:
    """Return a finding for every kind of attack that was tried, the gravest first.

    Args:
        evasion: of audit.json.
        own: everything else of audit.json, still without findings.
        name: file name of the shipped model.
    """
    file = evasion.files.get(name)
    scan, drill = own.poisoning.scan, own.poisoning.drill
    rows = [
        *(() if file is None else (_evasion(file, evasion.epsilon),)),
        *(() if own.membership.skipped is not None else (_membership(own.membership),)),
        *(() if own.extraction is None else (_extraction(own.extraction),)),
        *(() if scan is None else (_scan(scan),)),
        *(() if drill is None else _drill(drill)),
    ]
    order = ("high", "medium", "low", "none")
    return tuple(sorted(rows, key=lambda row: order.index(row.severity)))


def _finding(
    kind: str, name: str, severity: Severity, rule: str, remediation: str, **evidence: Any
) -> Finding:
    return Finding(
        kind=kind,
        name=name,
        **NAMES[kind],
        severity=severity,
        rule=rule,
        evidence=evidence,
        remediation=remediation,
    )


def _grade(value: float, limits: tuple[float, float], least: Severity = "low") -> Severity:
    """Return high from the first limit on, medium from the second."""
    return "high" if value >= limits[0] else "medium" if value >= limits[1] else least


def _evasion(file: FileRobustness, epsilon: float) -> Finding:
    kept = file.robust_accuracy / file.clean_accuracy if file.clean_accuracy else 0.0
    return _finding(
        "evasion",
        "Small input changes cause misclassification",
        _grade(1 - kept, (1 - KEPT[0] + 1e-9, 1 - KEPT[1] + 1e-9)),
        f"high where robust accuracy is below {KEPT[0]:.0%} of clean accuracy, medium below "
        f"{KEPT[1]:.0%}",
        "train with `harden`, or with a larger epsilon there; let the device abstain from "
        "uncertain predictions (verify.abstain)",
        clean_accuracy=file.clean_accuracy,
        robust_accuracy=file.robust_accuracy,
        float_robust_accuracy=file.float_robust_accuracy,
        epsilon=epsilon,
    )


def _membership(membership: Membership) -> Finding:
    assert membership.models is not None  # it was not skipped
    attacks = membership.models["file"]
    measured = [
        (point.tpr, point.fpr, name, point.is_significant)
        for name, attack in attacks.items()
        for point in attack.operating_points
        if point.tpr is not None
    ]
    best = max((row for row in measured if row[3]), key=lambda row: row[0] / row[1], default=None)
    severity: Severity = "none" if measured else "low"
    if best is not None:
        severity = "high" if best[0] >= TEN_TIMES * best[1] else "medium"
    strongest = best if best is not None else max(measured, default=(None, None, None, None))
    return _finding(
        "membership",
        "The outputs reveal which samples were in the training set",
        severity,
        "medium where the true positive rate significantly exceeds the false positive rate, high "
        f"from {TEN_TIMES} times that rate; low where there are too few samples to measure it",
        "use fewer train.epochs or train.early_stopping, augmentation, more samples, or label "
        "smoothing; output the class alone where the probabilities are not needed",
        attack=strongest[2],
        true_positive_rate=strongest[0],
        false_positive_rate=strongest[1],
        auc=max(attack.auc for attack in attacks.values()),
        shift=membership.shift,
    )


def _extraction(extraction: Extraction) -> Finding:
    best = max(extraction.surrogates, key=lambda row: row.agreement)
    return _finding(
        "extraction",
        "A surrogate trained on the file's outputs decides as the file",
        _grade(best.agreement, STOLEN),
        f"high from an agreement of {STOLEN[0]:.0%}, medium from {STOLEN[1]:.0%}",
        "limit the rate of queries to a device, and output the class alone; whoever holds the "
        "device holds the file, so keep secrets in secure storage or elsewhere",
        queries=best.queries,
        outputs=best.outputs,
        source=best.source,
        agreement=best.agreement,
    )


def _scan(scan: PoisonScan) -> Finding:
    alarms = [row.name for row in scan.classes if row.is_alarm]
    return _finding(
        "poisoning",
        "Training samples of a class share a feature that no other sample has",
        "medium" if alarms else "none",
        "medium where a class has two clusters and a single value separates the smaller one from "
        f"all other samples (Kolmogorov-Smirnov distance of at least {SIGN:.0%}), as a trigger "
        "would",
        "look at the samples in audit.json, poisoning.scan.suspects; if they carry a trigger, "
        "remove them and train again",
        alarms=alarms,
        clustered=[row.name for row in scan.classes if row.is_clustered],
        classes=len(scan.classes),
    )


def _drill(drill: PoisoningDrill) -> Iterator[Finding]:
    success, is_detected = drill.poisoned_model.success_rate, drill.detection.is_detected
    severity: Severity = "medium" if is_detected else "high"
    yield _finding(
        "backdoor",
        "Whoever can write to the training set can plant a backdoor",
        "low" if success.file < WORKS else severity,
        f"low where the success rate of the trigger is below {WORKS:.0%}; else medium where the "
        "scan detects it, high where it does not",
        "review every sample that is added to the training set; keep the scan on, and compare the "
        "accuracy of each source of data",
        poisoning_rate=drill.poisoning_rate,
        success_rate=success.dump(),
        is_detected=is_detected,
    )
    own = drill.shipped_model
    yield _finding(
        "quantization",
        "The file reacts to the trigger where the trained model does not",
        _grade(own.file_only_rate - own.float_only_rate, FILE_ONLY, "none"),
        f"medium from {FILE_ONLY[1]:.0%} of the samples that the trigger turns in the file alone, "
        f"less those that it turns in the float model alone; high from {FILE_ONLY[0]:.0%}",
        "train the model yourself, or start from weights that you trust; look at the samples with "
        "the trigger; try another rung of compress.quantize.remedies",
        file_only_rate=own.file_only_rate,
        float_only_rate=own.float_only_rate,
        success_rate=own.success_rate.dump(),
    )
