// Files as run_on_device.py reads them: a list of raw samples by name, or a Refusal.

import { readNpy, readNpz, row } from "./arrays.js";
import { Refusal } from "./check.js";
import { fromPixels } from "./image.js";
import { readJson, readSeries, toLength } from "./series.js";
import { readWav, soundOf } from "./sound.js";
import { readNumberRows, readRows } from "./table.js";
import { encodeText } from "./text.js";

const KINDS = {
  image: { suffixes: "image/*", read: readPicture },
  audio: { suffixes: "audio/*", read: readRecording },
  series: { suffixes: ".csv,.json", read: readRecordings },
  tokens: { suffixes: ".txt", read: readTexts },
  columns: { suffixes: ".csv", read: readTable },
  codes: { suffixes: ".csv", read: readTable },
  table: { suffixes: ".csv", read: readNumbers },
};
const SHAPED = ["audio", "tokens", "columns", "codes"]; // kinds of one axis whatever their shape says
const MOST_PIXELS = 4096 * 4096;

// What a file may be, as the `accept` of an input.
export function acceptedBy(entries) {
  const isTable = ["columns", "codes"].includes(entries[0].kind);
  const own = entries.length === 1 || isTable ? [KINDS[entries[0].kind].suffixes] : [];
  return [...own, ...(entries.length === 1 ? [".npy"] : []), ".npz"].join(",");
}

export async function readFile(file, entries) {
  const [entry] = entries;
  try {
    const suffix = /\.[^.]*$/.exec(file.name.toLowerCase())?.[0] ?? "";
    if (suffix === ".npz") return fromArrays(await readNpz(await file.arrayBuffer()), entries);
    if (suffix === ".npy" && entries.length === 1) {
      const array = readNpy(new Uint8Array(await file.arrayBuffer()));
      return fromArrays({ [entry.name]: () => array }, entries);
    }
    if (entries.length > 1 && !["columns", "codes"].includes(entry.kind)) {
      const names = entries.map(({ name }) => name).join(", ");
      throw new Refusal(`this model has several inputs: give a .npz of ${names}`);
    }
    return await KINDS[entry.kind].read(file, entries);
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal(`${file.name}: ${error.message}`);
    throw error;
  }
}

function fromArrays(arrays, entries) {
  const absent = entries.filter(({ name }) => arrays[name] === undefined);
  if (absent.length) {
    const there = Object.keys(arrays).join(", ") || "nothing";
    throw new Refusal(
      `wanted arrays named ${absent.map(({ name }) => name).join(", ")}; it holds ${there}`,
    );
  }
  const many = entries.map((entry) => [entry.name, asMany(arrays[entry.name](), entry)]);
  const count = many[0][1].shape[0] ?? 0;
  if (!count) throw new Refusal("holds no sample");
  if (many.some(([, array]) => array.shape[0] !== count)) {
    throw new Refusal("its arrays hold different numbers of samples");
  }
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(many.map(([name, array]) => [name, row(array, i)])),
  );
}

// With the axis of samples, where it holds one sample only.
function asMany(array, entry) {
  const axes = SHAPED.includes(entry.kind) ? 1 : entry.shape.length;
  return array.shape.length === axes ? { ...array, shape: [1, ...array.shape] } : array;
}

async function readPicture(file, [entry]) {
  if (isDeep(new Uint8Array(await file.slice(0, 32).arrayBuffer()))) {
    throw new Refusal("a PNG of 16 bits, of which a browser shows 8; use run_on_device.py");
  }
  let bitmap;
  try {
    const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
    bitmap = await createImageBitmap(file, options); // upright, as its EXIF says
  } catch {
    throw new Refusal("no picture that this browser reads; give a JPEG or PNG");
  }
  if (bitmap.width * bitmap.height > MOST_PIXELS) throw new Refusal("more than 16 million pixels");
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(bitmap, 0, 0);
  const pixels = pen.getImageData(0, 0, bitmap.width, bitmap.height);
  return [{ [entry.name]: asTyped(fromPixels(pixels, entry.color, entry.background), entry) }];
}

// Whether a file begins as a PNG of 16 bits a channel does.
export function isDeep(head) {
  const isPng = [0x89, 0x50, 0x4e, 0x47].every((byte, i) => head[i] === byte);
  return isPng && head[24] === 16;
}

// Eight bits are what pictures have; a model of other numbers has no use for them.
export function asTyped(raw, entry) {
  if (entry.raw_dtype === "uint8") return raw;
  throw new Refusal(`this model takes pixels of type ${entry.raw_dtype}: give a .npy or .npz`);
}

async function readRecording(file, [entry]) {
  const content = await file.arrayBuffer();
  const { channels, rate } = readWav(content) ?? (await decodeSound(content));
  return [{ [entry.name]: soundOf(channels, rate, entry.sample_rate, entry.samples) }];
}

const DECODED_RATE = 48000; // what most phones record at

// What is no .wav, by the browser's own decoder.
async function decodeSound(content) {
  try {
    const sound = await new OfflineAudioContext(1, 1, DECODED_RATE).decodeAudioData(content);
    const channels = Array.from({ length: sound.numberOfChannels }, (_, c) =>
      sound.getChannelData(c).map((x) => x * 32768),
    );
    return { channels, rate: sound.sampleRate };
  } catch {
    throw new Refusal("no recording that this browser reads; give a .wav");
  }
}

async function readRecordings(file, [entry]) {
  const text = await textOf(file);
  const isJson = /^\s*[[{]/.test(text);
  const rows = isJson ? readJson(text, entry) : readSeries(text, entry);
  return toLength(rows, entry).map((sample) => ({ [entry.name]: sample }));
}

async function readTexts(file, [entry]) {
  const lines = (await textOf(file)).split(/\r\n|\r|\n/).filter((line) => line !== "");
  if (!lines.length) throw new Refusal("holds no text");
  return lines.map((line) => ({ [entry.name]: encodeText(line, entry.max_bytes) }));
}

async function readTable(file, entries) {
  return readRows(await textOf(file), entries);
}

async function readNumbers(file, [entry]) {
  return readNumberRows(await textOf(file), entry);
}

async function textOf(file) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Refusal("no text in UTF-8, which this model takes");
  }
}
