// Pictures: resizing as resize_image() of run_on_device.py, to the bit, and one gray of three colors.

import { rint, sum } from "./numbers.js";

const WEIGHT_STEPS = 2 ** 14; // weights are whole numbers: every sum is exact

// A uint8 picture (H, W, C) of any size as (height, width, C): a triangle filter, as wide as the
// reduction where it shrinks; rows first, then columns.
export function resizeImage({ data, shape, dtype }, height, width) {
  const [oldHeight, oldWidth, channels] = shape;
  const rows = resample(data, oldHeight, oldWidth * channels, height);
  const turned = transpose(rows, height, oldWidth, channels);
  const columns = resample(turned, oldWidth, height * channels, width);
  const exact = transpose(columns, width, height, channels);
  const found = Uint8Array.from(exact, (x) => Math.floor(x / WEIGHT_STEPS ** 2 + 0.5));
  return { data: found, shape: [height, width, channels], dtype };
}

// (A, B, C) as (B, A, C).
function transpose(values, a, b, c) {
  const found = new Float64Array(values.length);
  for (let i = 0; i < a; i += 1) {
    for (let j = 0; j < b; j += 1) {
      for (let k = 0; k < c; k += 1) found[(j * a + i) * c + k] = values[(i * b + j) * c + k];
    }
  }
  return found;
}

// Weighted sums along the first axis of (length, width), WEIGHT_STEPS times as large.
function resample(values, length, width, size) {
  const found = new Float64Array(size * width);
  windows(length, size).forEach(({ start, weights }, i) => {
    weights.forEach((weight, k) => {
      const from = (start + k) * width;
      for (let j = 0; j < width; j += 1) found[i * width + j] += weight * values[from + j];
    });
  });
  return found;
}

// The first place of each output place in the input, and the weights from there on.
function windows(length, size) {
  const scale = length / size;
  const reach = Math.max(scale, 1);
  return Array.from({ length: size }, (_, i) => {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const stop = Math.min(length, Math.trunc(center + reach + 0.5));
    const share = Float64Array.from({ length: stop - start }, (__, k) =>
      Math.max(0, 1 - Math.abs((start + k + 0.5 - center) / reach)),
    );
    const total = sum(share);
    const weights = share.map((x) => rint((x / total) * WEIGHT_STEPS));
    weights[weights.indexOf(Math.max(...weights))] += WEIGHT_STEPS - sum(weights);
    return { start, weights };
  });
}

// Pixels of a canvas (R, G, B, A) as a sample, before a color where they are transparent: gray as
// Pillow weighs the colors, or three of them.
export function fromPixels({ data, width, height }, color, background = [255, 255, 255]) {
  const channels = color === "gray" ? 1 : 3;
  const found = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i += 1) {
    const alpha = data[4 * i + 3];
    const [r, g, b] = background.map((behind, c) =>
      Math.floor((data[4 * i + c] * alpha + behind * (255 - alpha) + 127) / 255),
    );
    if (channels === 1) found[i] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
    else found.set([r, g, b], 3 * i);
  }
  return { data: found, shape: [height, width, channels], dtype: "uint8" };
}
