"""What the report reads, made up in full: a good run on images, to be bent by the tests."""

import copy
from typing import Any

import numpy as np
import pytest

from pipeline.documents import training
from pipeline.documents.audit import Audit
from pipeline.documents.baseline import Baseline
from pipeline.documents.files import Files
from pipeline.documents.ladder import Ladder, Weights
from pipeline.documents.parity import Parity
from pipeline.documents.record import Record
from pipeline.documents.robustness import Robustness
from pipeline.documents.verdict import Verdict
from pipeline.report.advice import advise
from pipeline.report.gather import Documents
from pipeline.report.render import render_report
from tests.documents.audit import backdoor, detection
from tests.documents.preprocess import meta_of, preprocess_of

CONFIG = {
    "name": "small",
    "seed": 0,
    "task": "classification",
    "report": {
        "samples": 4,
        **dict.fromkeys(("intended_use", "out_of_scope", "license", "data_license", "contact")),
    },
    "baseline": {"interpretable": False},
    "model": {"kind": "cnn"},
    "train": {"class_weights": None, "oversample": False, "loss": "auto"},
    "data": {"source": {"kind": "bundled", "name": "digits"}, "split": {"by": "stratified"}},
}


TIMES = {
    "seconds": {"train": 1.0},
    "baseline": {},
    "files": {"model_int8.tflite": 4e-6},
    "packages": {"keras": "3.15.1"},
    "host": "here",
    "date": "2026-01-01T00:00:00+00:00",
    "commit": None,
    "python": "3.11",
    "system": "Linux",
}


CACHED: dict[str, Any] = {"key": "k" * 64, "choice": None}


def file_row(form: str) -> dict[str, Any]:
    tensor = {"name": "x", "shape": [1, 2], "dtype": form, "scale": None, "zero_point": None}
    return {
        "format": form,
        "file": f"model_{form}.tflite",
        "bytes": 2000,
        "bytes_gzip": 1100,
        "zero_weights": 0.503,
        "sha256": form * 8,
        "float_ops_left": [],
        "input": tensor,
        "output": tensor,
        "inputs": [tensor],
        "outputs": [tensor],
        "ops": {"CONV_2D": 2},
        "recipe": {},
    }


def parity_row(form: str) -> dict[str, Any]:
    parity = {
        "metric_drop": 0.002,
        "metric_drop_ci95": [-0.001, 0.004],
        "agreement": 0.99,
        "output_sqnr_db": 31.0,
        "calibration_error": 0.02,
        "worst_class": "b",
        "worst_class_drop": 0.01,
        "worst_layer": {"name": "conv", "sqnr_db": 20.0},
    }
    return {
        "format": form,
        "metrics": {"accuracy": 0.95, "macro_f1": 0.94},
        "parity": parity,
        "skill": 0.9,
        "skill_ci95": [0.8, 1.0],
        "missing_classes": {},
        "runtimes": {
            "litert": {
                "version": "2",
                "kernels": "xnnpack",
                "agreement": 0.99,
                "disagreements": 0,
                "max_abs_lsb": 0,
                "arena_bytes": None,
            }
        },
    }


def check(name: str, value: float) -> dict[str, Any]:
    row = {"name": name, "on": "file", "value": value, "limit": 0.02, "meaning": "a difference"}
    return row | {"passed": value <= 0.02}


