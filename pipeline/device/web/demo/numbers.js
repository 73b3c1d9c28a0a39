// Arithmetic as NumPy does it, to the bit: rounding, sums, interpolation, numbers in words.
// A sample of one input is {data, shape, dtype}: a typed array, its axes, NumPy's name of the type.

export const TYPES = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
};
const BITS = { uint8: 8, int8: 8, uint16: 16, int16: 16, uint32: 32, int32: 32 };

// The least and the largest number of a type; null for floats.
export function limits(dtype) {
  const bits = BITS[dtype];
  if (bits === undefined) return null;
  return dtype[0] === "u" ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

export function isFloat(dtype) {
  return dtype.startsWith("float");
}

export function product(shape) {
  return shape.reduce((a, b) => a * b, 1);
}

// Half to even, as numpy.round.
export function rint(x) {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

export function clip(x, low, high) {
  return Math.min(Math.max(x, low), high);
}

// numpy.sum of a contiguous axis: eight running sums, halves of what is longer than 128.
export function sum(values, start = 0, count = values.length) {
  if (count < 8) {
    let total = 0;
    for (let i = 0; i < count; i += 1) total += values[start + i];
    return total;
  }
  if (count > 128) {
    const half = Math.floor(count / 2) - (Math.floor(count / 2) % 8);
    return sum(values, start, half) + sum(values, start + half, count - half);
  }
  const r = Array.from(
    values.subarray ? values.subarray(start, start + 8) : values.slice(start, start + 8),
  );
  let i = 8;
  for (; i < count - (count % 8); i += 8)
    for (let k = 0; k < 8; k += 1) r[k] += values[start + i + k];
  let total = r[0] + r[1] + (r[2] + r[3]) + (r[4] + r[5] + (r[6] + r[7]));
  for (; i < count; i += 1) total += values[start + i];
  return total;
}

// numpy.interp at one place.
export function interpolate(x, knots, heights) {
  const last = knots.length - 1;
  if (x <= knots[0]) return heights[0];
  if (x >= knots[last]) return heights[last];
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (knots[middle] <= x) low = middle;
    else high = middle;
  }
  if (knots[low] === x) return heights[low];
  const slope = (heights[low + 1] - heights[low]) / (knots[low + 1] - knots[low]);
  return slope * (x - knots[low]) + heights[low];
}

// A number as C's %g says it.
export function g(x, digits = 6) {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (x === 0) return "0";
  const power = Number(x.toExponential(digits - 1).split("e")[1]);
  const bare = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (power >= -4 && power < digits) return bare(x.toFixed(digits - 1 - power));
  const sign = power < 0 ? "-" : "+";
  const mantissa = bare(x.toExponential(digits - 1).split("e")[0]);
  return `${mantissa}e${sign}${String(Math.abs(power)).padStart(2, "0")}`;
}
