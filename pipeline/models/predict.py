"""Run a Keras model over samples of a prepared dataset: the reference's outputs, everywhere."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Arrays, Model, only
from pipeline.data.dataset import Dataset
from pipeline.data.memmap_arrays import scratch
from pipeline.data.preprocess import to_model_inputs
from pipeline.documents.decision import Decision
from pipeline.documents.preprocess import Preprocess
from pipeline.ondevice.predict import SCORES, anomaly_predictions, mask_detector_inputs

BATCH = 512  # samples a call; large enough that the call's overhead does not show
BATCH_BYTES = 2 << 20  # of raw samples a call: sound becomes eight times as large on its way


def predict(model: Model, dataset: Dataset, positions: Array) -> dict[str, Array]:
    """Return the model's outputs for each sample: name -> (N, ...), float32.

    Probabilities for classes; values in the target's own unit for a regression; of a detector the
    the outputs normal and anomalous, each in [0, 1].
    """
    outputs = _outputs(model, dataset, positions)
    decision = dataset.preprocess.anomaly
    if decision is not None:
        scores = only(outputs)[:, 0].astype(np.float64)
        return {SCORES: anomaly_predictions(scores, decision.threshold)}
    return in_target_unit(outputs, dataset.preprocess)


def scores_of(model: Model, dataset: Dataset, positions: Array) -> Array:
    """Return a detector's anomaly score of each sample (N,)."""
    return only(_outputs(model, dataset, positions))[:, 0]


def _outputs(model: Model, dataset: Dataset, positions: Array) -> dict[str, Array]:
    return predict_samples(predictor(model, dataset.preprocess), dataset, positions)


def predict_samples(compiled: Any, dataset: Dataset, positions: Array) -> dict[str, Array]:
    """Return the outputs of a `predictor`, name -> (N, ...), on disk where samples are many."""
    made: dict[str, Array] = {}
    done = 0
    for raw in batches(dataset, positions):
        found = {name: values.numpy() for name, values in compiled(raw).items()}
        for name, values in found.items():
            if not done:
                made[name] = scratch((len(positions), *values.shape[1:]), values.dtype)
            made[name][done : done + len(values)] = values
        done += len(next(iter(found.values())))
    return made


def batches(dataset: Dataset, positions: Array) -> Iterator[dict[str, Array]]:
    """Yield the raw samples at indices (n,), in batches of at most BATCH_BYTES: name -> (b, …)."""
    step = int(np.clip(BATCH_BYTES // max(1, dataset.sample_bytes), 1, BATCH))
    for start in range(0, len(positions), step):
        yield dataset.read(positions[start : start + step])


def predictor(model: Model, preprocess: Preprocess) -> Any:
    """Return the compiled function from raw inputs to the model's own outputs: name -> (B, ...).

    Of a detector it is the anomaly score (B, 1): the mean squared error of its prediction.
    """
    decision = preprocess.anomaly

    @tf.function(reduce_retracing=True)
    def outputs_of(raw: dict[str, Any]) -> dict[str, Any]:
        x = to_model_inputs(raw, preprocess)
        if decision is None:
            return named_outputs(model, model(x, training=False))
        outputs = model(detector_inputs(x, decision), training=False)
        return {SCORES: mean_error(tf.square(outputs - detector_targets(x, decision)))[:, None]}

    return outputs_of


def named_outputs(model: Model, outputs: Any) -> dict[str, Any]:
    """Return what a model returned by name: of the layers that end it, as in its .tflite files."""
    return dict(zip(model.output_names, tf.nest.flatten(outputs), strict=True))


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


def in_target_unit(outputs: Arrays, preprocess: Preprocess) -> dict[str, Array]:
    """Return outputs (N, K) of a regression in the target's unit; of other tasks unchanged."""
    target = preprocess.target
    if target is None:
        return dict(outputs)
    scale, offset = np.float32(target.scale), np.float32(target.offset)
    return {name: values * scale + offset for name, values in outputs.items()}
