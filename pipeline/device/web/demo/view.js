// What the model is given, to look at: the picture, the bands, the curves, the words.

import { checkSample } from "./check.js";
import { button, el } from "./dom.js";
import { g, isFloat, limits } from "./numbers.js";
import { squeezeSample } from "./squeeze.js";
import { tokensOf } from "./text.js";

const [WIDTH, HEIGHT] = [640, 240];
const COLORS = ["#0b76d1", "#d1600b", "#2f9e58", "#a04fc4", "#b8253c", "#7a7a1c"];

const DRAW = { image: picture, audio: bands, series: curves, tokens: words };

export function showView(figure, raw, inputs, model) {
  const entry = model.preprocess.inputs[0];
  const parts = DRAW[entry.kind]?.(raw[entry.name], inputs[entry.name], entry) ?? [];
  figure.hidden = !parts.length;
  figure.replaceChildren(...parts);
}

function picture(raw, _, entry) {
  const canvas = canvasOf(squeezeSample(checkSample(raw, entry), entry));
  const [height, width] = entry.shape;
  const text = `What the model is given: ${width} by ${height} pixels`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", text);
  return [el("figcaption", {}, text), canvas];
}

// A picture of any whole type, as a canvas of its size.
export function canvasOf({ data, shape, dtype }) {
  const [height, width, channels] = shape;
  const top = isFloat(dtype) ? 1 : limits(dtype)[1];
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let k = 0; k < 3; k += 1) {
      pixels.data[4 * i + k] = (255 * data[i * channels + (channels >= 3 ? k : 0)]) / top;
    }
    pixels.data[4 * i + 3] = 255;
  }
  const canvas = el("canvas", { width, height });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

// Time from left to right, low bands below; brighter is louder.
function bands(raw, input, entry) {
  const [frames, bins] = input.shape;
  const values = input.data;
  const [low, high] = values.reduce(
    ([a, b], x) => [Math.min(a, x), Math.max(b, x)],
    [Infinity, -Infinity],
  );
  const shades = new Uint8Array(frames * bins);
  for (let t = 0; t < frames; t += 1) {
    for (let k = 0; k < bins; k += 1) {
      const share = (values[t * bins + k] - low) / (high - low || 1);
      shades[(bins - 1 - k) * frames + t] = 255 * share;
    }
  }
  const canvas = canvasOf({ data: shades, shape: [bins, frames, 1], dtype: "uint8" });
  canvas.className = "plot";
  const what = entry.features === "mfcc" ? "coefficients" : "bands";
  const text = `What the model is given: ${frames} steps by ${bins} ${what}`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", text);
  const play = button("Play the recording", () => playSound(raw, entry));
  return [el("figcaption", {}, text), canvas, el("p", {}, play)];
}

function playSound({ data }, entry) {
  const context = new AudioContext();
  const buffer = context.createBuffer(1, data.length, entry.sample_rate);
  buffer.copyToChannel(
    Float32Array.from(data, (x) => x / 32768),
    0,
  );
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.onended = () => context.close();
  source.start();
}

// A curve for each channel, over the same scale.
function curves({ data, shape }, _, entry) {
  const [length, width] = shape;
  const known = data.filter(Number.isFinite);
  const [low, high] = known.reduce(
    ([a, b], x) => [Math.min(a, x), Math.max(b, x)],
    [Infinity, -Infinity],
  );
  const canvas = el("canvas", { width: WIDTH, height: HEIGHT, className: "plot" });
  const pen = canvas.getContext("2d");
  pen.lineWidth = 2.5;
  for (let c = 0; c < width; c += 1) {
    pen.strokeStyle = COLORS[c % COLORS.length];
    pen.beginPath();
    for (let t = 0; t < length; t += 1) {
      const x = (t / Math.max(1, length - 1)) * (WIDTH - 8) + 4;
      const y = HEIGHT - 4 - ((data[t * width + c] - low) / (high - low || 1)) * (HEIGHT - 8);
      if (Number.isFinite(y)) pen.lineTo(x, y);
    }
    pen.stroke();
  }
  const names = entry.columns.map(({ name }) => name).join(", ");
  const text = `${length} steps of ${names}, from ${g(low, 4)} to ${g(high, 4)}`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", text);
  return [el("figcaption", {}, text), canvas];
}

// The words as they are told apart; those that the model does not know are struck through.
function words(raw, input, entry) {
  const found = tokensOf(raw, entry).slice(0, entry.shape[0]);
  const shown = found.map((word, i) => {
    const text = new TextDecoder().decode(Uint8Array.from(word, (letter) => letter.charCodeAt(0)));
    return el("span", { className: input.data[i] === 1 ? "unknown" : "" }, text);
  });
  const count = found.filter((_, i) => input.data[i] !== 1).length;
  const text = `${count} of ${found.length} ${entry.unit} are known to the model`;
  return [el("figcaption", {}, text), el("div", { className: "words" }, ...shown)];
}

export function textOf({ data }) {
  return new TextDecoder().decode(data.filter((byte) => byte !== 0));
}
