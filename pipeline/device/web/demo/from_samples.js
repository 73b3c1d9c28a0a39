// Held-out samples of the bundle, to try with one tap.

import { el } from "./dom.js";
import { canvasOf, textOf } from "./view.js";

export const title = "Samples";

export function fits() {
  return true;
}

export function make(root, give, model) {
  const entry = model.preprocess.inputs[0];
  const buttons = model.samples.map((raw, i) => {
    const name = `Held-out sample ${i + 1}`;
    const made = el(
      "button",
      { type: "button", title: name, "aria-label": name },
      face(raw, entry, i),
    );
    made.onclick = () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === made));
      give([raw]);
    };
    made.setAttribute("aria-pressed", "false");
    return made;
  });
  const text = "Held-out samples that came with the model:";
  root.append(
    el("p", { className: "quiet" }, text),
    el("div", { className: "thumbs" }, ...buttons),
  );
  buttons[0]?.click();
  return () => {};
}

function face(raw, entry, i) {
  if (entry.kind === "image") return canvasOf(raw[entry.name]);
  if (entry.kind === "tokens") return `${textOf(raw[entry.name]).slice(0, 18)}…`;
  return String(i + 1);
}
