// What is taken from a sample first, and what is far from training: `sanitize` of preprocess.json.
// Feature squeezing (Xu et al. 2018, arXiv:1704.01155, section 3), as run_on_device.py does it.

import { limitsOf } from "./check.js";
import { g, isFloat, limits } from "./numbers.js";
import { numberTokens } from "./text.js";

// The sample with what an attacker could hide in taken away, in the same type.
export function squeezeSample(raw, entry) {
  const rule = entry.sanitize ?? null;
  if (rule === null) return raw;
  const axes = entry.kind === "image" ? 2 : 1;
  const smoothed = rule.median === null ? raw : smooth(raw, rule.median, axes);
  if (rule.levels !== null) return nearestLevel(smoothed, rule.levels);
  return rule.bit_depth === null ? smoothed : fewerBits(smoothed, rule.bit_depth);
}

// preprocess.json without the squeezing: what a detector compares with.
export function withoutSqueezing(preprocess) {
  const none = { median: null, bit_depth: null, levels: null };
  const inputs = preprocess.inputs.map((entry) => ({
    ...entry,
    sanitize: entry.sanitize ? { ...entry.sanitize, ...none } : null,
  }));
  return { ...preprocess, inputs };
}

export function fewerBits(raw, bits) {
  const top = limits(raw.dtype)[1];
  if (raw.dtype[0] === "u") {
    const most = 2 ** bits - 1;
    const level = (x) => Math.floor((2 * x * most + top) / (2 * top));
    return {
      ...raw,
      data: raw.data.map((x) => Math.floor((2 * level(x) * top + most) / (2 * most))),
    };
  }
  const step = Math.floor((top + 1) / 2 ** (bits - 1));
  const half = Math.floor(step / 2);
  return { ...raw, data: raw.data.map((x) => Math.min(Math.floor((x + half) / step) * step, top)) };
}

// Numbers as the nearest level of their column; what is unknown stays so.
export function nearestLevel(raw, levels) {
  const rounded = levels.map((own) => (own === null ? null : own.map(Math.fround)));
  const data = raw.data.map((x, i) => {
    const own = rounded[levels.length === 1 ? 0 : i % levels.length];
    if (own === null || Number.isNaN(x)) return x;
    return own[own.slice(1).filter((level, k) => (level + own[k]) / 2 <= x).length];
  });
  return { ...raw, data };
}

// The median of the `window` values around each, along the first axes of a sample. Of an even number
// the lower middle one counts; unknown values are left out, and stay unknown.
export function smooth(raw, window, axes) {
  const [height, width] = [raw.shape[0], axes === 2 ? raw.shape[1] : 1];
  const inner = raw.data.length / (height * width);
  const rows = symmetricIndices(height, window);
  const columns = axes === 2 ? symmetricIndices(width, window) : null;
  const across = axes === 2 ? window : 1;
  const near = isFloat(raw.dtype) ? [] : new raw.data.constructor(window * across);
  const data = raw.data.map((value, place) => {
    if (Number.isNaN(value)) return value;
    const [y, x, k] = [
      Math.floor(place / (width * inner)),
      Math.floor(place / inner) % width,
      place % inner,
    ];
    for (let i = 0; i < window; i += 1) {
      for (let j = 0; j < across; j += 1) {
        const column = columns === null ? 0 : columns[x + j];
        near[i * across + j] = raw.data[(rows[y + i] * width + column) * inner + k];
      }
    }
    return isFloat(raw.dtype) ? middleKnown(near) : near.sort()[Math.floor(near.length / 2)];
  });
  return { ...raw, data };
}

function middleKnown(near) {
  const known = near.filter((x) => !Number.isNaN(x)).sort((a, b) => a - b);
  return known[Math.floor((known.length - 1) / 2)];
}

function symmetricIndices(size, window) {
  const half = Math.floor(window / 2);
  return Array.from({ length: size + 2 * half }, (_, i) => {
    const place = (((i - half) % (2 * size)) + 2 * size) % (2 * size);
    return place < size ? place : 2 * size - 1 - place;
  });
}

// What is wrong with a sample that is far from what training saw; null where nothing is.
export function findOutOfRange(raw, entry) {
  const rule = entry.sanitize ?? null;
  if (entry.kind === "tokens" && rule !== null) {
    return numberTokens(raw, entry).data.every((number) => number < 2) ? "no known word" : null;
  }
  const ranges = limitsOf(entry) ?? [];
  for (const [place, range] of ranges.entries()) {
    if (range === null) continue;
    const [low, high] = range.map(Math.fround);
    const own =
      ranges.length === 1 ? raw.data : raw.data.filter((_, i) => i % ranges.length === place);
    const wrong = own.find((x) => x < low || x > high);
    if (wrong !== undefined) {
      return `${columnOf(entry, place)} = ${g(wrong)}, wanted ${g(range[0])} to ${g(range[1])}`;
    }
  }
  return null;
}

function columnOf(entry, place) {
  const name = entry.columns?.[place];
  return name === undefined ? "a value" : (name.name ?? name);
}
