// A form for a table's row: a field a column, with its range or its categories.

import { el } from "./dom.js";
import { g, product } from "./numbers.js";
import { rowOf } from "./table.js";

export const title = "Form";

const TABLES = ["columns", "codes"];
const MOST_FIELDS = 200;
const MISSING = "\u0000missing"; // no cell can hold it

export function fits({ preprocess: { inputs } }) {
  if (inputs.every(({ kind }) => TABLES.includes(kind))) return true;
  const [{ kind, shape }] = inputs;
  return (
    inputs.length === 1 && kind === "table" && shape.length === 1 && product(shape) <= MOST_FIELDS
  );
}

export function make(root, give, model) {
  const entries = model.preprocess.inputs;
  const fields = entries.flatMap((entry) =>
    columnsOf(entry).map((column, i) => fieldOf(column, entry, i)),
  );
  const predictForm = () => give([sampleOf(entries, fields)]);
  const fill = (i) => {
    const raw = model.samples[i];
    for (const field of fields) field.set(raw[field.entry.name].data[field.place]);
    predictForm();
  };
  const options = model.samples.map((_, i) =>
    el("option", { value: i }, `held-out sample ${i + 1}`),
  );
  const pick = el("select", { onchange: () => fill(Number(pick.value)) }, ...options);
  const labeled = el("label", {}, "Fill in ", pick);
  const grid = el("div", { className: "fields" }, ...fields.map(({ label }) => label));
  grid.oninput = predictForm;
  root.append(el("div", { className: "row" }, labeled), grid);
  if (model.samples.length) fill(0);
  return () => {};
}

function columnsOf(entry) {
  if (TABLES.includes(entry.kind)) return entry.columns;
  return Array.from({ length: entry.shape[0] }, (_, i) => ({
    kind: "number",
    name: entry.columns?.[i] ?? `value ${i + 1}`,
  }));
}

function fieldOf(column, entry, place) {
  const isCategory = column.kind === "category";
  const control = isCategory ? choices(column) : el("input", { type: "number", step: "any" });
  if (!isCategory && TABLES.includes(entry.kind)) control.placeholder = "not known";
  const hint = isCategory ? "" : rangeOf(column, entry, place);
  const label = el(
    "label",
    {},
    el("span", { className: "name" }, column.name),
    control,
    el("span", { className: "quiet" }, hint),
  );
  const set = (value) => {
    if (!isCategory) control.value = Number.isNaN(value) ? "" : Number(g(value, 7));
    else control.value = Number.isNaN(value) ? MISSING : String(column.values[value] ?? "");
  };
  return { entry, place, column, label, control, set };
}

function choices(column) {
  const known = column.values.map((value) => el("option", { value }, value));
  const others = [
    el("option", { value: "" }, "(none of them)"),
    el("option", { value: MISSING }, "(not known)"),
  ];
  return el("select", {}, ...known, ...others);
}

// What training saw: `limits` are a width of it further on either side.
function rangeOf(column, entry, place) {
  const limits = entry.sanitize?.limits?.[place];
  const ends = column.knots ?? column.edges;
  if (ends) return `${g(ends[0], 4)} to ${g(ends.at(-1), 4)} in training`;
  if (!limits) return "";
  const width = (limits[1] - limits[0]) / 3;
  return `${g(limits[0] + width, 4)} to ${g(limits[1] - width, 4)} in training`;
}

function sampleOf(entries, fields) {
  if (!TABLES.includes(entries[0].kind)) {
    const data = Float32Array.from(fields, ({ control }) =>
      control.value === "" ? NaN : Number(control.value),
    );
    return { [entries[0].name]: { data, shape: [data.length], dtype: "float32" } };
  }
  const own = new Map(fields.map((field) => [field.column, field]));
  return rowOf(
    entries.map((entry) => ({ ...entry, missing: [MISSING, ...entry.missing] })),
    (column) => {
      const { control } = own.get(column);
      return column.kind === "number" && control.value === "" ? MISSING : control.value;
    },
    "",
  );
}
