"""Run a Keras model over samples of a prepared dataset: how the reference answers, everywhere."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.data.dataset import Dataset
from pipeline.data.preprocess import to_model_inputs

Array = np.ndarray[Any, np.dtype[Any]]

BATCH = 512  # samples a call; large enough that the call's overhead does not show
BATCH_BYTES = 2 << 20  # of raw samples a call: sound becomes eight times as large on its way


def predict(model: Any, dataset: Dataset, positions: Array) -> Array:
    """Return what the model answers for each sample, float32 (N, K).

    Probabilities for classes; values in the target's own unit for a regression.
    """
    compiled = predictor(model, dataset.preprocess)
    outputs = [compiled(raw).numpy() for raw in batches(dataset, positions)]
    return in_target_unit(np.concatenate(outputs), dataset.preprocess)


def batches(dataset: Dataset, positions: Array) -> Iterator[dict[str, Array]]:
    """Yield the raw samples at some positions, as many at a time as memory stays small with."""
    sample = sum(
        int(np.prod(entry["shape"])) * np.dtype(entry["dtype"]).itemsize for entry in dataset.inputs
    )
    step = int(np.clip(BATCH_BYTES // max(1, sample), 1, BATCH))
    for start in range(0, len(positions), step):
        yield dataset.read(positions[start : start + step])


def predictor(model: Any, preprocess: dict[str, Any]) -> Any:
    """Return the compiled function from raw inputs to the model's own outputs."""

    @tf.function(reduce_retracing=True)
    def answer(raw: dict[str, Any]) -> Any:
        return model(to_model_inputs(raw, preprocess), training=False)

    return answer


def in_target_unit(outputs: Array, preprocess: dict[str, Any]) -> Array:
    """Return a regression's outputs in the unit of its target; others unchanged."""
    target = preprocess["target"]
    return (
        outputs
        if target is None
        else outputs * np.float32(target["scale"]) + np.float32(target["offset"])
    )
