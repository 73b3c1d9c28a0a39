// The prediction on the page: a decision with the top classes, a value, anomalous or not, or many.

import { ABSTAIN } from "./decide.js";
import { el } from "./dom.js";
import { g } from "./numbers.js";

const MOST_CLASSES = 5;
const MOST_ROWS = 200;

export function showPrediction(place, found, model) {
  const parts = [el("p", { className: "decision", id: "decision" }, decisionText(found.decision))];
  if (found.why.length) parts.push(el("p", {}, `Abstains: ${found.why.join("; ")}.`));
  if (model.preprocess.anomaly) parts.push(...score(found, model.preprocess.anomaly));
  else if (found.top.length) parts.push(...classes(found.top));
  else parts.push(el("p", { className: "quiet" }, meaning(found, model)));
  place.replaceChildren(...parts);
}

function classes(top) {
  const more = top.length - MOST_CLASSES;
  const shown = bars(top.slice(0, MOST_CLASSES));
  return more > 0 ? [shown, el("p", { className: "quiet" }, `and ${more} less likely`)] : [shown];
}

// The anomaly score of a sample: half a bar at the threshold.
function score(found, { threshold }) {
  const output = found.outputs[1];
  const value = g((threshold * output) / (1 - output), 4);
  const text = `Score ${value}; above ${g(threshold, 4)}, half of the bar, it is an anomaly.`;
  const bar = el("progress", { max: 1, value: output, "aria-label": text });
  return [bar, el("p", { className: "quiet" }, text)];
}

function decisionText(decision) {
  return typeof decision === "number" ? g(decision) : decision;
}

function bars(top) {
  return el("ul", { className: "bars" }, ...top.map(bar));
}

function bar([label, score]) {
  const text = `${(100 * score).toFixed(1)} %`;
  return el(
    "li",
    {},
    el("span", { className: "label" }, label),
    el("span", { className: "score" }, text),
    el("progress", { max: 1, value: score, "aria-label": `${label}: ${text}` }),
  );
}

// The meaning of a value, in a sentence.
function meaning(found, model) {
  const { channel } = model.preprocess.target;
  const isNext = channel !== undefined && channel !== null;
  const name = model.target_name ?? "the value that the model predicts";
  const what = isNext ? `the next value of ${channelName(model, channel)}` : name;
  return found.decision === ABSTAIN
    ? `It would be ${g(found.value)}: ${what}.`
    : `This is ${what}.`;
}

function channelName(model, channel) {
  return model.preprocess.inputs[0].columns?.[channel]?.name ?? "the series";
}

// One row for each of many samples.
export function showPredictions(place, all) {
  const rows = all
    .slice(0, MOST_ROWS)
    .map(({ decision, confidence }, i) =>
      el(
        "tr",
        {},
        el("td", {}, String(i + 1)),
        el("td", {}, decisionText(decision)),
        el("td", {}, confidence === null ? "" : `${(100 * confidence).toFixed(1)} %`),
      ),
    );
  const head = el(
    "tr",
    {},
    ...["sample", "decision", "score"].map((name) => el("th", { scope: "col" }, name)),
  );
  const table = el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows));
  const left =
    all.length > MOST_ROWS
      ? `The first ${MOST_ROWS} of ${all.length} samples.`
      : `${all.length} samples.`;
  place.append(
    el("p", { className: "quiet" }, left),
    el("div", { className: "scroll", tabIndex: 0 }, table),
  );
}
