// Sound as a picture: log-mel bands or MFCC, as _audio() of run_on_device.py.

const LOG_FLOOR = 1e-6; // energy below which all is silence

// Recordings (S,) int16 as (frames, bins, 1) float32.
export function bandsOf({ data }, entry) {
  const { window, stride, fft, bins, coefficients, offset, scale } = entry;
  const frames = 1 + Math.floor((data.length - window) / stride);
  const width = entry.features === "mfcc" ? coefficients : bins;
  const weights = melWeights(entry);
  const cosines = entry.features === "mfcc" ? cosineTable(bins) : null;
  const hann = Float64Array.from(
    { length: window },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / window),
  );
  const found = new Float32Array(frames * width);
  const [real, imaginary] = [new Float64Array(fft), new Float64Array(fft)];
  for (let t = 0; t < frames; t += 1) {
    real.fill(0);
    imaginary.fill(0);
    for (let i = 0; i < window; i += 1) real[i] = (data[t * stride + i] / 32768) * hann[i];
    transform(real, imaginary);
    const bands = logBands(real, imaginary, weights);
    const values = cosines === null ? bands : applyCosines(bands, cosines, width);
    for (let k = 0; k < width; k += 1) found[t * width + k] = (values[k] - offset[k]) * scale[k];
  }
  return { data: found, shape: [frames, width, 1], dtype: "float32" };
}

function logBands(real, imaginary, weights) {
  return weights.map(({ first, shares }) => {
    let energy = 0;
    for (let i = 0; i < shares.length; i += 1) {
      energy += (real[first + i] ** 2 + imaginary[first + i] ** 2) * shares[i];
    }
    return Math.log(energy + LOG_FLOOR);
  });
}

function applyCosines(bands, cosines, width) {
  return Array.from({ length: width }, (_, k) =>
    bands.reduce((total, band, n) => total + band * cosines[n][k], 0),
  );
}

const kept = new Map();

// How much each frequency adds to each band: triangles on the mel scale of O'Shaughnessy 1987.
function melWeights({ bins, fft, sample_rate: rate, low_hz: low, high_hz: high }) {
  const key = [bins, fft, rate, low, high].join();
  if (kept.has(key)) return kept.get(key);
  const mel = (hertz) => 1127 * Math.log1p(hertz / 700);
  const [from, to] = [mel(low), mel(high)];
  const edges = Array.from({ length: bins + 2 }, (_, i) => from + ((to - from) / (bins + 1)) * i);
  edges[bins + 1] = to;
  const places = Array.from({ length: fft / 2 + 1 }, (_, i) => mel((i * rate) / fft));
  const found = Array.from({ length: bins }, (_, b) => {
    const shares = places.map((x, i) => {
      const rising = (x - edges[b]) / (edges[b + 1] - edges[b]);
      const falling = (edges[b + 2] - x) / (edges[b + 2] - edges[b + 1]);
      return i === 0 ? 0 : Math.max(0, Math.min(rising, falling)); // no sound at rest
    });
    const first = Math.max(
      0,
      shares.findIndex((share) => share > 0),
    );
    const last = shares.findLastIndex((share) => share > 0);
    return { first, shares: shares.slice(first, last + 1) };
  });
  kept.set(key, found);
  return found;
}

// The orthonormal cosine transform, type II: [band][coefficient].
function cosineTable(bins) {
  return Array.from({ length: bins }, (_, n) =>
    Array.from({ length: bins }, (__, k) => {
      const value = Math.cos((Math.PI * (2 * n + 1) * k) / (2 * bins)) * Math.sqrt(2 / bins);
      return k === 0 ? value / Math.SQRT2 : value;
    }),
  );
}

// The Fourier transform in place; the length is a power of two.
export function transform(real, imaginary) {
  const size = real.length;
  for (let i = 1, j = 0; i < size; i += 1) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [real[i], real[j]] = [real[j], real[i]];
      [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
    }
  }
  for (let length = 2; length <= size; length *= 2) butterflies(real, imaginary, length);
}

function butterflies(real, imaginary, length) {
  const half = length / 2;
  const { cos, sin } = roots(length);
  for (let start = 0; start < real.length; start += length) {
    for (let k = 0; k < half; k += 1) {
      const [a, b] = [start + k, start + k + half];
      const r = real[b] * cos[k] - imaginary[b] * sin[k];
      const i = real[b] * sin[k] + imaginary[b] * cos[k];
      [real[b], imaginary[b]] = [real[a] - r, imaginary[a] - i];
      [real[a], imaginary[a]] = [real[a] + r, imaginary[a] + i];
    }
  }
}

const tables = new Map();

function roots(length) {
  if (!tables.has(length)) {
    const angle = (_, k) => (-2 * Math.PI * k) / length;
    const angles = Array.from({ length: length / 2 }, angle);
    tables.set(length, { cos: angles.map(Math.cos), sin: angles.map(Math.sin) });
  }
  return tables.get(length);
}
