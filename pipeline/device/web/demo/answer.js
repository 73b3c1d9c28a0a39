// The answer on the page: a decision with the top classes, a value, anomalous or not, or many of them.

import { ABSTAIN } from "./decide.js";
import { el } from "./dom.js";
import { g } from "./numbers.js";

const MOST_CLASSES = 5;
const MOST_ROWS = 200;

export function showAnswer(place, found, model) {
  const parts = [el("p", { className: "decision", id: "decision" }, said(found.decision))];
  if (found.why.length) parts.push(el("p", {}, `Left to a person: ${found.why.join("; ")}.`));
  if (found.top.length) parts.push(bars(found.top.slice(0, MOST_CLASSES)));
  const more = found.top.length - MOST_CLASSES;
  if (more > 0) parts.push(el("p", { className: "quiet" }, `and ${more} less likely`));
  const about = meaning(found, model);
  if (about) parts.push(el("p", { className: "quiet" }, about));
  place.replaceChildren(...parts);
}

function said(decision) {
  return typeof decision === "number" ? g(decision) : decision;
}

function bars(top) {
  return el("ul", { className: "bars" }, ...top.map(bar));
}

function bar([label, share]) {
  const text = `${(100 * share).toFixed(1)} %`;
  return el(
    "li",
    {},
    el("span", { className: "label" }, label),
    el("span", { className: "share" }, text),
    el("progress", { max: 1, value: share, "aria-label": `${label}: ${text}` }),
  );
}

// What a value or a score says, in a sentence; none for classes.
function meaning(found, model) {
  const { anomaly, labels, target } = model.preprocess;
  if (anomaly) {
    const share = found.answers[1];
    const score = (anomaly.threshold * share) / (1 - share);
    return `Score ${g(score, 4)}; above ${g(anomaly.threshold, 4)} it is an anomaly.`;
  }
  if (labels !== null) return "";
  const name = model.answer_name ?? "the value";
  if (target.channel === undefined || target.channel === null) return `This is ${name}.`;
  const kind = `the next value of ${channelName(model, target.channel)}`;
  return found.decision === ABSTAIN
    ? `It would be ${g(found.value)}, ${kind}.`
    : `This is ${kind}.`;
}

function channelName(model, channel) {
  return model.preprocess.inputs[0].columns?.[channel]?.name ?? "the series";
}

// One row for each of many samples.
export function showAnswers(place, all) {
  const rows = all
    .slice(0, MOST_ROWS)
    .map(({ decision, confidence }, i) =>
      el(
        "tr",
        {},
        el("td", {}, String(i + 1)),
        el("td", {}, said(decision)),
        el("td", {}, confidence === null ? "" : `${(100 * confidence).toFixed(1)} %`),
      ),
    );
  const head = el(
    "tr",
    {},
    ...["sample", "decision", "share"].map((name) => el("th", { scope: "col" }, name)),
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
