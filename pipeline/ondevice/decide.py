"""From predictions to decisions: a class, a value, or abstention."""

import numpy as np

from pipeline.ondevice.document import get_by_format
from pipeline.ondevice.numbers import last_known_value
from pipeline.ondevice.outputs import only
from pipeline.ondevice.prepare import find_out_of_range
from pipeline.ondevice.sanitize import remove_squeezing

ABSTAIN = "abstain"  # the decision that is left to a person
UNSURE = "not exactly one class is likely"  # reason to abstain: by the rule of `verify.abstain`
SUSPECT = "squeezing changes the prediction"  # by the limit of `verify.detector`
OUTSIDE = "far outside the training range"  # by `data.sanitize.range`


def decide_samples(predict, raw, preprocess, model):
    """Return the decision for each raw sample; see `decide_outputs`.

    Args:
        predict: (raw, preprocess) -> predictions, name -> (N, ...).
        raw: name -> samples (N, ...).
        preprocess: contents of preprocess.json.
        model: path of the .tflite file that predicts.

    Raises:
        ValueError: a sample is far outside the training range, and the config refuses such ones.
    """
    outputs = only(predict(raw, preprocess))
    reasons = find_doubts(predict, raw, outputs, preprocess, model)
    return decide_outputs(outputs, preprocess, raw, abstain_rule(preprocess, model), reasons)


def find_doubts(predict, raw, outputs, preprocess, model):
    """Return for each sample (N) the reasons to leave it to a person: a list.

    Args and errors are those of `decide_samples`; outputs are predictions (N, K).
    """
    doubts = [[] for _ in outputs]
    for entry in preprocess.inputs:
        if entry.sanitize is None or entry.sanitize.range == "clip":
            continue
        far = find_out_of_range(np.asarray(raw[entry.name]), entry)
        if far and entry.sanitize.range == "refuse":
            first = min(far)
            raise ValueError(
                "input %s: sample %d is %s: %s; correct it, or set data.sanitize.range to clip or "
                "abstain" % (entry.name, first + 1, OUTSIDE, far[first])
            )
        for i in far:
            doubts[i] += [] if OUTSIDE in doubts[i] else [OUTSIDE]
    limit = detector_limit(preprocess, model)
    if limit is not None:
        unsqueezed = only(predict(raw, remove_squeezing(preprocess)))
        distance = l1_distance(outputs, unsqueezed)
        for i in np.flatnonzero(distance > limit):
            doubts[i].append(SUSPECT)
    return doubts


def abstain_rule(preprocess, model):
    """Return when a .tflite file abstains (temperature, threshold); None where it never does."""
    return get_by_format(preprocess.abstain, model)


def detector_limit(preprocess, model):
    """Return the distance above which a .tflite file suspects a sample; None: no detector."""
    return get_by_format(preprocess.detector, model)


def l1_distance(outputs, plain):
    """Return the distance (N,) float64 of two predictions (N, K) of the same samples: 0 to 2.

    The L1 norm of the difference (Xu et al. 2018, arXiv:1704.01155, section 5.1).
    """
    return np.abs(outputs.astype(np.float64) - plain).sum(axis=1)


def apply_temperature(outputs, temperature):
    """Return probabilities (N, K) as a softmax of logits over the temperature gives them."""
    powers = np.maximum(outputs.astype(np.float64), 0) ** (1 / temperature)
    return powers / np.maximum(powers.sum(axis=-1, keepdims=True), 1e-12)


def is_likely(probabilities, threshold):
    """Tell of each class (N, K) whether it may be the right one."""
    return probabilities >= threshold


def decide_outputs(outputs, preprocess, raw=None, rule=None, doubts=None):
    """Return a decision for each prediction: {decision, confidence, top, why}.

    The decision is a class, a value, or `abstain`: where there are doubts, and where not exactly
    one class is likely. `why` holds all reasons to abstain.

    Args:
        outputs: predictions (N, K), float32.
        preprocess: contents of preprocess.json; its `labels` or its `target` count.
        raw: name -> samples (N, ...); a forecast of a change is added to their last value.
        rule: when to abstain; None: never.
        doubts: for each sample the reasons to abstain; None: there are none.
    """
    if rule is not None:
        outputs = apply_temperature(outputs, rule.temperature)
    decisions = []
    for i, row in enumerate(outputs):
        why = list(doubts[i]) if doubts is not None else []
        if preprocess.labels is None:
            value = ABSTAIN if why else _decode_value(row, preprocess.target, raw, i)
            decisions.append({"decision": value, "confidence": None, "top": [], "why": why})
            continue
        order = np.argsort(-row, kind="stable")[:3]
        top = [[preprocess.labels[k], float(row[k])] for k in order]
        if rule is not None and is_likely(row, rule.threshold).sum() != 1:
            why.append(UNSURE)
        decision = ABSTAIN if why else top[0][0]
        decisions.append({"decision": decision, "confidence": top[0][1], "top": top, "why": why})
    return decisions


def _decode_value(row, target, raw, i):
    """Return the value that a prediction (1,) states for sample i, in the target's unit."""
    value = float(row[0]) * target.scale + target.offset
    if target.channel is None or raw is None:
        return value
    return value + float(last_known_value(next(iter(raw.values()))[i, :, target.channel]))
