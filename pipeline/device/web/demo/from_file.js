// A file of one's own, chosen or dropped.

import { Refusal } from "./check.js";
import { el } from "./dom.js";
import { acceptedBy, readFile } from "./files.js";

export const title = "File";

export function fits() {
  return true;
}

export function make(root, give, model) {
  const entries = model.preprocess.inputs;
  const accept = acceptedBy(entries);
  const input = el("input", { type: "file", accept, id: "file" });
  const drop = el(
    "label",
    { className: "drop" },
    `Choose a file, or drop one here (${accept})`,
    input,
  );
  const take = (file) => {
    if (file) give(readFile(file, entries), { name: file.name });
  };
  input.onchange = () => take(input.files[0]);
  drop.ondragover = (event) => {
    event.preventDefault();
    drop.classList.add("over");
  };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
    else give(Promise.reject(new Refusal("what was dropped is no file")));
  };
  root.append(drop);
  return () => {};
}
