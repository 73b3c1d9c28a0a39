// The microphone: one recording of the model's length, or the last one again and again.

import { button, el } from "./dom.js";
import { soundOf } from "./sound.js";
import { closeStream, openOneAtATime, streamOf } from "./streams.js";

export const title = "Microphone";

const EVERY_MS = 400; // between two predictions while it listens
const LOOK_MS = 20; // between two looks whether a recording is whole
const MARGIN = 0.05; // seconds more than the model takes, for resampling to look ahead

export function fits(model) {
  return model.preprocess.inputs.length === 1 && model.preprocess.inputs[0].kind === "audio";
}

export function make(root, give, model) {
  const entry = model.preprocess.inputs[0];
  const seconds = entry.samples / entry.sample_rate;
  const level = el("progress", { max: 1, value: 0, "aria-label": "Loudness" });
  const ear = openOneAtATime(open, (error) => give(Promise.reject(error)));
  let timer = null;
  const stop = () => {
    clearInterval(timer);
    ear.close();
    level.value = 0;
    record.disabled = false;
    listen.textContent = "Listen all the time";
  };
  const begin = async (every, does) => {
    stop();
    if (!(await ear.begin(seconds + MARGIN, (loud) => (level.value = loud)))) return;
    record.disabled = true;
    listen.textContent = "Stop";
    timer = setInterval(() => {
      const sound = ear.now()?.last() ?? null;
      if (sound !== null) does(soundOf([sound], ear.now().rate, entry.sample_rate, entry.samples));
    }, every);
  };
  const once = (sound) => {
    stop();
    give([{ [entry.name]: sound }]);
  };
  const again = (sound) => give([{ [entry.name]: sound }], { isLive: true });
  const name = `Record ${Number(seconds.toFixed(2))} s`;
  const record = button(name, () => begin(LOOK_MS, once), { className: "main" });
  const toggle = () => (ear.now() === null ? begin(EVERY_MS, again) : stop());
  const listen = button("Listen all the time", toggle);
  root.append(el("div", { className: "row" }, record, listen), level);
  return stop;
}

// The microphone's latest sound, in steps of 16 bits, at its own rate.
async function open(seconds, told) {
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await streamOf({ audio: plain, video: false }, "microphone");
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
      closeStream(stream);
      context.close();
    },
  };
}
