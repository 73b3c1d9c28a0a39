// The page: loads the model, offers the ways in that fit its input, shows the predictions.

import { showPrediction, showPredictions } from "./prediction.js";
import { readNpz } from "./arrays.js";
import { Refusal } from "./check.js";
import { button, byId, el } from "./dom.js";
import * as camera from "./from_camera.js";
import * as file from "./from_file.js";
import * as form from "./from_form.js";
import * as microphone from "./from_microphone.js";
import * as pad from "./from_pad.js";
import * as samples from "./from_samples.js";
import * as text from "./from_text.js";
import { samplesOf, selfTest } from "./golden.js";
import { Unavailable, predictSample, fetchFile, load, measureTime } from "./model.js";
import { g } from "./numbers.js";
import { showView } from "./view.js";

const WAYS = [form, text, samples, pad, camera, microphone, file]; // the first that fits is open

start().catch(fail);

async function start() {
  const description = await (await fetchFile("model.json")).json();
  showName(description);
  const golden = await goldenVectors();
  const loaded = await load(description);
  const model = { ...loaded, samples: samplesOf(golden, description.preprocess) };
  byId("notice").hidden = true;
  byId("main").hidden = false;
  offerWays(model);
  byId("self-test").onclick = () => runSelfTest(model, golden);
  await showSpeed(model);
  document.documentElement.dataset.state = "ready";
}

async function goldenVectors() {
  const parts = await readNpz(await (await fetchFile("golden.npz")).arrayBuffer());
  return Object.fromEntries(Object.entries(parts).map(([name, read]) => [name, read()]));
}

function showName(model) {
  document.title = `${model.name}: Edgeline demo`;
  byId("name").textContent = model.name;
  const figures = Object.entries(model.metrics).slice(0, 1);
  const said = figures.map(
    ([name, value]) => `${name} ${value.toFixed(4)} on ${model.held_out} held-out samples`,
  );
  const size = `${(model.bytes / 1000).toFixed(1)} kB`;
  byId("about").textContent = [model.task, `${model.shipped_file}, ${size}`, ...said].join(" · ");
}

// What is missing or broken, in the place of the page.
function fail(error) {
  const notice = byId("notice");
  notice.hidden = false;
  notice.className = "problem";
  const said = error?.message ?? String(error);
  notice.replaceChildren(el("p", {}, el("strong", {}, said)));
  if (said === "LiteRT.js is missing") notice.append(...howToGet());
  else if (!(error instanceof Unavailable))
    notice.append(el("p", {}, "This is a mistake of the page, or an old browser."));
  document.documentElement.dataset.state = "failed";
}

function howToGet() {
  const commands = [
    "npm install --no-save @litertjs/core@2.5.3",
    "cp -r node_modules/@litertjs/core web/litertjs",
    "cp -r node_modules/@litertjs/wasm-utils web/wasm-utils",
  ];
  const why =
    "It runs the model in the browser; it is not in the bundle, for it has 38 MB. Where Edgeline is, `make litertjs` gets it, and `edgeline demo` serves it. On another server, copy it beside this page:";
  return [el("p", {}, why), el("pre", {}, el("code", {}, commands.join("\n")))];
}

function offerWays(model) {
  const fitting = WAYS.filter((way) => way.fits(model)).filter((way, _, all) => {
    return way !== samples || !(all.includes(form) || all.includes(text)); // those have them inside
  });
  let stop = () => {};
  const open = (way, pressed) => {
    stop();
    for (const other of buttons) other.setAttribute("aria-pressed", String(other === pressed));
    const root = byId("way");
    root.replaceChildren();
    byId("main").classList.toggle("has-form", way === form);
    stop = way.make(root, giver(model), model);
  };
  const buttons = fitting.map((way) => {
    const made = button(way.title, () => open(way, made));
    return made;
  });
  byId("ways").replaceChildren(...buttons);
  open(fitting[0], buttons[0]);
}

// What a way calls with samples, or with a promise of them; live ones are dropped while one runs.
function giver(model) {
  let isBusy = false;
  let next = null;
  const give = async (samplesOrPromise, options = {}) => {
    if (isBusy) {
      if (options.isLive) Promise.resolve(samplesOrPromise).catch(() => {});
      else next = [samplesOrPromise, options];
      return;
    }
    isBusy = true;
    try {
      await predictAll(model, await samplesOrPromise);
      byId("problem").hidden = true;
    } catch (error) {
      complain(error);
    } finally {
      isBusy = false;
    }
    if (next !== null) {
      const [again, how] = next;
      next = null;
      await give(again, how);
    }
  };
  return give;
}

async function predictAll(model, given) {
  const found = [];
  for (const raw of given) found.push(await predictSample(model, raw));
  showPrediction(byId("prediction"), found[0], model);
  showView(byId("view"), given[0], found[0].inputs, model);
  if (found.length > 1) showPredictions(byId("prediction"), found);
}

function complain(error) {
  const problem = byId("problem");
  problem.hidden = false;
  const isOurs = !(error instanceof Refusal);
  problem.textContent = isOurs
    ? `A mistake of the page: ${error?.message ?? error}`
    : error.message;
  byId("prediction").replaceChildren(el("p", { className: "quiet" }, "No prediction."));
  byId("view").hidden = true;
  if (isOurs) console.error(error);
}

async function showSpeed(model) {
  if (!model.samples.length) return;
  const { milliseconds, runs } = await measureTime(model, model.samples[0]);
  byId("speed").textContent =
    `${g(milliseconds, 3)} ms an inference in this browser (mean of ${runs}).`;
}

async function runSelfTest(model, golden) {
  const [pressed, result] = [byId("self-test"), byId("self-test-result")];
  pressed.disabled = true;
  result.className = "";
  try {
    const found = await selfTest(model, golden, (done, all) => {
      result.textContent = `${done} of ${all}`;
    });
    const { samples: count, same, largest, unit, passed } = found;
    const far = `largest difference ${g(largest, 3)} ${unit}`.trim();
    result.textContent = `${passed ? "Passed" : "Failed"}: ${same} of ${count} decisions as expected, ${far}.`;
    result.className = passed ? "good" : "problem";
  } catch (error) {
    result.textContent = `Failed: ${error?.message ?? error}`;
    result.className = "problem";
  }
  pressed.disabled = false;
}
