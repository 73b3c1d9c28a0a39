// Texts: UTF-8 bytes, cut into words or letters, and their numbers, as run_on_device.py does it.

import { Refusal } from "./check.js";

// A text as UTF-8, cut before the letter that would not fit whole.
export function encodeText(text, maxBytes) {
  const bytes = new TextEncoder().encode(text.replaceAll("\0", " "));
  let stop = Math.min(bytes.length, maxBytes);
  while (stop < bytes.length && stop > 0 && (bytes[stop] & 0xc0) === 0x80) stop -= 1;
  const data = bytes.slice(0, stop);
  if (!data.length) throw new Refusal("holds no text");
  return { data, shape: [data.length], dtype: "uint8" };
}

// The words or letters of a text, as strings of one letter a byte.
export function tokensOf({ data }, entry) {
  let end = data.length;
  while (end > 0 && data[end - 1] === 0) end -= 1;
  const bytes = data.slice(0, end);
  if (entry.lower) {
    for (let i = 0; i < end; i += 1) if (bytes[i] >= 65 && bytes[i] <= 90) bytes[i] += 32;
  }
  if (entry.unit === "words") {
    return latin(bytes).match(/[0-9A-Za-z\x80-\xff]+|[!-/:-@[-`{-~]/g) ?? [];
  }
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  return Array.from(text, (letter) => latin(new TextEncoder().encode(letter)));
}

export function latin(bytes) {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

const kept = new WeakMap();

// Word -> its number.
function numbersOf(entry) {
  if (!kept.has(entry.vocabulary)) {
    const words = entry.vocabulary.map((word, i) => [latin(new TextEncoder().encode(word)), i + 2]);
    kept.set(entry.vocabulary, new Map(words));
  }
  return kept.get(entry.vocabulary);
}

// A text (bytes,) as numbers: 0 after the end, 1 for unknown words.
export function numberTokens(raw, entry) {
  const numbers = numbersOf(entry);
  const [length] = entry.shape;
  const found = new Int32Array(length);
  tokensOf(raw, entry)
    .slice(0, length)
    .forEach((word, i) => {
      found[i] = numbers.get(word) ?? 1;
    });
  return { data: found, shape: [length], dtype: "int32" };
}
