// The .tflite file by LiteRT.js: its prediction for a sample, and the time of an inference.

import { scaleOutputs, decide, reasonsToAbstain, detectorInputs } from "./decide.js";
import { prepareAll, quantize } from "./prepare.js";
import { withoutSqueezing } from "./squeeze.js";

const TIMED_MS = 60; // as long as a phone's clock needs to tell times of a tenth of a millisecond
const MOST_RUNS = 300;
const MOST_WORDS = 300; // letters of a reason

// Something is missing or refused, and the user of the page can mend it.
export class Unavailable extends Error {}

// Load the library and the file that a description (model.json) names.
export async function load(description) {
  const messages = captureMessages();
  const litert = await loadLibrary();
  const content = new Uint8Array(await (await fetchFile(description.model.file)).arrayBuffer());
  try {
    const compiled = await litert.loadAndCompile(content, { accelerator: "wasm" });
    return { ...description, litert, compiled };
  } catch (error) {
    const why = messages.find((line) => line.includes("ERROR")) ?? error?.message ?? String(error);
    throw new Unavailable(
      `LiteRT.js does not run this model: ${reason(why)}${STATE.test(why) ? KEEPS : ""}`,
    );
  }
}

const STATE = /variable tensor/i;
const KEEPS =
  ". It runs no network that keeps state, as a fused LSTM does; a GRU or a CNN it does.";

// Collect the console's messages from now on: the library's exceptions seldom have the reason.
function captureMessages() {
  const messages = [];
  for (const level of ["error", "warn"]) {
    const usual = console[level].bind(console);
    console[level] = (...words) => {
      messages.push(words.map(String).join(" "));
      usual(...words);
    };
  }
  return messages;
}

function reason(message) {
  return message
    .replace(/^.*?ERROR:? ?(\[[^\]]*\])? ?/s, "")
    .replace(/\s+/g, " ")
    .replace(/[.\s]+$/, "")
    .slice(0, MOST_WORDS);
}

export async function fetchFile(path) {
  const response = await fetch(path).catch(() => null);
  if (response === null || !response.ok) throw new Unavailable(`${path} cannot be loaded`);
  return response;
}

async function loadLibrary() {
  const there = await fetch("litertjs/dist/index.js", { method: "HEAD" }).catch(() => null);
  if (there === null || !there.ok) throw new Unavailable("LiteRT.js is missing");
  const litert = await import("./litertjs/dist/index.js");
  await litert.loadLiteRt("./litertjs/wasm/");
  return litert;
}

// The raw output of one sample's model inputs, in the type of the page's file.
export async function invoke(model, inputs) {
  const tensors = tensorsOf(model, inputs);
  try {
    const outputs = await model.compiled.run(tensors);
    const found = Object.values(outputs)[0].toTypedArray().slice();
    for (const tensor of Object.values(outputs)) tensor.delete();
    return found;
  } finally {
    for (const tensor of Object.values(tensors)) tensor.delete();
  }
}

function tensorsOf(model, inputs) {
  const arrays = detectorInputs(inputs, model.preprocess.anomaly);
  return Object.fromEntries(
    model.model.inputs.map((detail) => {
      const values = quantize(arrays[detail.name], detail);
      return [detail.key, new model.litert.Tensor(values, detail.shape)];
    }),
  );
}

// The prediction for one raw sample, with the outputs and model inputs behind it.
export async function predictSample(model, raw) {
  const { raw: output, outputs, inputs } = await run(model, raw, model.preprocess);
  const isWatched = model.detector !== null;
  const bare = withoutSqueezing(model.preprocess);
  const plain = isWatched ? (await run(model, raw, bare)).outputs : null;
  const why = reasonsToAbstain(raw, outputs, plain, model);
  return { ...decide(outputs, raw, why, model), output, outputs, plain, inputs };
}

async function run(model, raw, preprocess) {
  const inputs = prepareAll(raw, preprocess);
  const output = await invoke(model, inputs);
  return {
    raw: output,
    outputs: scaleOutputs(model.model.output, inputs, output, preprocess.anomaly),
    inputs,
  };
}

// Milliseconds of one inference: the mean of many, after a first one.
export async function measureTime(model, raw) {
  const tensors = tensorsOf(model, prepareAll(raw, model.preprocess));
  const once = async () => {
    const outputs = await model.compiled.run(tensors);
    for (const tensor of Object.values(outputs)) tensor.delete();
  };
  await once();
  const began = performance.now();
  let runs = 0;
  while (runs < MOST_RUNS && performance.now() - began < TIMED_MS) {
    await once();
    runs += 1;
  }
  const passed = performance.now() - began;
  for (const tensor of Object.values(tensors)) tensor.delete();
  return { milliseconds: passed / runs, runs };
}
