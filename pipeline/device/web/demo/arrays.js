// NumPy's files: .npy, and .npz, which is a ZIP archive of them. Objects are not read.

import { Refusal } from "./check.js";
import { product } from "./numbers.js";

const READ = {
  "|b1": ["uint8", Uint8Array],
  "|u1": ["uint8", Uint8Array],
  "|i1": ["int8", Int8Array],
  "<u2": ["uint16", Uint16Array],
  "<i2": ["int16", Int16Array],
  "<u4": ["uint32", Uint32Array],
  "<i4": ["int32", Int32Array],
  "<f4": ["float32", Float32Array],
  "<f8": ["float64", Float64Array],
  "<i8": ["int64", BigInt64Array],
  "<u8": ["uint64", BigUint64Array],
};

// An array from the bytes of a .npy file.
export function readNpy(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || view.getUint32(0) !== 0x934e554d) throw new Refusal("no .npy array");
  const isOld = bytes[6] === 1;
  const size = isOld ? view.getUint16(8, true) : view.getUint32(8, true);
  const begin = isOld ? 10 : 12;
  const head = new TextDecoder("latin1").decode(bytes.subarray(begin, begin + size));
  const kind = /'descr': *'([^']*)'/.exec(head)?.[1];
  const order = /'fortran_order': *(True|False)/.exec(head)?.[1];
  const axes = /'shape': *\(([^)]*)\)/.exec(head)?.[1];
  if (READ[kind] === undefined || axes === undefined || order !== "False") {
    throw new Refusal("an array of another form; write numbers by numpy.save, in C order");
  }
  const shape = axes
    .split(",")
    .filter((word) => word.trim())
    .map(Number);
  const [dtype, Type] = READ[kind];
  const content = bytes.slice(begin + size);
  if (content.byteLength < product(shape) * Type.BYTES_PER_ELEMENT) {
    throw new Refusal("damaged or cut short");
  }
  const data = new Type(content.buffer, 0, product(shape));
  return { data: dtype.endsWith("64") && dtype !== "float64" ? plain(data) : data, shape, dtype };
}

function plain(wide) {
  return Float64Array.from(wide, Number);
}

// Name -> how to read it, of the arrays in a .npz file: some may be of a form that is not asked for.
export async function readNpz(buffer) {
  const found = {};
  for (const { name, content } of await parts(new Uint8Array(buffer))) {
    if (name.endsWith(".npy")) found[name.slice(0, -4)] = () => readNpy(content);
  }
  return found;
}

async function parts(bytes) {
  try {
    return await unzip(bytes);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal("damaged or cut short"); // places outside of the file, or no packed data
  }
}

async function unzip(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) throw new Refusal("damaged: no .npz archive");
  const found = [];
  let place = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    if (view.getUint32(place, true) !== 0x02014b50) throw new Refusal("damaged: no .npz archive");
    const [size, length] = [view.getUint32(place + 20, true), view.getUint16(place + 28, true)];
    const name = new TextDecoder().decode(bytes.subarray(place + 46, place + 46 + length));
    const local = view.getUint32(place + 42, true);
    const skip = 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const content = bytes.subarray(local + skip, local + skip + size);
    found.push({ name, content: await inflate(content, view.getUint16(place + 10, true)) });
    place += 46 + length + view.getUint16(place + 30, true) + view.getUint16(place + 32, true);
  }
  return found;
}

async function inflate(content, method) {
  if (method === 0) return content;
  if (method !== 8) throw new Refusal("an archive that is packed in another way than .npz files");
  const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Samples along the first axis of arrays: a list of name -> sample.
export function rows(arrays) {
  const names = Object.keys(arrays);
  const count = arrays[names[0]].shape[0];
  return Array.from({ length: count }, (_, i) =>
    Object.fromEntries(names.map((name) => [name, row(arrays[name], i)])),
  );
}

export function row({ data, shape, dtype }, i) {
  const size = product(shape.slice(1));
  return { data: data.slice(i * size, (i + 1) * size), shape: shape.slice(1), dtype };
}
