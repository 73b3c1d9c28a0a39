// The .tflite file by LiteRT.js: what it answers to a sample, and how long that takes.

import { answersOf, decide, doubts, seen } from "./decide.js";
import { prepareAll, quantize } from "./prepare.js";
import { unsqueezed } from "./squeeze.js";

const TIMED_MS = 60; // as long as a phone's clock needs to tell times of a tenth of a millisecond
const MOST_RUNS = 300;
const MOST_WORDS = 300; // letters of a reason

// Something is missing or refused that the user of the page can do something about.
export class Unavailable extends Error {}

// Load the library and the file that a description (model.json) names.
export async function load(description) {
  const said = overheard();
  const litert = await library();
  const content = new Uint8Array(await (await fetched(description.model.file)).arrayBuffer());
  try {
    const compiled = await litert.loadAndCompile(content, { accelerator: "wasm" });
    return { ...description, litert, compiled };
  } catch (error) {
    const why = said.find((line) => line.includes("ERROR")) ?? error?.message ?? String(error);
    throw new Unavailable(
      `LiteRT.js does not run this model: ${reason(why)}${STATE.test(why) ? KEEPS : ""}`,
    );
  }
}

const STATE = /variable tensor/i;
const KEEPS =
  ". It runs no network that keeps state, as a fused LSTM does; a GRU or a CNN it does.";

// What is said on the console from now on: the library's exceptions seldom tell why.
function overheard() {
  const said = [];
  for (const level of ["error", "warn"]) {
    const usual = console[level].bind(console);
    console[level] = (...words) => {
      said.push(words.map(String).join(" "));
      usual(...words);
    };
  }
  return said;
}

function reason(said) {
  return said
    .replace(/^.*?ERROR:? ?(\[[^\]]*\])? ?/s, "")
    .replace(/\s+/g, " ")
    .replace(/[.\s]+$/, "")
    .slice(0, MOST_WORDS);
}

export async function fetched(path) {
  const answer = await fetch(path).catch(() => null);
  if (answer === null || !answer.ok) throw new Unavailable(`${path} cannot be loaded`);
  return answer;
}

async function library() {
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
  const given = seen(inputs, model.preprocess.anomaly);
  return Object.fromEntries(
    model.model.inputs.map((detail) => {
      const values = quantize(given[detail.name], detail);
      return [detail.key, new model.litert.Tensor(values, detail.shape)];
    }),
  );
}

// What is said to one raw sample, with what it was made of.
export async function ask(model, raw) {
  const { raw: output, answers, inputs } = await run(model, raw, model.preprocess);
  const isWatched = model.detector !== null;
  const plain = isWatched ? (await run(model, raw, unsqueezed(model.preprocess))).answers : null;
  const why = doubts(raw, answers, plain, model);
  return { ...decide(answers, raw, why, model), output, answers, plain, inputs };
}

async function run(model, raw, preprocess) {
  const inputs = prepareAll(raw, preprocess);
  const output = await invoke(model, inputs);
  return {
    raw: output,
    answers: answersOf(model.model.output, inputs, output, preprocess.anomaly),
    inputs,
  };
}

// Milliseconds of one inference: the mean of many, after a first one.
export async function timed(model, raw) {
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
