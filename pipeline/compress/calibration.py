"""The calibration set: model inputs of the calibration split, a fixed part of train."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.artifacts import write_arrays
from pipeline.data.dataset import Dataset
from pipeline.documents.preprocess import ImageEntry, Preprocess
from pipeline.errors import ArtifactError
from pipeline.ondevice.predict import mask_detector_inputs
from pipeline.ondevice.prepare import prepare_inputs


def write_calibration(dataset: Dataset, path: Path) -> dict[str, Any]:
    """Write name -> float32 model inputs, and return how many they are and the hash of their ids.

    Raises:
        ArtifactError: the calibration split is empty: ranges are measured, never made up.
    """
    positions = dataset.split("calibration")
    if not len(positions):
        raise ArtifactError(
            f"{dataset.folder}: its calibration split is empty; wanted samples to measure ranges "
            "on. Raise data.calibration_samples"
        )
    inputs = prepare_inputs(dataset.read(positions), dataset.preprocess)
    write_arrays(path, mask_detector_inputs(inputs, dataset.preprocess.anomaly))
    ids = "\n".join(dataset.ids[positions].tolist()).encode()
    return {"samples": len(positions), "ids_sha256": hashlib.sha256(ids).hexdigest()}


def known_ranges(preprocess: Preprocess) -> dict[str, tuple[float, float]]:
    """Return name -> (low, high) of the inputs whose range follows from their raw type.

    Pixels are such: measured on samples without pure black or white, the range would cut both off;
    with the whole of it each pixel value has an integer of its own, and quantizing loses nothing.
    """
    images = [entry for entry in preprocess.inputs if isinstance(entry, ImageEntry)]
    return {
        entry.name: _ends(entry)
        for entry in images
        if np.issubdtype(np.dtype(entry.raw_dtype), np.integer)
    }


def _ends(entry: ImageEntry) -> tuple[float, float]:
    """Return the least and greatest model input that the raw type can give."""
    limits = np.iinfo(entry.raw_dtype)
    scale = np.asarray(entry.scale, np.float32)
    ends = [(np.float32(x) - np.float32(entry.offset)) * scale for x in (limits.min, limits.max)]
    return (float(np.min(ends)), float(np.max(ends)))
