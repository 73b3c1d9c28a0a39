// Recordings of sensors: rows from CSV or JSON, cut or stretched to the model's length, made even.

import { Refusal } from "./check.js";
import { numberOf, plainCell, readCsv } from "./csv.js";
import { sum } from "./numbers.js";
import { standardizeNumber } from "./table.js";

// A recording (T, C), each channel made even.
export function seriesOf(raw, entry) {
  if (entry.per_window_standardize) return standardizeWindow(raw, entry);
  const width = entry.columns.length;
  const data = raw.data.map((x, i) => standardizeNumber(x, entry.columns[i % width]));
  return { data, shape: raw.shape, dtype: "float32" };
}

// A window less its own mean, over its own deviation; unknown values are the mean.
function standardizeWindow({ data, shape }, entry) {
  const [length, width] = shape;
  const found = new Float32Array(data.length);
  for (let c = 0; c < width; c += 1) {
    const x = Float64Array.from({ length }, (_, t) => data[t * width + c]);
    const count = Math.max(1, x.filter((value) => !Number.isNaN(value)).length);
    const mean =
      total(
        x.map((value) => (Number.isNaN(value) ? 0 : value)),
        width,
      ) / count;
    const centered = x.map((value) => (Number.isNaN(value) ? 0 : value - mean));
    const deviation = Math.sqrt(
      total(
        centered.map((value) => value * value),
        width,
      ) / count,
    );
    centered.forEach((value, t) => {
      found[t * width + c] = value / Math.max(deviation, entry.floor);
    });
  }
  return { data: found, shape, dtype: "float32" };
}

// NumPy adds several channels step by step, and one alone in eight parts.
function total(values, width) {
  return width === 1 ? sum(values) : values.reduce((a, b) => a + b, 0);
}

// One recording of any length as samples of the model's length, as `data.source.fit` says.
export function toLength(rows, entry) {
  const width = entry.columns.length;
  const { length, fit } = entry;
  if (!rows.length) throw new Refusal("holds no row");
  if (fit === "window" && rows.length < length) {
    throw new Refusal(`${rows.length} rows; wanted ${length}`);
  }
  if (fit === "resample") return [sample(stretchRows(rows, length), width)];
  const short = Math.max(0, length - rows.length);
  const padded = [...rows, ...Array.from({ length: short }, () => rows.at(-1))];
  if (fit === "pad") return [sample(padded.slice(0, length), width)];
  const found = [];
  for (let start = 0; start + length <= padded.length; start += entry.stride) {
    found.push(sample(padded.slice(start, start + length), width));
  }
  return found;
}

function sample(rows, width) {
  return { data: Float32Array.from(rows.flat()), shape: [rows.length, width], dtype: "float32" };
}

function stretchRows(rows, length) {
  const { fround } = Math;
  const last = rows.length - 1;
  return Array.from({ length }, (_, i) => {
    const place = i === length - 1 && length > 1 ? last : i * (last / Math.max(1, length - 1));
    const below = Math.min(Math.trunc(place), Math.max(last - 1, 0));
    const share = fround(place - below);
    const above = rows[Math.min(below + 1, last)];
    return rows[below].map((x, c) => fround(x + fround(fround(above[c] - x) * share)));
  });
}

// Rows of a CSV file: columns by the header's names where the entry has one.
export function readSeries(text, entry) {
  const names = entry.columns.map(({ name }) => name);
  const rows = readCsv(text, entry.delimiter);
  let [places, width] = [names.map((_, i) => i), names.length];
  if (entry.header) {
    const head = rows.shift() ?? { line: 1, cells: [] };
    const header = head.cells.map((cell) => cell.trim());
    const absent = names.filter((name) => !header.includes(name));
    if (absent.length) {
      throw new Refusal(
        `line ${head.line}: no column ${absent.join(", ")}; there are ${header.join(", ")}`,
      );
    }
    [places, width] = [names.map((name) => header.indexOf(name)), header.length];
  }
  return rows.map(({ line, cells }) => {
    if (cells.length !== width)
      throw new Refusal(`line ${line}: ${cells.length} values; wanted ${width}`);
    return places.map((place) => valueOf(cells[place].trim(), entry, `line ${line}`));
  });
}

function valueOf(text, entry, where) {
  const cell = plainCell(text, entry.number_format);
  if (entry.missing.includes(cell)) return NaN;
  const value = numberOf(cell);
  if (value === null || Math.abs(value) === Infinity) {
    throw new Refusal(`${where}: wanted a number, got '${cell}'`);
  }
  return Math.fround(value);
}

// Rows of a JSON text: a list of rows, or of {column: value}, or {column: list}; null is unknown.
export function readJson(text, entry) {
  const names = entry.columns.map(({ name }) => name);
  let document;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new Refusal(`no JSON: ${error.message}`);
  }
  const isByColumn = document !== null && !Array.isArray(document) && typeof document === "object";
  const absent = isByColumn ? names.filter((name) => !Array.isArray(document[name])) : [];
  if (!Array.isArray(document) && !isByColumn) throw new Refusal("wanted a list of rows");
  if (absent.length) throw new Refusal(`wanted a list named ${absent.join(", ")}`);
  const rows = isByColumn
    ? document[names[0]].map((_, i) => names.map((name) => document[name][i]))
    : document;
  return rows.map((row, i) => {
    const cells = cellsOf(row, names);
    if (cells.length !== names.length) {
      throw new Refusal(`row ${i + 1}: ${cells.length} values; wanted ${names.length}`);
    }
    return cells.map((value) => {
      if (value === null) return NaN;
      if (typeof value === "number") return Math.fround(value);
      throw new Refusal(`row ${i + 1}: wanted a number, got ${JSON.stringify(value) ?? "nothing"}`);
    });
  });
}

function cellsOf(row, names) {
  if (Array.isArray(row)) return row;
  if (typeof row === "number" || row === null) return [row];
  return names.map((name) => row[name]);
}
