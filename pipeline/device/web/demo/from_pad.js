// A drawing: ink on paper in the shades of the model's own samples.

import { button, el } from "./dom.js";
import { asTyped } from "./files.js";
import { fromPixels } from "./image.js";

export const title = "Draw";

const SIDE = 320; // pixels of the longer side
const PEN = 0.09; // of the shorter side
const LEAST_PEN = 1.3; // pixels of the model: a thinner line is pale

export function fits(model) {
  const [entry, ...others] = model.preprocess.inputs;
  return entry.kind === "image" && entry.raw_dtype === "uint8" && !others.length;
}

export function make(root, give, model) {
  const entry = model.preprocess.inputs[0];
  const [height, width] = entry.shape;
  const scale = SIDE / Math.max(height, width);
  const canvas = el("canvas", {
    width: Math.round(width * scale),
    height: Math.round(height * scale),
    className: "pad",
    "aria-label": "Drawing pad",
    role: "img",
  });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const paper = paperOf(model.samples.map((raw) => raw[entry.name]));
  const clear = () => {
    pen.fillStyle = paper < 128 ? "#000" : "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
  };
  const predictDrawing = (options) => {
    const pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
    give([{ [entry.name]: asTyped(fromPixels(pixels, entry.color), entry) }], options);
  };
  clear();
  pen.lineWidth = Math.max(PEN * Math.min(height, width), LEAST_PEN) * scale;
  draws(canvas, pen, paper < 128 ? "#fff" : "#000", predictDrawing);
  root.append(canvas, el("div", { className: "row" }, button("Clear", clear)));
  return () => {};
}

// The shade that most samples have along their border.
function paperOf(samples) {
  const shades = samples.flatMap(({ data, shape }) => {
    const [height, width, channels] = shape;
    const corners = [0, width - 1, (height - 1) * width, height * width - 1];
    return corners.map((place) => data[place * channels]);
  });
  return shades.sort((a, b) => a - b)[Math.floor(shades.length / 2)] ?? 0;
}

function draws(canvas, pen, ink, predictDrawing) {
  let last = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = canvas.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  const line = (event) => {
    const next = place(event);
    pen.strokeStyle = ink;
    pen.lineCap = "round";
    pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...last);
    pen.lineTo(...next);
    pen.stroke();
    last = next;
  };
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    line(event);
  };
  canvas.onpointermove = (event) => {
    if (last === null) return;
    line(event);
    predictDrawing({ isLive: true });
  };
  canvas.onpointerup = () => {
    last = null;
    predictDrawing({});
  };
  canvas.onpointercancel = () => {
    last = null;
  };
}
