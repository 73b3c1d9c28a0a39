// Tables: rows by the names of their columns, numbers made even, categories by their place.

import { Refusal } from "./check.js";
import { numberOf, plainCell, readCsv } from "./csv.js";
import { clip, interpolate } from "./numbers.js";

// A row (C,) as (D,): numbers made even, categories one-hot.
export function columnsOf({ data }, entry) {
  const found = [];
  entry.columns.forEach((column, i) => {
    if (column.kind === "category") {
      const place = placeOf(data[i], column);
      for (let k = 0; k < column.width; k += 1) found.push(k === place ? 1 : 0);
    } else if (column.encoding === "piecewise") {
      found.push(...piecewise(data[i], column));
    } else {
      found.push(standardizeNumber(data[i], column));
    }
  });
  return { data: Float32Array.from(found), shape: [found.length], dtype: "float32" };
}

// Categories (C,) as rows of one table of vectors.
export function codesOf({ data }, entry) {
  const found = entry.columns.map((column, i) => placeOf(data[i], column) + column.offset);
  return { data: Int32Array.from(found), shape: [found.length], dtype: "int32" };
}

// A value of one column or channel, made even.
export function standardizeNumber(value, column) {
  const x = Number.isNaN(value) ? Math.fround(column.impute_value) : value;
  if (column.encoding === "quantile") return interpolate(x, column.knots, column.quantile_values);
  return (clip(x, column.low, column.high) - column.offset) * column.scale;
}

function piecewise(value, { impute_value: fill, edges }) {
  const x = Number.isNaN(value) ? Math.fround(fill) : value;
  return edges.slice(1).map((edge, i) => clip((x - edges[i]) / (edge - edges[i]), 0, 1));
}

// The last place is for rare, new and missing ones.
function placeOf(value, column) {
  const code = Number.isNaN(value) ? -1 : Math.trunc(value);
  return code < 0 ? column.width - 1 : column.category_index[code];
}

// The number of what stands in a cell: NaN where it is not known, -1 where it is no known category;
// null where it should be a number and is none.
export function codeOf(cell, column, missing) {
  if (missing.includes(cell)) return NaN;
  return column.kind === "number" ? numberOf(cell) : column.values.indexOf(cell);
}

// Rows of a CSV file by the names in its header: a list of name -> sample.
export function readRows(text, entries) {
  const { delimiter, strip, number_format: format } = entries[0];
  const [head, ...rows] = readCsv(text, delimiter);
  const header = (head?.cells ?? []).map((cell) => stripCell(cell, strip));
  const names = entries.flatMap((entry) => entry.columns.map(({ name }) => name));
  const absent = names.filter((name) => !header.includes(name));
  if (absent.length) throw new Refusal(`wanted a header with ${absent.join(", ")}`);
  if (!rows.length) throw new Refusal("holds no row");
  return rows.map(({ line, cells }) => {
    const row = Object.fromEntries(header.map((name, i) => [name, cells[i]]));
    const cell = ({ name }) => {
      if (row[name] !== undefined) return plainCell(stripCell(row[name], strip), format);
      throw new Refusal(`line ${line}: ${name}: wanted a number, got nothing`);
    };
    return rowOf(entries, cell, `line ${line}: `);
  });
}

// Name -> sample of one row, whose cells `cell` gives by their column.
export function rowOf(entries, cell, where) {
  return Object.fromEntries(
    entries.map((entry) => {
      const values = entry.columns.map((column) => {
        const word = cell(column);
        const found = codeOf(word, column, entry.missing);
        if (found !== null) return found;
        throw new Refusal(`${where}${column.name}: wanted a number, got '${word}'`);
      });
      return [
        entry.name,
        { data: Float32Array.from(values), shape: [values.length], dtype: "float32" },
      ];
    }),
  );
}

// Without the letters of `strip` at either end, as Python's str.strip; null or none: white space.
function stripCell(cell, strip) {
  if (strip === null || strip === undefined) return cell.trim();
  let [start, stop] = [0, cell.length];
  while (start < stop && strip.includes(cell[start])) start += 1;
  while (stop > start && strip.includes(cell[stop - 1])) stop -= 1;
  return cell.slice(start, stop);
}

// Numbers of a CSV file without a header, a sample each line.
export function readNumberRows(text, entry) {
  const rows = readCsv(text, ",");
  if (!rows.length) throw new Refusal("holds no row");
  return rows.map(({ line, cells }) => {
    const values = cells.map((cell) => numberOf(cell));
    const wrong = values.indexOf(null);
    if (wrong >= 0) throw new Refusal(`line ${line}: wanted a number, got '${cells[wrong]}'`);
    return {
      [entry.name]: { data: Float32Array.from(values), shape: [values.length], dtype: "float32" },
    };
  });
}
