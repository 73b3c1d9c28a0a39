"""Run a Keras model over samples of a prepared dataset: the reference's outputs, everywhere."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Model
from pipeline.data.dataset import Dataset
from pipeline.data.memmap_arrays import scratch
from pipeline.data.preprocess import to_model_inputs
from pipeline.documents.decision import Decision
from pipeline.documents.preprocess import Preprocess
from pipeline.ondevice.predict import anomaly_predictions, mask_detector_inputs

BATCH = 512  # samples a call; large enough that the call's overhead does not show
BATCH_BYTES = 2 << 20  # of raw samples a call: sound becomes eight times as large on its way


def predict(model: Model, dataset: Dataset, positions: Array) -> Array:
    """Return the model's outputs for each sample, float32 (N, K).

    Probabilities for classes; values in the target's own unit for a regression; of a detector the
    the outputs normal and anomalous, each in [0, 1].
    """
    outputs = _outputs(model, dataset, positions)
    decision = dataset.preprocess.anomaly
    if decision is not None:
        return anomaly_predictions(outputs[:, 0].astype(np.float64), decision.threshold)
    return in_target_unit(outputs, dataset.preprocess)


def scores_of(model: Model, dataset: Dataset, positions: Array) -> Array:
    """Return a detector's anomaly score of each sample (N,)."""
    return _outputs(model, dataset, positions)[:, 0]


def _outputs(model: Model, dataset: Dataset, positions: Array) -> Array:
    return predict_samples(predictor(model, dataset.preprocess), dataset, positions)


def predict_samples(compiled: Any, dataset: Dataset, positions: Array) -> Array:
    """Return the outputs of a `predictor` for each sample (N, K), on disk where they are many."""
    made, done = np.empty((0, 0), np.float32), 0
    for raw in batches(dataset, positions):
        found = compiled(raw).numpy()
        if not done:
            made = scratch((len(positions), *found.shape[1:]), found.dtype)
        made[done : done + len(found)] = found
        done += len(found)
    return made


def batches(dataset: Dataset, positions: Array) -> Iterator[dict[str, Array]]:
    """Yield the raw samples at indices (n,), in batches of at most BATCH_BYTES: name -> (b, …)."""
    step = int(np.clip(BATCH_BYTES // max(1, dataset.sample_bytes), 1, BATCH))
    for start in range(0, len(positions), step):
        yield dataset.read(positions[start : start + step])


def predictor(model: Model, preprocess: Preprocess) -> Any:
    """Return the compiled function from raw inputs to the model's own outputs.

    Of a detector it is the anomaly score (B, 1): the mean squared error of its prediction.
    """
    decision = preprocess.anomaly

    @tf.function(reduce_retracing=True)
    def outputs_of(raw: dict[str, Any]) -> Any:
        x = to_model_inputs(raw, preprocess)
        if decision is None:
            return model(x, training=False)
        outputs = model(detector_inputs(x, decision), training=False)
        return mean_error(tf.square(outputs - detector_targets(x, decision)))[:, None]

    return outputs_of


def detector_inputs(inputs: Mapping[str, Any], decision: Decision) -> dict[str, Any]:
    """Return what a detector is given of its inputs, on tensors; see `mask_detector_inputs`."""
    cut = mask_detector_inputs(inputs, Decision(score=decision.score))
    if decision.input_range is None:
        return dict(cut)
    return {name: tf.clip_by_value(x, *decision.input_range) for name, x in cut.items()}


def detector_targets(inputs: Mapping[str, Any], decision: Decision) -> Any:
    """Return the targets of a detector: its inputs (B, …), or their last step."""
    (x,) = inputs.values()
    return x if decision.score == "reconstruction" else x[:, -1]


def mean_error(errors: Any) -> Any:
    """Return the mean (B,) over all values of each sample (B, ...)."""
    return tf.reduce_mean(tf.reshape(errors, (tf.shape(errors)[0], -1)), axis=1)


def in_target_unit(outputs: Array, preprocess: Preprocess) -> Array:
    """Return outputs (N, K) of a regression in the target's unit; of other tasks unchanged."""
    target = preprocess.target
    return (
        outputs
        if target is None
        else outputs * np.float32(target.scale) + np.float32(target.offset)
    )
