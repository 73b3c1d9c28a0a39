"""manifest.json of a bundle: each figure beside the sha256 of the file it was measured on. Pure."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pipeline import host
from pipeline.artifacts import SCHEMA, FileHash, sha256_json

PACKAGES = (
    "edgeline", "tensorflow", "keras", "tf-keras", "ai-edge-litert", "ai-edge-quantizer",
    "ethos-u-vela", "numpy",
)  # fmt: skip
ENCODER = ("format", "file", "bytes", "bytes_gzip", "input", "output", "float_ops_left")
COMPRESSED = ("prune", "cluster", "zeros", "validation", "kernels")  # of weights.json


def manifest(
    config: Mapping[str, Any], artifacts: Mapping[str, Any], files: Mapping[str, FileHash]
) -> dict[str, Any]:
    """Return the manifest.

    Args:
        config: the resolved config, dumped.
        artifacts: the JSON documents dataset, preprocess, budget, ladder, weights, files, parity,
            verdict, training, advice, and baseline and audit or None; and machines: stage -> what
            its bits depend on.
        files: path in the bundle -> sha256 and bytes.
    """
    parity, dataset = artifacts["parity"], artifacts["dataset"]
    return {
        "schema": SCHEMA,
        "name": config["name"],
        "task": config["task"],
        "seed": config["seed"],
        "config": config,
        "config_sha256": sha256_json(config),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "equality": host.compare_machines(host.describe_machine(), artifacts["machines"]).dump(),
        "labels": dataset["labels"]["names"],
        "ships": artifacts["verdict"]["ships"],
        "data": _data(config, dataset, parity),
        "preprocess": artifacts["preprocess"],
        "preprocess_parity": parity["preprocessing"],
        "reference": {
            "file": "model.keras",
            "sha256": files["model.keras"].sha256,
            "parameters": artifacts["budget"]["parameters"],
            "macs": artifacts["budget"]["macs"],
            "metrics": parity["reference"]["metrics"],
            "samples": parity["samples"],
        },
        "front_end": artifacts["files"]["front_end"],
        **{name: parity[name] for name in ("groups", "streaming", "ranges", "abstain", "sanitize")},
        "baseline": _baseline(artifacts["baseline"], parity["baseline"]),
        "advice": artifacts["advice"]["advice"],
        "encoder": _encoder(artifacts, files),
        "training": artifacts["training"],
        "models": [_model(entry, artifacts, files) for entry in artifacts["files"]["files"]],
        "skipped": artifacts["files"]["skipped"] + parity["skipped"],
        "compress": {name: artifacts["weights"][name] for name in COMPRESSED},
        "remedies": artifacts["ladder"]["rungs"],
        "files": {name: asdict(entry) for name, entry in files.items()},
    }


def _data(
    config: Mapping[str, Any], dataset: Mapping[str, Any], parity: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the network learnt from, and how often its test split was read."""
    return {
        "name": config["data"]["source"].get("name", config["data"]["source"]["kind"]),
        "fingerprint": dataset["fingerprint"],
        "splits": dataset["splits"],
        "test_readings": parity["test_readings"],
    }


def _encoder(artifacts: Mapping[str, Any], files: Mapping[str, FileHash]) -> dict[str, Any] | None:
    """Return the encoder's files with what their codes are worth."""
    encoder, worth = artifacts["files"]["encoder"], artifacts["parity"]["encoder"]
    if encoder is None:
        return None
    rows = [
        {key: row[key] for key in ENCODER}
        | {"sha256": files[row["file"]].sha256, **worth[row["file"]]}
        for row in encoder["files"]
    ]
    return {"model": encoder["model"], "ships": encoder["ships"], "files": rows}


def _baseline(
    baseline: Mapping[str, Any] | None, behind: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Return the best classical model, and all of them beside the file that ships."""
    if baseline is None or behind is None:
        return None
    best = next(model for model in baseline["models"] if model["name"] == baseline["best"])
    models = [row | behind[row["name"]] for row in baseline["models"]]
    return {"name": best["name"], "metrics": best["metrics"], "models": models}


def _model(
    entry: Mapping[str, Any], artifacts: Mapping[str, Any], files: Mapping[str, FileHash]
) -> dict[str, Any]:
    """Return the row of one exported file."""
    name, gates = entry["file"], artifacts["verdict"]["gates"][entry["format"]]
    measured = artifacts["parity"]["files"][name]
    audit = artifacts["audit"]
    robustness = None
    if audit is not None and name in audit["files"]:
        found = {key: value for key, value in audit["files"][name].items() if key != "format"}
        robustness = {key: audit[key] for key in ("norm", "epsilon", "samples")} | found
    targets = {
        row["target"]: {key: value for key, value in row.items() if key not in ("target", "format")}
        for row in artifacts["files"]["targets"]
        if row["format"] == entry["format"] and row["npu_ops"] is not None
    }
    return {
        "format": entry["format"],
        "file": name,
        "sha256": files[name].sha256,
        "bytes": files[name].bytes,
        "bytes_gzip": entry["bytes_gzip"],
        "zero_weights": entry["zero_weights"],
        "input": entry["input"],
        "inputs": entry["inputs"],
        "output": entry["output"],
        "ops": entry["ops"],
        "float_ops_left": entry["float_ops_left"],
        "metrics": measured["metrics"],
        "parity": measured["parity"],
        "robustness": robustness,
        "runtimes": _runtimes(measured["runtimes"], gates),
        "targets": targets,
        "gates": gates,
    }


def _runtimes(
    rows: Mapping[str, Mapping[str, Any]], gates: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return each runtime with whether it decides as LiteRT does; None where that is not asked."""
    asked = (gate["limit"] for gate in gates if gate["name"] == "max_runtime_disagreement")
    limit = next(asked, None)
    return {
        name: {**row, "conforms": None if limit is None else row["disagreements"] <= limit}
        for name, row in rows.items()
    }
