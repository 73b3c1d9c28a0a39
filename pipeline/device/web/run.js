// Run a .tflite file over samples by LiteRT.js: fetch the job and its inputs, post the outputs.
// It is served by pipeline/device/page.py, which says what a job holds. Whatever goes wrong is
// posted too, with what LiteRT.js wrote to the console: its exceptions seldom say why.

const ARRAYS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };
const said = [];

for (const level of ["error", "warn"]) {
  const usual = console[level].bind(console);
  console[level] = (...words) => {
    said.push(words.map(String).join(" "));
    usual(...words);
  };
}
addEventListener("error", (event) => fail(event.error ?? event.message));
addEventListener("unhandledrejection", (event) => fail(event.reason));

run().catch(fail);

async function run() {
  const litert = await import("./litertjs/dist/index.js");
  const job = await (await fetch("job.json")).json();
  await litert.loadLiteRt("./litertjs/wasm/");
  const content = new Uint8Array(await (await fetch("model.tflite")).arrayBuffer());
  const model = await litert.loadAndCompile(content, { accelerator: "wasm" });
  for (let start = 0, part = 0; start < job.samples; start += job.part_samples, part += 1) {
    const count = Math.min(job.part_samples, job.samples - start);
    const buffer = await (await fetch(`inputs/${part}`)).arrayBuffer();
    const answers = [];
    let milliseconds = 0;
    for (let i = 0; i < count; i += 1) {
      const inputs = tensors(litert, job.inputs, buffer, count, i);
      const began = performance.now();
      const outputs = await model.run(inputs);
      const unnamed = Object.values(outputs);
      const found = job.outputs.map((name, k) => (outputs[name] ?? unnamed[k]).toTypedArray());
      milliseconds += performance.now() - began;
      answers.push(...found.map((values) => values.slice()));
      for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.delete();
    }
    await post(`answers/${part}?seconds=${milliseconds / 1000}`, new Blob(answers));
  }
}

// The inputs of sample i, by name: in a part, all samples of an input lie one after the other.
function tensors(litert, inputs, buffer, count, i) {
  const found = {};
  let offset = 0;
  for (const { key, dtype, shape } of inputs) {
    const size = shape.reduce((a, b) => a * b, 1);
    const bytes = size * ARRAYS[dtype].BYTES_PER_ELEMENT;
    const values = new ARRAYS[dtype](buffer, offset + i * bytes, size);
    found[key] = new litert.Tensor(values, shape);
    offset += count * bytes;
  }
  return found;
}

async function post(path, body) {
  await fetch(path, { method: "POST", body });
}

async function fail(reason) {
  await post("failed", [...said, reason?.message ?? String(reason)].join("\n"));
}