def audit() -> dict[str, Any]:
    attacks = {"pgd_transfer": 0.7, "straight_through": 0.62, "square": 0.6}
    row = {
        "format": "int8",
        "clean_accuracy": 0.95,
        "robust_accuracy": 0.6,
        "robust_ci95": [0.5, 0.7],
        "clean_ci95": [0.9, 0.98],
        "float_robust_accuracy": 0.61,
        "attacks": {key: {"accuracy": v, "ci95": [0.5, 0.8]} for key, v in attacks.items()},
        "robust_drop": 0.01,
        "robust_drop_ci95": [-0.005, 0.02],
        "straight_through": {
            "skipped": None,
            "agreement": 0.9985,
            "inputs": 150,
            "mean_lsb": 0.03,
            "is_white_box": True,
        },
        "square": {"samples": 31, "mean_queries": 470.0},
        "is_full": True,
    }
    other = {
        "format": "float32",
        "clean_accuracy": 0.96,
        "clean_ci95": [0.9, 0.98],
        "float_robust_accuracy": 0.66,
        "robust_accuracy": 0.66,
        "robust_ci95": [0.6, 0.71],
        "attacks": {"pgd_transfer": {"accuracy": 0.66, "ci95": [0.6, 0.71]}},
    }
    return {
        "norm": "linf",
        "epsilon": 0.1,
        "perturbation": "each value of the input by at most 0.1 of its range (Linf)",
        "square_queries": 500,
        "samples": 50,
        "steps": 20,
        "restarts": 1,
        "skipped": None,
        "reference": {
            "clean_accuracy": 0.95,
            "clean_ci95": [0.9, 0.98],
            "noise_accuracy": 0.9,
            "white_box_accuracy": 0.62,
            "mean_queries": 480.0,
            "robust_accuracy": 0.61,
            "robust_ci95": [0.5, 0.7],
        },
        "files": {"model_float32.tflite": other | {"is_full": False}, "model_int8.tflite": row},
        "curve": [
            {"epsilon": 0.0, "reference_accuracy": 0.95, "shipped_accuracy": 0.95},
            {"epsilon": 0.1, "reference_accuracy": 0.61, "shipped_accuracy": 0.6},
        ],
        "checks": [check("noise is weaker than the attack", 0.01)],
        "corruptions": [
            {
                "name": "blur",
                "severity": severity,
                "reference_accuracy": 0.9 - severity / 10,
                "shipped_accuracy": 0.89 - severity / 10,
            }
            for severity in (1, 3, 5)
        ],
        **examined(),
    }


def hardened(clean: float, robust: float, success: float) -> dict[str, Any]:
    """Return figures of a model under the attack that it is hardened against."""
    row = {"samples": 5, "recall": clean, "robust_recall": robust}
    row["attack_success_rate"] = success
    return {
        "clean_accuracy": clean,
        "robust_accuracy": robust,
        "classes": {"a": row, "b": row | {"attack_success_rate": None}},
        "auc": 0.9625,
        "attacked_auc": 0.8125,
    }


def examined() -> dict[str, Any]:
    """Return what the audit found beside evasion."""
    rates = [
        {"fpr": 0.01, "tpr": 0.2, "ci95": [0.1, 0.3], "is_significant": True, "reason": None},
        {"fpr": 0.001, "tpr": None, "ci95": None, "is_significant": None, "reason": "too few"},
    ]
    roc = [{"fpr": 0.1, "tpr": 0.3}, {"fpr": 1, "tpr": 1}]
    attack = {"auc": 0.61, "operating_points": rates, "roc": roc}
    group = {"samples": 30, "clean_accuracy": 0.9, "robust_accuracy": None, "membership_auc": 0.7}
    suspect = {"id": "image 7", "label": "b", "spectral_score": 3.0, "is_in_cluster": True}
    row = {
        "cluster_fraction": 0.1,
        "silhouette": 0.5,
        "p_value": 0.01,
        "relabel_rate": 0.2,
        "separation": 0.93,
    }
    surrogate = {
        "source": "data",
        "outputs": "labels",
        "agreement": 0.88,
        "agreement_ci95": [0.8, 0.9],
        "accuracy": 0.8,
    }
    return {
        "membership": {
            "skipped": None,
            "split": "test",
            "shift": None,
            "members": 20,
            "nonmembers": 20,
            "models": {"file": {"confidence": attack}},
        },
        "extraction": {
            "samples": 20,
            "steps": 100,
            "surrogates": [
                surrogate | {"queries": 100},
                surrogate | {"queries": 300, "agreement": 0.93},
            ],
        },
        "poisoning": {
            "scan": {
                "samples": 50,
                "training_samples": 70,
                "min_silhouette": 0.1,
                "min_separation": 0.9,
                "significance_level": 0.01,
                "classes": [
                    {"name": "b", "samples": 25, "is_clustered": True, "is_alarm": True, **row},
                    {"name": "a", "samples": 25},
                ],
                "clean_rates": {"classes": 40, "clustered": 12, "alarms": 0},
                "suspects": [suspect],
            },
            "drill": {
                "trigger": "a white square",
                "target": "a",
                "poisoning_rate": 0.05,
                "poisoned": 5,
                "format": "int8",
                "poisoned_model": backdoor(0.97, 0.98),
                "shipped_model": backdoor(0.97, 0.98),
                "detection": detection(is_detected=True),
            },
        },
        "groups": {"values": {"north": group}, "worst": {"clean_accuracy": "north"}},
        "attacks": {
            name: {
                "goal": "evasion",
                "title": title,
                "needs": needs,
                "cost": "1",
                "paper": "A 2020",
            }
            for name, title, needs in (
                ("pgd_transfer", "transferred from the trained model", "the trained model"),
                ("straight_through", "straight-through (white box)", "weights of the file"),
                ("square", "Square Attack (black box)", "scores of the file"),
            )
        },
        "not_attempted": [{"attack": "model inversion", "reason": "it is not tried"}],
        "findings": [
            {
                "kind": "membership",
                "name": "The answers tell who was in the training set",
                "owasp": "ML04:2023 Membership Inference Attack",
                "atlas": ["AML.T0024.000 Infer Training Data Membership"],
                "nist": "NISTAML.033 Membership Inference",
                "severity": "high",
                "rule": "high from 10 times that rate on",
                "evidence": {"tpr": 0.2, "fpr": 0.01, "shift": None},
                "remediation": "fewer epochs",
            }
        ],
    }


