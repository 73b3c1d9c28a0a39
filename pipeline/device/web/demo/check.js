// What is refused: a sample that is none of this model. As checkSample() of run_on_device.py, one sample
// at a time; what is said names the input, what was wanted, what came and what to do.

import { resizeImage } from "./image.js";
import { TYPES, clip, g, isFloat, limits, product, rint } from "./numbers.js";

// Something that the user gave is wrong; its message is for the user.
export class Refusal extends Error {}

export function refuse(entry, wanted, came, cure) {
  throw new Refusal(`input ${entry.name}: wanted ${wanted}, got ${came}; ${cure}`);
}

// The sample in the type and size that an input takes.
export function checkSample(raw, entry) {
  checkShape(raw, entry);
  const found = inType(raw, entry);
  const [height, width] = entry.shape;
  if (entry.kind === "image" && (found.shape[0] !== height || found.shape[1] !== width)) {
    return resizeImage(found, height, width);
  }
  if (entry.kind === "audio") return toLength(found, entry.samples);
  const ranges = entry.kind === "table" ? limitsOf(entry) : null;
  if (ranges === null) return found;
  const bounds = ranges.map((range) => range.map(Math.fround));
  const data = found.data.map((x, i) => clip(x, ...bounds[i % bounds.length]));
  return { ...found, data };
}

// Cut, or silence added at the end.
export function toLength(sound, samples) {
  const data = new sound.data.constructor(samples);
  data.set(sound.data.subarray(0, samples));
  return { ...sound, data, shape: [samples] };
}

export function limitsOf(entry) {
  return entry.sanitize?.limits ?? null;
}

function checkShape({ shape }, entry) {
  const wanted = entry.shape;
  if (entry.kind === "columns" || entry.kind === "codes") {
    const width = entry.columns.length;
    if (shape.length === 1 && shape[0] === width) return;
    refuse(entry, `rows of ${width} values`, tuple(shape), "give one row a sample");
  } else if (entry.kind === "audio" || entry.kind === "tokens") {
    if (shape.length === 1 && shape[0] > 0) return;
    const what = entry.kind === "audio" ? "recordings (N, samples)" : "texts (N, bytes)";
    refuse(entry, what, tuple(shape), "give one row a sample");
  } else if (entry.kind === "image") {
    if (shape.length === 3 && shape[2] === wanted[2] && shape[0] && shape[1]) return;
    const what = `samples of shape ${tuple(wanted)} or of another height and width`;
    refuse(entry, what, tuple(shape), "give (N, height, width, channels)");
  } else if (String(shape) !== String(wanted)) {
    refuse(
      entry,
      `samples of shape ${tuple(wanted)}`,
      tuple(shape),
      "give one such sample, or (N, ...)",
    );
  }
}

function tuple(shape) {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}

// The sample in the type that it has in training; what that cannot hold is refused.
function inType(raw, entry) {
  const dtype = entry.raw_dtype;
  if (TYPES[dtype] === undefined)
    throw new Refusal(`input ${entry.name}: type ${dtype} is not known here`);
  if (isFloat(dtype)) return finite(raw, dtype, entry);
  if (isFloat(raw.dtype)) {
    if (entry.kind === "audio") return soundOfFloats(raw, entry);
    const most = reach(raw.data)[1];
    const many = `multiply by ${limits(dtype)[1]} and round`;
    refuse(
      entry,
      span(dtype),
      `${raw.dtype} ${describeRange(raw)}`,
      most <= 1 ? many : "round them to whole numbers",
    );
  }
  const [low, high] = limits(dtype);
  const [least, most] = reach(raw.data);
  if (raw.dtype !== dtype && (least < low || most > high)) {
    refuse(
      entry,
      span(dtype),
      `${raw.dtype} ${describeRange(raw)}`,
      "bring them into that range, as they were in training",
    );
  }
  return { ...raw, data: raw.dtype === dtype ? raw.data : TYPES[dtype].from(raw.data), dtype };
}

function reach(data) {
  return data.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [Infinity, -Infinity]);
}

function describeRange(raw) {
  return raw.data.length
    ? `from ${reach(raw.data)
        .map((x) => g(x))
        .join(" to ")}`
    : "no value";
}

function span(dtype) {
  return `${dtype} from ${limits(dtype).join(" to ")}`;
}

// The sample as floats; NaN says that a value is not known, which some inputs allow.
function finite(raw, dtype, entry) {
  const data = raw.dtype === dtype ? raw.data : TYPES[dtype].from(raw.data);
  const mayBeUnknown = ["columns", "codes", "series"].includes(entry.kind);
  const place = data.findIndex((x) => !Number.isFinite(x) && !(mayBeUnknown && Number.isNaN(x)));
  if (place >= 0) {
    const value = raw.data[place];
    const said = Number.isNaN(value) ? "NaN" : Number.isFinite(value) ? g(value) : "infinity";
    const wanted = mayBeUnknown ? "a number or NaN" : "a number";
    const where = columnOf(raw, place, entry);
    refuse(entry, wanted, `${said} in this sample${where}`, "correct or leave out that sample");
  }
  if (entry.kind === "columns" || entry.kind === "codes") checkCodes(data, entry);
  return { ...raw, data, dtype };
}

function columnOf({ shape }, place, entry) {
  const name = entry.columns?.[place % (shape.at(-1) ?? product(shape))];
  return name === undefined ? "" : `, column ${name.name ?? name}`;
}

// Categories are counted from 0, and -1 is an unknown one.
function checkCodes(row, entry) {
  entry.columns.forEach((column, i) => {
    if (column.kind !== "category" || Number.isNaN(row[i])) return;
    const most = column.category_index.length - 1;
    if (Number.isInteger(row[i]) && row[i] >= -1 && row[i] <= most) return;
    const wanted = `a category from 0 to ${most}, or -1 for one that is not listed`;
    const came = `${g(row[i])} in this sample, column ${column.name}`;
    refuse(entry, wanted, came, "number them as preprocess.json lists them");
  });
}

// Floats from -1 to 1 as 16 bits, as a .wav of floats is read.
function soundOfFloats(raw, entry) {
  if (!raw.data.every(Number.isFinite)) {
    refuse(entry, "floats from -1 to 1", "NaN or infinity", "correct the recording");
  }
  if (raw.data.some((x) => Math.abs(x) > 1)) {
    const cure = "divide by the recorder's largest value";
    refuse(entry, "int16, or floats from -1 to 1", `floats ${describeRange(raw)}`, cure);
  }
  const data = Int16Array.from(raw.data, (x) => clip(rint(x * 32768), -32768, 32767));
  return { ...raw, data, dtype: "int16" };
}
