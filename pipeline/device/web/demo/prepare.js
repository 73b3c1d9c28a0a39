// From a raw sample to what the model is given, by preprocess.json: what run_on_device.py computes,
// sample by sample. tests/device/test_web.py compares the two.

import { Refusal, checkSample } from "./check.js";
import { TYPES, clip, isFloat, limits, rint } from "./numbers.js";
import { seriesOf } from "./series.js";
import { bandsOf } from "./spectrum.js";
import { squeezeSample } from "./squeeze.js";
import { codesOf, columnsOf } from "./table.js";
import { numberTokens } from "./text.js";

const PREPARE = {
  image: standardize,
  table: standardize,
  columns: columnsOf,
  codes: codesOf,
  audio: bandsOf,
  series: seriesOf,
  tokens: numberTokens,
};

// The model input of a raw sample: float32, but int32 for words and categories.
export function prepare(raw, entry) {
  const found = PREPARE[entry.kind](squeezeSample(checkSample(raw, entry), entry), entry);
  if (found.dtype === "float32" && !found.data.every(Number.isFinite)) {
    throw new Refusal(`input ${entry.name}: holds NaN or infinity`);
  }
  return found;
}

// Name -> model input of a raw sample by name.
export function prepareAll(raw, preprocess) {
  return Object.fromEntries(
    preprocess.inputs.map((entry) => [entry.name, prepare(raw[entry.name], entry)]),
  );
}

// Less an offset, times a scale, each step in float32.
function standardize({ data, shape }, { offset, scale }) {
  const { fround } = Math;
  const [offsets, scales] = [offset, scale].map((values) => [values].flat().map(fround));
  const found = Float32Array.from(data, (x, i) => {
    const centered = fround(fround(x) - offsets[i % offsets.length]);
    return fround(centered * scales[i % scales.length]);
  });
  return { data: found, shape, dtype: "float32" };
}

// In the type of a tensor {dtype, scale, zero_point}: rounded half to even, and clipped.
export function quantize({ data }, { dtype, scale, zero_point: zero }) {
  if (!scale || isFloat(dtype)) return TYPES[dtype].from(data);
  const [low, high] = limits(dtype);
  const step = Math.fround(scale);
  return TYPES[dtype].from(data, (x) => clip(rint(Math.fround(x / step)) + zero, low, high));
}

// The real numbers of a tensor's values.
export function dequantize(values, { dtype, scale, zero_point: zero }) {
  if (!scale || isFloat(dtype)) return Float32Array.from(values);
  const step = Math.fround(scale);
  return Float32Array.from(values, (q) => (q - zero) * step);
}