def learned(share: float, train: float, validation: float) -> dict[str, Any]:
    return {
        "fraction": share,
        "samples": round(7000 * share),
        "train": train,
        "validation": validation,
        "train_loss": 1 - train,
        "validation_loss": 1 - validation,
    }


def good_run() -> dict[str, Any]:
    images = np.zeros((4, 8, 8, 1), np.uint8)
    ones = np.ones(4, np.int64)
    target = {
        "target": "ethos-u55-128",
        "file": "model_int8_ethos-u55-128.tflite",
        "npu_ops": 34,
        "cpu_ops": 0,
        "sram_bytes": 9000,
        "latency_ms_estimate": 0.2,
        "compiler_version": "vela 5",
        "system": "Ethos_U55_High_End_Embedded",
    }
    rung = {"name": "int8", "why": "plain", "bytes": 2000, "metric": 0.95, "passed": True}
    baseline = {
        "models": [
            {
                "name": "logistic regression",
                "metrics": {"accuracy": 0.9, "macro_f1": 0.9},
                "size_bytes": 9,
                "ci95": [0.8, 0.9],
                "validation": {"accuracy": 0.9},
                "tree": None,
                "training_samples": 70,
                "converged": True,
            }
        ],
        "metric": "accuracy",
        "split": "test",
        "best": "logistic regression",
    }
    gate = {"name": "metric_drop", "value": 0.002, "limit": 0.01, "passed": True, "remediation": ""}
    gate["direction"] = "at most"
    judged = hardened(0.97, 0.2, 0.75)
    return {
        "dataset": {
            "samples": 100,
            "inputs": [{"name": "image", "shape": [8, 8, 1], "dtype": "uint8"}],
            "task": "classification",
            "labels": {"names": ["a", "b"]},
            "fingerprint": "f" * 64,
            "findings": [],
            "splits": {"train": 70, "validation": 10, "test": 20, "calibration": 30},
        },
        "spec": {"model": {"kind": "cnn"}, "seed": 0},
        "budget": {
            "parameters": 900,
            "macs": 5000,
            "peak_activation_bytes": 700,
            "layers": [
                {"name": "conv", "kind": "Conv2D", "output_shape": [8, 8, 4], "parameters": 40}
            ],
        },
        "ladder": CACHED | {"measured": {}, "rungs": [rung]},
        "weights": CACHED
        | {
            "prune": {"sparsity": 0.5},
            "cluster": {"clusters": 16},
            "zeros": 0.502,
            "validation": {
                "metric": 0.949,
                "metric_drop": 0.003,
                "agreement": 0.991,
                "worst_class_drop": None,
            },
            "kernels": [{"name": "conv/kernel", "weights": 36, "zeros": 18, "values": 9}],
        },
        "files": {
            "ships": "int8",
            "files": [file_row("float32"), file_row("int8")],
            "targets": [target],
            "skipped": [],
            "front_end": {"name": "keras", "why": None},
            "encoder": None,
            "sources": [],
        },
        "parity": {
            "preprocessing": {
                "image": {"max_abs_difference": 0.0, "tolerance": 1e-5, "samples": 20}
            },
            "groups": None,
            "sanitize": {
                "median": 3,
                "bit_depth": None,
                "range": "clip",
                "is_squeezed": True,
                "out_of_range": 0.0,
                "false_positive_rate": 0.05,
                "samples": 77,
                "files": {
                    "int8": {
                        "metric": 0.952,
                        "unsqueezed": 0.944,
                        "detector": {
                            "limit": 0.3,
                            "validation_false_positive_rate": 0.05,
                            "false_positive_rate": 0.043,
                            "coverage": 0.957,
                            "selective_error": 0.021,
                            "error": 0.048,
                        },
                    }
                },
            },
            "abstain": {
                "alpha": 0.02,
                "samples": 77,
                "models": {
                    name: {
                        "temperature": 1.3,
                        "threshold": 0.4,
                        "coverage": 0.931,
                        "selective_error": 0.011,
                        "error": 0.048,
                        "set_coverage": 0.979,
                    }
                    for name in ("int8", "reference")
                },
            },
            "streaming": None,
            "device_code": None,
            "encoder": None,
            "ranges": None,
            "baseline": {"logistic regression": {"drop": 0.05, "drop_ci95": [0.03, 0.07]}},
            "metric": "accuracy",
            "direction": "up",
            "samples": 20,
            "split": "test",
            "test_readings": 1,
            "trivial": {"the most frequent class": 0.5},
            "reference": {"metrics": {"accuracy": 0.952, "macro_f1": 0.95}},
            "files": {f"model_{f}.tflite": parity_row(f) for f in ("float32", "int8")},
            "layers": {"model_int8.tflite": [{"name": "conv", "sqnr_db": 20.0}]},
            "skipped": [],
        },
        "verdict": {"ships": "int8", "passed": True, "gates": {"int8": [gate]}},
        "baseline": baseline,
        "trials": None,
        "pretraining": None,
        "distillation": None,
        "range_test": None,
        "preprocess": {
            "anomaly": None,
            "inputs": [{"name": "image", "kind": "image", "shape": [8, 8, 1]}],
        },
        "warnings": {"schema": 2, "warnings": []},
        "learning": {
            "metric": "accuracy",
            "direction": "up",
            "rows": [learned(1.0, 0.985, 0.96)],
            "fine_tuning": None,
        },
        "robustness": {
            "attack": {"kind": "pgd"},
            "epsilon": 0.1,
            "perturbation": "epsilon 0.1 of the input range",
            "threat_model": {"inputs": {}, "classes": None},
            "epochs": [],
            "mode": "fast",
            "norm": "linf",
            "max_clean_drop": 0.05,
            "kept_epoch": 0,
            "collapse": {"epoch": 3, "restored_epoch": 2},
            "samples": 10,
            "steps": 20,
            "before": judged,
            "after": hardened(0.96, 0.6, 0.375),
            "fine_tuning": {
                "before": {"metric": 0.97, "recall": {"a": 0.98, "b": 0.96}},
                "after": {"metric": 0.96, "recall": {"a": 0.97, "b": 0.95}},
            },
        },
        "audit": audit(),
        "histories": {
            "train": {
                "epoch": [1.0, 2.0],
                "loss": [1.0, 0.5],
                "val_loss": [0.605, 0.6],
                "accuracy": [0.5, 0.8],
            }
        },
        "figures": {
            "dataset": {
                "sample_input_image": images,
                "sample_labels": ones,
                "class_counts": np.ones((3, 2), np.int64),
            },
            "parity": {
                "confusion_reference": np.eye(2, dtype=np.int64),
                "confusion_int8": np.eye(2, dtype=np.int64),
                "changed_input_image": images,
                "changed_labels": ones,
                "changed_reference": ones,
                "changed_file": ones * 0,
            },
            "audit": {
                "clean": images / 255.0,
                "adversarial": images / 255.0 + 0.1,
                "labels": ones,
                "prediction_clean": ones,
                "prediction_adversarial": ones * 0,
                "saliency_clean": images / 255.0 - 0.5,
                "saliency_adversarial": images / 255.0,
            },
        },
    }


@pytest.fixture
def documents() -> dict[str, Any]:
    return copy.deepcopy(good_run())


def page(documents: dict[str, Any], **config: Any) -> str:
    settings = CONFIG | config
    typed = typed_documents(documents)
    return render_report(typed, advise(typed, settings), settings, times=TIMES)


RECORDS: dict[str, type[Record]] = {
    "parity": Parity, "verdict": Verdict, "baseline": Baseline, "robustness": Robustness,
    "audit": Audit, "ladder": Ladder, "weights": Weights, "files": Files,
} | training.RECORDS  # fmt: skip


def typed_documents(documents: dict[str, Any]) -> Documents:
    """Return the documents of a run as the stages write them."""
    typed: dict[str, Any] = {
        name: documents[name] and record.model_validate(documents[name])
        for name, record in RECORDS.items()
    }
    inputs = documents["preprocess"]["inputs"]
    typed |= {"preprocess": preprocess_of(inputs), "dataset": meta_of(**documents["dataset"])}
    return Documents(**documents | typed)
