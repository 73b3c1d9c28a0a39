// A text box.

import { el } from "./dom.js";
import { encodeText } from "./text.js";
import { textOf } from "./view.js";

export const title = "Text";

export function fits({ preprocess: { inputs } }) {
  return inputs.length === 1 && inputs[0].kind === "tokens";
}

export function make(root, give, model) {
  const entry = model.preprocess.inputs[0];
  const box = el("textarea", { id: "text", spellcheck: false });
  const predictText = () => {
    const text = box.value.replaceAll("\n", " ");
    if (text.trim())
      give(Promise.resolve().then(() => [{ [entry.name]: encodeText(text, entry.max_bytes) }]));
  };
  box.oninput = predictText;
  const options = model.samples.map((raw, i) => {
    const words = textOf(raw[entry.name]);
    return el("option", { value: i }, words.length > 40 ? `${words.slice(0, 40)}…` : words);
  });
  const fill = (i) => {
    box.value = textOf(model.samples[i][entry.name]);
    predictText();
  };
  const pick = el("select", { onchange: () => fill(Number(pick.value)) }, ...options);
  root.append(
    el("div", { className: "row" }, el("label", {}, "A held-out text: ", pick)),
    el("label", {}, "Text to judge", box),
  );
  if (model.samples.length) fill(0);
  return () => {};
}
