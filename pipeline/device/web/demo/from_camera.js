// The camera, predicted as fast as the model runs: the middle of each picture, in the model's shape.

import { button, el } from "./dom.js";
import { asTyped } from "./files.js";
import { fromPixels } from "./image.js";
import { closeStream, openOneAtATime, streamOf } from "./streams.js";

export const title = "Camera";

const PAUSE_MS = 30; // between two predictions, for the page to move
const MOST_SIDE = 480; // pixels that are taken of a picture

export function fits(model) {
  const [entry, ...others] = model.preprocess.inputs;
  return entry.kind === "image" && entry.raw_dtype === "uint8" && !others.length;
}

export function make(root, give, model) {
  const entry = model.preprocess.inputs[0];
  const video = screen(entry);
  const camera = openOneAtATime(open, (error) => give(Promise.reject(error)));
  let facing = "environment";
  const stop = () => {
    camera.close();
    video.hidden = true;
    start.textContent = "Start the camera";
  };
  const look = async () => {
    if (camera.now() === null) return;
    if (video.videoWidth) await give([{ [entry.name]: picture(video, entry) }], { isLive: true });
    setTimeout(look, PAUSE_MS);
  };
  const begin = async () => {
    stop();
    if (!(await camera.begin(facing))) return;
    video.srcObject = camera.now().stream;
    video.hidden = false;
    start.textContent = "Stop";
    look();
  };
  const toggle = () => (camera.now() === null ? begin() : stop());
  const start = button("Start the camera", toggle, { className: "main" });
  const turn = button("Other camera", () => {
    facing = facing === "environment" ? "user" : "environment";
    begin();
  });
  const row = el("div", { className: "row" }, start, turn);
  root.append(el("div", { className: "stage" }, video), row);
  return stop;
}

async function open(facing) {
  const wish = { video: { facingMode: facing, width: { ideal: 640 } }, audio: false };
  const stream = await streamOf(wish, "camera");
  return { stream, close: () => closeStream(stream) };
}

// Shows of a camera what the model is given.
function screen({ shape: [height, width] }) {
  const video = el("video", { playsInline: true, muted: true, autoplay: true, hidden: true });
  video.setAttribute("aria-label", "What the camera sees");
  video.style.aspectRatio = `${width} / ${height}`;
  video.style.width = `min(100%, calc(42vh * ${width / height}))`;
  return video;
}

// The middle of what the camera sees, as wide for its height as the model's input.
function picture(video, entry) {
  const [height, width] = entry.shape;
  const { videoWidth, videoHeight } = video;
  const scale = Math.min(videoWidth / width, videoHeight / height);
  const [cutWidth, cutHeight] = [width * scale, height * scale];
  const shrink = Math.min(1, MOST_SIDE / Math.max(cutWidth, cutHeight));
  const size = [cutWidth, cutHeight].map((side) => Math.max(1, Math.round(side * shrink)));
  const pen = new OffscreenCanvas(...size).getContext("2d", { willReadFrequently: true });
  const [left, top] = [(videoWidth - cutWidth) / 2, (videoHeight - cutHeight) / 2];
  pen.drawImage(video, left, top, cutWidth, cutHeight, 0, 0, ...size);
  return asTyped(fromPixels(pen.getImageData(0, 0, ...size), entry.color), entry);
}
