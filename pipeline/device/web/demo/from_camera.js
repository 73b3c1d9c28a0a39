// The camera, answered as fast as the model runs: the middle of each picture, in the model's shape.

import { Refusal } from "./check.js";
import { button, el } from "./dom.js";
import { asTyped } from "./files.js";
import { fromPixels } from "./image.js";

export const title = "Camera";

const MOST_SIDE = 480; // pixels that are taken of a picture

export function fits(model) {
  const [entry, ...others] = model.preprocess.inputs;
  return entry.kind === "image" && entry.raw_dtype === "uint8" && !others.length;
}

export function make(root, give, model) {
  const entry = model.preprocess.inputs[0];
  const video = el("video", { playsInline: true, muted: true, autoplay: true, hidden: true });
  video.setAttribute("aria-label", "What the camera sees");
  const [height, width] = entry.shape; // what is shown is what the model is given
  video.style.aspectRatio = `${width} / ${height}`;
  video.style.width = `min(100%, calc(42vh * ${width / height}))`;
  let [stream, facing, timer] = [null, "environment", null];
  const stop = () => {
    clearTimeout(timer);
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    video.hidden = true;
    start.textContent = "Start the camera";
  };
  const look = async () => {
    if (stream === null) return;
    if (video.videoWidth) await give([{ [entry.name]: picture(video, entry) }], { isLive: true });
    timer = setTimeout(look, 30);
  };
  const begin = async () => {
    stop();
    const camera = { facingMode: facing, width: { ideal: 640 } };
    const opened = await opening({ video: camera, audio: false }, "camera").catch((error) =>
      give(Promise.reject(error)),
    );
    if (!opened) return;
    stream = opened;
    video.srcObject = stream;
    video.hidden = false;
    start.textContent = "Stop";
    look();
  };
  const start = button("Start the camera", () => (stream === null ? begin() : stop()), {
    className: "main",
  });
  const turn = button("Other camera", () => {
    facing = facing === "environment" ? "user" : "environment";
    begin();
  });
  root.append(
    el("div", { className: "stage" }, video),
    el("div", { className: "row" }, start, turn),
  );
  return stop;
}

// A stream of the camera or the microphone, or a Refusal that says why there is none.
export async function opening(wish, what) {
  if (!navigator.mediaDevices) {
    throw new Refusal(
      `the ${what} needs a secure page: https, or 127.0.0.1; edgeline demo --lan serves one`,
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia(wish);
  } catch (error) {
    const why = { NotAllowedError: "it was not allowed", NotFoundError: "there is none" }[
      error.name
    ];
    throw new Refusal(`the ${what} cannot be used: ${why ?? error.message}`);
  }
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
