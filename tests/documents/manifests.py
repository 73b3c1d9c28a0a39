"""Manifests of small bundles: what a test does not say is filled in."""

from typing import Any

from pipeline import host
from pipeline.documents.manifest import Manifest
from tests.documents.preprocess import preprocess_of

TENSOR = {"name": "x", "dtype": "float32", "shape": [1, 4], "scale": None, "zero_point": None}
RUNTIME = {
    "version": "2", "kernels": "builtin", "agreement": 1.0, "disagreements": 0,
    "max_abs_lsb": None, "arena_bytes": None, "conforms": None,
}  # fmt: skip
PARITY = {
    "metric_drop": 0.0, "metric_drop_ci95": [0.0, 0.0], "agreement": 1.0, "output_sqnr_db": 60.0,
    "calibration_error": None, "worst_class_drop": None, "worst_class": None, "worst_layer": None,
}  # fmt: skip
COMPILED = {
    "file": None, "bytes": None, "npu_ops": 1, "cpu_ops": 0, "sram_bytes": None,
    "latency_ms_estimate": None, "compiler_version": "c 1", "system": None,
}  # fmt: skip
MODEL = {
    "sha256": "0", "bytes": 1, "bytes_gzip": 1, "float_ops_left": [], "zero_weights": 0.0,
    "input": TENSOR, "output": TENSOR, "ops": {}, "metrics": {"accuracy": 0.9}, "parity": PARITY,
    "robustness": None, "runtimes": {}, "targets": {}, "gates": [],
}  # fmt: skip
ENCODED = {
    "codes": {"sqnr_db": 60.0, "cosine": 1.0, "neighbor_overlap": 1.0},
    "clustering": {"clusters": 2, "with_reference": 1.0, "with_classes": None},
    "reduction": {
        "input_size": 4, "code_size": 2, "trustworthiness": 1.0, "pca_trustworthiness": 1.0
    },
}  # fmt: skip
CHECK = {"max_abs_difference": 0.0, "tolerance": 1e-5, "samples": 1}
NOTHING = (
    "groups", "streaming", "ranges", "abstain", "sanitize", "baseline", "encoder", "labels",
    "device_code",
)  # fmt: skip


def fill_manifest(document: dict[str, Any]) -> dict[str, Any]:
    """Return a whole manifest with what a document says of it."""
    filled = dict.fromkeys(NOTHING) | {
        "schema": 2, "seed": 0, "config_sha256": "0", "packages": {}, "task": "classification",
        "config": {"data": {"source": {}}}, "advice": [], "training": {},
        "front_end": {"name": "tf_keras", "why": None},
        "equality": {"depends_on": host.describe_machine().dump(), "ran_elsewhere": {}},
        "data": {"name": "d", "fingerprint": "0", "splits": {}, "test_readings": 1},
        "preprocess": preprocess_of([]).dump(),
        "preprocess_parity": {}, "skipped": [], "compress": {}, "remedies": [],
        "files": {},
    } | document  # fmt: skip
    reference = {"file": "model.keras", "sha256": "0", "parameters": 1, "macs": 1, "samples": 1}
    filled["reference"] = reference | {"metrics": {"accuracy": 0.9}} | document.get("reference", {})
    filled["models"] = [fill_model(model) for model in document["models"]]
    checks = filled["preprocess_parity"]
    filled["preprocess_parity"] = {name: CHECK | check for name, check in checks.items()}
    if filled["encoder"] is not None:
        rows = filled["encoder"]["files"]
        filled["encoder"] = {"model": "encoder.keras"} | filled["encoder"]
        filled["encoder"]["files"] = [_encoder(row) for row in rows]
    return filled


def fill_model(model: dict[str, Any]) -> dict[str, Any]:
    filled = MODEL | model
    filled.setdefault("file", f"model_{model['format']}.tflite")
    filled["output"] = TENSOR | filled["output"]
    filled["inputs"] = [TENSOR | tensor for tensor in model.get("inputs", [filled["input"]])]
    filled["input"], filled["outputs"] = filled["inputs"][0], [filled["output"]]
    filled["runtimes"] = {name: RUNTIME | row for name, row in filled["runtimes"].items()}
    filled["targets"] = {name: COMPILED | row for name, row in filled["targets"].items()}
    return filled


def _encoder(row: dict[str, Any]) -> dict[str, Any]:
    plain = ("sha256", "bytes", "bytes_gzip", "float_ops_left", "input", "output", "ops")
    both = {"inputs": [TENSOR], "outputs": [TENSOR]}
    given = {key: ENCODED[key] | row.get(key, {}) for key in ENCODED}
    return (
        {key: MODEL[key] for key in plain} | both | {"format": "float32", "file": "e"} | row | given
    )


def make_manifest(document: dict[str, Any]) -> Manifest:
    """Return a whole manifest with what a document says of it, as a record."""
    return Manifest.model_validate(fill_manifest(document))
