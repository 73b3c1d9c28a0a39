"""The calibration set: model inputs of the calibration split, a fixed part of train."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.device.runner import prepare


def write_calibration(dataset: Dataset, path: Path) -> dict[str, Any]:
    """Write name -> float32 model inputs, and return how many they are and the hash of their ids."""
    positions = dataset.split("calibration")
    raw = dataset.read(positions)
    inputs = {
        entry["name"]: prepare(raw[entry["name"]], entry) for entry in dataset.preprocess["inputs"]
    }
    np.savez(path, **inputs)
    ids = b"\n".join(dataset.ids[positions].tolist())
    return {"samples": len(positions), "ids_sha256": hashlib.sha256(ids).hexdigest()}
