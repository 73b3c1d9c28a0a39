"""From raw samples or model inputs to predictions; how a detector of anomalies scores."""

import numpy as np

from pipeline.ondevice.interpreter import BATCH, convert_model_errors, invoke_model
from pipeline.ondevice.outputs import only, output_details
from pipeline.ondevice.prepare import prepare_inputs
from pipeline.ondevice.quantize import dequantize

SCORES = "scores"  # name of a detector's prediction


def predict(interpreter, raw, preprocess, batch=BATCH):
    """Return the predictions of raw samples by name; see `decode_outputs`."""
    return run_model(interpreter, prepare_inputs(raw, preprocess), preprocess, batch)[1]


def run_model(interpreter, inputs, preprocess, batch=BATCH):
    """Return raw outputs of model inputs, name -> (N, ...), and predictions to decide from."""
    anomaly = preprocess.anomaly
    with convert_model_errors():
        raw = invoke_model(interpreter, mask_detector_inputs(inputs, anomaly), batch)
    return raw, decode_outputs(output_details(interpreter), inputs, raw, anomaly)


def decode_outputs(details, inputs, raw, anomaly):
    """Return the predictions of raw outputs: name -> (N, ...), float32.

    Args:
        details: name -> detail of the output tensor: `dtype` and `quantization`.
        inputs: name -> model input (N, ...).
        raw: name -> output (N, ...) in the type of the tensor.
        anomaly: how a detector scores; None: the outputs are the predictions.
    """
    outputs = {name: dequantize(values, details[name]) for name, values in raw.items()}
    if anomaly is None:
        return outputs
    scores = anomaly_scores(inputs, only(outputs), anomaly)
    return {SCORES: anomaly_predictions(scores, anomaly.threshold)}


def mask_detector_inputs(inputs, anomaly):
    """Return which part of its inputs (name -> (N, ...)) the model is given.

    A forecaster does not see the last step. Values outside the range of training are clipped to
    it: integers cannot hold them, and a float model would extrapolate. The score compares with the
    inputs as they are.
    """
    if anomaly is None:
        return inputs
    inputs = {name: SCORED_BY[anomaly.score][0](x) for name, x in inputs.items()}
    known = anomaly.input_range  # in training there is none yet
    return inputs if known is None else {name: x.clip(*known) for name, x in inputs.items()}


def anomaly_scores(inputs, outputs, anomaly):
    """Return the mean squared error (N,) float64 of a reconstruction, or of the last step."""
    (x,) = inputs.values()
    wanted = SCORED_BY[anomaly.score][1](x)
    error = outputs.astype(np.float64).reshape(len(x), -1) - wanted.reshape(len(x), -1)
    return (error**2).mean(axis=1)


# score -> what the model is given of its input (N, T, ...), and what its output is compared with
SCORED_BY = {
    "reconstruction": (lambda x: x, lambda x: x),
    "forecast": (lambda x: x[:, :-1], lambda x: x[:, -1]),
}


def anomaly_predictions(scores, threshold):
    """Return scores (N,) as predictions (N, 2), normal and anomalous: 0.5 at the threshold."""
    share = scores / (scores + threshold)
    return np.stack([1 - share, share], axis=1).astype(np.float32)
