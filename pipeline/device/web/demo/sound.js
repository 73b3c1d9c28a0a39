// Recordings: .wav files, one channel at one rate, and pictures of bands, as run_on_device.py does it.

import { Refusal } from "./check.js";
import { clip, rint, sum } from "./numbers.js";

const SINC_ZEROS = 24; // zero crossings either side
const KAISER_BETA = 8.6; // of the window: what folds back is 90 dB down

// Frames of any number of channels as int16 at a rate: {data, shape, dtype}.
// `channels` are arrays in steps of 16 bits.
export function soundOf(channels, ownRate, rate, samples = Infinity) {
  const needed = framesNeeded(ownRate, rate, samples);
  const count = Math.min(channels[0].length, needed);
  if (!count) throw new Refusal("holds no sound");
  const mono = new Float64Array(count);
  for (let i = 0; i < count; i += 1) {
    mono[i] = channels.reduce((total, channel) => total + channel[i], 0) / channels.length;
  }
  const found = resampleSound(mono, ownRate, rate).subarray(
    0,
    Math.min(samples, Number.MAX_SAFE_INTEGER),
  );
  const data = Int16Array.from(found, (x) => clip(rint(x), -32768, 32767));
  return { data, shape: [data.length], dtype: "int16" };
}

// With those that resampling looks ahead to.
function framesNeeded(ownRate, rate, samples) {
  const ahead = 2 + 2 * SINC_ZEROS * Math.max(1, Math.floor(ownRate / rate) + 1);
  return Math.floor((samples * ownRate) / rate) + ahead;
}

// At another rate, by a Kaiser-windowed sinc (Smith, "Digital Audio Resampling", 1984).
export function resampleSound(sound, rate, wanted) {
  if (rate === wanted) return sound;
  const divisor = gcd(rate, wanted);
  const [up, down] = [wanted / divisor, rate / divisor];
  const { kernels, reach } = sinc(up, down);
  const found = new Float64Array(Math.ceil((sound.length * up) / down));
  for (let i = 0; i < found.length; i += 1) {
    const step = i * down;
    const weights = kernels[step % up];
    const first = Math.floor(step / up) - (reach - 1);
    let total = 0;
    for (let k = 0; k < 2 * reach; k += 1) total += (sound[first + k] ?? 0) * weights[k];
    found[i] = total;
  }
  return found;
}

function gcd(a, b) {
  return b ? gcd(b, a % b) : a;
}

const kept = new Map();

// The weights of each phase, each summing to one, and how far they reach.
function sinc(up, down) {
  const key = `${up}/${down}`;
  if (kept.has(key)) return kept.get(key);
  const cutoff = Math.min(1, up / down);
  const reach = Math.ceil(SINC_ZEROS / cutoff);
  const kernels = Array.from({ length: up }, (_, phase) => {
    const weights = Float64Array.from({ length: 2 * reach }, (__, k) => {
      const distance = 1 - reach + k - phase / up;
      if (Math.abs(distance) >= reach) return 0;
      const inside = Math.max(0, 1 - (distance / reach) ** 2);
      const x = Math.PI * cutoff * distance;
      return (x === 0 ? 1 : Math.sin(x) / x) * bessel(KAISER_BETA * Math.sqrt(inside));
    });
    const total = sum(weights);
    return weights.map((weight) => weight / total);
  });
  kept.set(key, { kernels, reach });
  return kept.get(key);
}

// The modified Bessel function of order 0, by its series: 40 terms are exact up to 20.
function bessel(x) {
  let [term, total] = [1, 1];
  for (let k = 1; k < 40; k += 1) {
    term *= (x / (2 * k)) ** 2;
    total += term;
  }
  return total;
}

// Channels in steps of 16 bits, and the rate, of a .wav file; null: it is no .wav.
export function readWav(buffer) {
  const view = new DataView(buffer);
  const word = (at) => String.fromCharCode(...new Uint8Array(buffer, at, 4));
  if (buffer.byteLength < 12 || word(0) !== "RIFF" || word(8) !== "WAVE") return null;
  let form = null;
  for (let at = 12; at + 8 <= buffer.byteLength;) {
    const [name, size] = [word(at), view.getUint32(at + 4, true)];
    if (name === "data") return wavSound(view, at + 8, size, form);
    if (name === "fmt ") form = wavForm(view, at + 8, size);
    at += 8 + size + (size % 2);
  }
  throw new Refusal("the file ends before its sound");
}

function wavForm(view, at, size) {
  const code = view.getUint16(at, true);
  return {
    code: code === 0xfffe && size >= 26 ? view.getUint16(at + 24, true) : code,
    channels: view.getUint16(at + 2, true),
    rate: view.getUint32(at + 4, true),
    bits: view.getUint16(at + 14, true),
  };
}

const WAVES = {
  "1/8": (view, at) => (view.getUint8(at) - 128) * 256,
  "1/16": (view, at) => view.getInt16(at, true),
  "1/24": (view, at) => (view.getInt8(at + 2) * 65536 + view.getUint16(at, true)) / 256,
  "1/32": (view, at) => view.getInt32(at, true) / 65536,
  "3/32": (view, at) => view.getFloat32(at, true) * 32768,
  "3/64": (view, at) => view.getFloat64(at, true) * 32768,
};

function wavSound(view, at, size, form) {
  if (form === null) throw new Refusal("a .wav file without its format");
  const { code, channels, rate, bits } = form;
  const read = WAVES[`${code}/${bits}`];
  if (read === undefined || !channels || rate < 100 || rate > 1000000) {
    const what = `a .wav of form ${code}, ${bits} bits, ${channels} channels, ${rate} Hz`;
    throw new Refusal(`${what}; wanted PCM or float`);
  }
  const there = view.byteLength - at;
  if (size > there && size < 0x7fffff00) {
    throw new Refusal(`cut short: ${there} of ${size} bytes of sound`);
  }
  const bytes = bits / 8;
  const count = Math.floor(Math.min(size, there) / (channels * bytes));
  const found = Array.from({ length: channels }, (_, c) =>
    Float64Array.from({ length: count }, (__, i) => read(view, at + (i * channels + c) * bytes)),
  );
  if (!found.every((channel) => channel.every(Number.isFinite))) {
    throw new Refusal("holds NaN or infinity");
  }
  return { channels: found, rate };
}
