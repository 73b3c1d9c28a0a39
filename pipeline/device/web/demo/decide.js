// From the model's outputs to a decision: a class, a value, anomalous or not, or "abstain", and
// why. As run_on_device.py, one sample at a time.

import { Refusal } from "./check.js";
import { clip } from "./numbers.js";
import { dequantize } from "./prepare.js";
import { findOutOfRange } from "./squeeze.js";

export const ABSTAIN = "abstain";
const UNSURE = "not exactly one class is likely";
const SUSPECT = "squeezing changes the prediction";
const OUTSIDE = "far outside the training range";

// The part of its inputs that the model reads: a forecaster does not read the last step.
export function detectorInputs(inputs, anomaly) {
  if (!anomaly) return inputs;
  const known = anomaly.input_range ?? [-Infinity, Infinity];
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { data, shape, dtype }]) => {
      const isCut = anomaly.score === "forecast";
      const left = isCut ? [shape[0] - 1, ...shape.slice(1)] : shape;
      const part = isCut ? data.subarray(0, (data.length / shape[0]) * left[0]) : data;
      const bounds = known.map(Math.fround);
      return [name, { data: part.map((x) => clip(x, ...bounds)), shape: left, dtype }];
    }),
  );
}

// The mean squared error of a reconstruction, or of the last step.
export function scoreOf(inputs, outputs, anomaly) {
  const [{ data }] = Object.values(inputs);
  const wanted =
    anomaly.score === "reconstruction" ? data : data.subarray(data.length - outputs.length);
  let total = 0;
  for (let i = 0; i < outputs.length; i += 1) total += (outputs[i] - wanted[i]) ** 2;
  return total / outputs.length;
}

// The outputs (K,) that decisions are made from: a raw output, dequantized and scaled.
export function scaleOutputs(detail, inputs, raw, anomaly) {
  const outputs = dequantize(raw, detail);
  if (!anomaly) return outputs;
  const score = scoreOf(inputs, outputs, anomaly);
  const share = score / (score + anomaly.threshold);
  return Float32Array.of(1 - share, share);
}

// Probabilities as a softmax of logits over the temperature gives them.
export function applyTemperature(outputs, temperature) {
  const powers = Array.from(outputs, (x) => Math.max(x, 0) ** (1 / temperature));
  const total = Math.max(
    powers.reduce((a, b) => a + b, 0),
    1e-12,
  );
  return powers.map((x) => x / total);
}

export function l1Distance(outputs, plain) {
  return outputs.reduce((total, x, i) => total + Math.abs(x - plain[i]), 0);
}

// Reasons to abstain from a prediction; `plain` are the outputs without squeezing, or null.
export function reasonsToAbstain(raw, outputs, plain, { preprocess, detector }) {
  const found = [];
  for (const entry of preprocess.inputs) {
    const rule = entry.sanitize ?? null;
    if (rule === null || rule.range === "clip") continue;
    const far = findOutOfRange(raw[entry.name], entry);
    if (far !== null && rule.range === "refuse") {
      throw new Refusal(`input ${entry.name}: the sample is ${OUTSIDE}: ${far}; correct it`);
    }
    if (far !== null && !found.includes(OUTSIDE)) found.push(OUTSIDE);
  }
  if (plain !== null && l1Distance(outputs, plain) > detector) found.push(SUSPECT);
  return found;
}

// {decision, confidence, top, why} of one sample; `top` has all classes, the likeliest first.
export function decide(outputs, raw, why, { preprocess, abstain }) {
  const { labels, target } = preprocess;
  if (labels === null) {
    const value = outputs[0] * target.scale + target.offset + lastKnownValue(raw, target);
    return { decision: why.length ? ABSTAIN : value, value, confidence: null, top: [], why };
  }
  const row = abstain ? applyTemperature(outputs, abstain.temperature) : outputs;
  const top = labels.map((label, k) => [label, row[k]]).sort((a, b) => b[1] - a[1]);
  const likely = abstain ? row.filter((score) => score >= abstain.threshold).length : 1;
  const reasons = likely === 1 ? why : [...why, UNSURE];
  const decision = reasons.length ? ABSTAIN : top[0][0];
  return { decision, confidence: top[0][1], top, why: reasons };
}

// A forecast is a change of the last value that is known.
function lastKnownValue(raw, { channel }) {
  if (channel === undefined || channel === null) return 0;
  const [{ data, shape }] = Object.values(raw);
  const values = data.filter((x, i) => i % shape.at(-1) === channel && !Number.isNaN(x));
  return values.length ? values.at(-1) : NaN;
}
