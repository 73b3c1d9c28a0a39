// The golden vectors: samples of the test split, with the outputs of the shipped model.

import { scaleOutputs, decide, reasonsToAbstain } from "./decide.js";
import { predictSample } from "./model.js";
import { isFloat } from "./numbers.js";
import { row } from "./arrays.js";
import { prepareAll } from "./prepare.js";
import { withoutSqueezing } from "./squeeze.js";

const ROUNDING = 1e-4; // of the largest output: floats that are summed in another order
const CLOSE = 1e-5; // as numpy.isclose
const CLOSE_TO_NONE = 1e-8;

// Raw samples by name, of golden.npz.
export function samplesOf(golden, preprocess) {
  const count = golden.expected.shape[0];
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(
      preprocess.inputs.map(({ name }) => [name, row(golden[`input_${name}`], i)]),
    ),
  );
}

// Run all of them: {samples, same, largest, unit, passed}.
export async function selfTest(model, golden, onProgress = () => {}) {
  const samples = samplesOf(golden, model.preprocess);
  const isWhole = !isFloat(golden.expected.dtype);
  let [same, largest, reach] = [0, 0, 0];
  for (const [i, raw] of samples.entries()) {
    const found = await predictSample(model, raw);
    const wanted = row(golden.expected, i).data;
    const output = asShipped(found.output, model.model);
    const apart = output.map((x, k) => Math.abs(x - wanted[k]));
    largest = Math.max(largest, ...apart);
    reach = Math.max(reach, ...Array.from(wanted, Math.abs));
    same += isSame(model, raw, found, output, wanted, golden, i) ? 1 : 0;
    onProgress(i + 1, samples.length);
  }
  const isExact = isWhole ? largest === 0 : largest <= ROUNDING * reach;
  const passed = same === samples.length && (isExact || model.may_drift);
  return { samples: samples.length, same, largest, unit: isWhole ? "LSB" : "", passed };
}

// Values of the page's file in the type of the shipped model: the same numbers.
function asShipped(output, { output: made, shipped }) {
  if (made.dtype === shipped.dtype) return Array.from(output);
  if (made.dtype === "uint8")
    return Array.from(output, (x) => x - made.zero_point + shipped.zero_point);
  return Array.from(output, (x) => Math.round(x / Math.fround(shipped.scale)) + shipped.zero_point);
}

// Whether the decision is that of the golden output.
function isSame(model, raw, found, output, wanted, golden, i) {
  const { preprocess } = model;
  if (preprocess.labels === null) {
    return output.every(
      (x, k) => Math.abs(x - wanted[k]) <= CLOSE_TO_NONE + CLOSE * Math.abs(wanted[k]),
    );
  }
  const { shipped } = model.model;
  const outputs = scaleOutputs(shipped, found.inputs, wanted, preprocess.anomaly);
  const bare = golden.expected_unsqueezed;
  const plain = model.detector === null ? null : unsqueezedOutputs(model, raw, row(bare, i).data);
  return (
    decide(outputs, raw, reasonsToAbstain(raw, outputs, plain, model), model).decision === found.decision
  );
}

function unsqueezedOutputs(model, raw, wanted) {
  const inputs = prepareAll(raw, withoutSqueezing(model.preprocess));
  return scaleOutputs(model.model.shipped, inputs, wanted, null);
}
