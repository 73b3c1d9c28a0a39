"""Whether the device's preprocessing equals training's, on real samples."""

from collections.abc import Mapping

import numpy as np

from pipeline.arrays import Array
from pipeline.data.preprocess import to_model_inputs
from pipeline.documents.parity import PreprocessingCheck
from pipeline.documents.preprocess import Preprocess
from pipeline.errors import PipelineError
from pipeline.ondevice.prepare import prepare_input
from pipeline.samples import KINDS

TOLERANCE = 1e-5  # of model inputs, whose deviation is about 1; words and categories are exact
BLOCK = 256  # samples at once


def compare_preprocessing(
    raw: Mapping[str, Array], preprocess: Preprocess
) -> dict[str, PreprocessingCheck]:
    """Return input -> how far the NumPy form is from the Keras form.

    Args:
        raw: name -> raw samples (N, ...).
        preprocess: contents of preprocess.json.

    Raises:
        PipelineError: they differ by more than TOLERANCE: the device would see something else.
    """
    worst = {entry.name: 0.0 for entry in preprocess.inputs}
    count = len(next(iter(raw.values())))
    for start in range(0, count, BLOCK):
        part = {name: values[start : start + BLOCK] for name, values in raw.items()}
        theirs = to_model_inputs(part, preprocess)
        for entry in preprocess.inputs:
            name = entry.name
            ours = prepare_input(part[name], entry).astype(np.float64)
            difference = float(np.abs(ours - np.asarray(theirs[name], np.float64)).max())
            worst[name] = max(worst[name], difference)
    rows = {}
    for entry in preprocess.inputs:
        tolerance = 0.0 if KINDS[entry.kind].is_embedded else TOLERANCE
        found = worst[entry.name]
        if not found <= tolerance:
            raise PipelineError(
                f"verify: preprocessing of {entry.name} on the device differs from that of "
                f"training by {found:.2g}; allowed {tolerance:g}. This is a bug: "
                "pipeline/samples and pipeline/ondevice must compute the same"
            )
        rows[entry.name] = PreprocessingCheck(
            max_abs_difference=found, tolerance=tolerance, samples=count
        )
    return rows
