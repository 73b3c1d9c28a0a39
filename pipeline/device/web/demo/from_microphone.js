// The microphone: one recording of the model's length, or the last one again and again.

import { button, el } from "./dom.js";
import { opening } from "./from_camera.js";
import { soundOf } from "./sound.js";

export const title = "Microphone";

const EVERY_MS = 400; // between two answers while it listens
const MARGIN = 0.05; // seconds more than the model takes, for resampling to look ahead

export function fits(model) {
  return model.preprocess.inputs.length === 1 && model.preprocess.inputs[0].kind === "audio";
}

export function make(root, give, model) {
  const entry = model.preprocess.inputs[0];
  const seconds = entry.samples / entry.sample_rate;
  const level = el("progress", { max: 1, value: 0, "aria-label": "Loudness" });
  let [ear, timer] = [null, null];
  const stop = () => {
    clearInterval(timer);
    ear?.close();
    ear = null;
    level.value = 0;
    for (const other of [record, listen]) other.disabled = false;
    listen.textContent = "Listen all the time";
  };
  const begin = async () => {
    stop();
    const found = await open(seconds + MARGIN, (loud) => (level.value = loud)).catch((error) =>
      give(Promise.reject(error)),
    );
    ear = found ?? null;
    return ear !== null;
  };
  const answer = (options) => {
    const sound = ear.last();
    if (sound === null) return;
    give([{ [entry.name]: soundOf([sound], ear.rate, entry.sample_rate, entry.samples) }], options);
  };
  const record = button(
    `Record ${Number(seconds.toFixed(2))} s`,
    async () => {
      if (!(await begin())) return;
      record.disabled = listen.disabled = true;
      timer = setInterval(() => {
        if (ear.last() === null) return;
        answer({});
        stop();
      }, 20);
    },
    { className: "main" },
  );
  const listen = button("Listen all the time", async () => {
    if (ear !== null) return stop();
    if (!(await begin())) return undefined;
    record.disabled = true;
    listen.textContent = "Stop";
    timer = setInterval(() => answer({ isLive: true }), EVERY_MS);
    return undefined;
  });
  root.append(el("div", { className: "row" }, record, listen), level);
  return stop;
}

// The microphone's latest sound, in steps of 16 bits, at its own rate.
async function open(seconds, told) {
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await opening({ audio: plain, video: false }, "microphone");
  const context = new AudioContext();
  await context.resume(); // phones begin in silence
  await context.audioWorklet.addModule("recorder.js");
  const node = new AudioWorkletNode(context, "recorder", { numberOfOutputs: 0 });
  const wanted = Math.ceil(seconds * context.sampleRate);
  const heard = [];
  let count = 0;
  node.port.onmessage = ({ data }) => {
    heard.push(data);
    count += data.length;
    while (count - heard[0].length >= wanted) count -= heard.shift().length;
    told(Math.min(1, 2 * Math.max(...data.map(Math.abs))));
  };
  context.createMediaStreamSource(stream).connect(node);
  return {
    rate: context.sampleRate,
    // The last `seconds`; null until they are there.
    last() {
      if (count < wanted) return null;
      const all = heard.flatMap((part) => Array.from(part));
      return Float64Array.from(all.slice(-wanted), (x) => x * 32768);
    },
    close() {
      for (const track of stream.getTracks()) track.stop();
      context.close();
    },
  };
}
