// Does in node what the page does, for test_web.py: reads cases, writes what came of each.

import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, casesPath, arraysPath, outPath] = process.argv.slice(2);
const page = (name) => import(pathToFileURL(`${folder}/${name}.js`));
const { readNpz, row } = await page("arrays");
const { Refusal } = await page("check");
const { scaleOutputs, decide, detectorInputs, reasonsToAbstain } = await page("decide");
const { readFile } = await page("files");
const { fromPixels } = await page("image");
const { g, sum } = await page("numbers");
const { prepare, quantize, dequantize } = await page("prepare");
const { resampleSound } = await page("sound");

const parts = await readNpz(new Uint8Array(readFileSync(arraysPath)).buffer);
const arrays = Object.fromEntries(Object.entries(parts).map(([name, read]) => [name, read()]));

const DO = {
  prepare: ({ entry }, raw) => prepare(raw, entry),
  quantize: ({ detail }, raw) => ({ data: quantize(raw, detail), dtype: detail.dtype }),
  dequantize: ({ detail }, raw) => ({ data: dequantize(raw.data, detail), dtype: "float32" }),
  resample: ({ rate, wanted }, raw) => ({
    data: resampleSound(raw.data, rate, wanted),
    dtype: "float64",
  }),
  pixels: ({ color, background }, raw) => {
    const [height, width] = raw.shape;
    return fromPixels({ data: raw.data, width, height }, color, background);
  },
  sum: (_, raw) => ({ data: Float64Array.of(sum(raw.data)), dtype: "float64" }),
  words: (_, raw) => Array.from(raw.data, (x) => g(x)),
  decide: ({ preprocess, abstain, limit, plain }, raw, i) => {
    const model = { preprocess, abstain, detector: limit };
    const samples = Object.fromEntries(
      preprocess.inputs.map(({ name }) => [name, row(arrays[name], i)]),
    );
    const bare = plain === null ? null : row(arrays[plain], i).data;
    const found = decide(raw.data, samples, reasonsToAbstain(samples, raw.data, bare, model), model);
    return { ...found, top: found.top.slice(0, 3) };
  },
  anomaly: ({ detail, anomaly, input }, raw, i) => {
    const inputs = { x: row(arrays[input], i) };
    const data = scaleOutputs(detail, inputs, raw.data, anomaly);
    return { data, dtype: "float32", seen: told(detectorInputs(inputs, anomaly).x) };
  },
};

function told(found) {
  if (!ArrayBuffer.isView(found?.data)) return found;
  const { buffer, byteOffset, byteLength } = found.data;
  const data = Buffer.from(buffer, byteOffset, byteLength).toString("base64");
  return { ...found, data };
}

async function attempt(does) {
  try {
    return await does();
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.message };
    throw error;
  }
}

async function read({ path, entries }) {
  const file = new File([readFileSync(path)], basename(path));
  const samples = await readFile(file, entries);
  return samples.map((raw) =>
    Object.fromEntries(Object.entries(raw).map(([name, x]) => [name, told(x)])),
  );
}

const results = [];
for (const one of JSON.parse(readFileSync(casesPath))) {
  if (one.what === "read") {
    results.push(await attempt(() => read(one)));
    continue;
  }
  const many = arrays[one.array];
  const found = [];
  for (let i = 0; i < many.shape[0]; i += 1) {
    found.push(await attempt(() => told(DO[one.what](one, row(many, i), i))));
  }
  results.push(found);
}
writeFileSync(
  outPath,
  JSON.stringify(results, (_, x) => (Number.isNaN(x) ? "nan" : x)),
);
