"""Sound: cut or pad, resample, and the spectrogram or MFCCs that a model takes."""

import functools
import math

import numpy as np

from pipeline.ondevice.document import describe_range, refuse_input

LOG_FLOOR = 1e-6  # energy below which all is silence: a sine of one step of 16 bits has 1e-6
SINC_ZEROS = 24  # zero crossings either side
KAISER_BETA = 8.6  # of the window: what folds back is 90 dB down


def check_audio_shape(raw, entry):
    """Refuse what is no (N, samples)."""
    if raw.ndim != 2 or not raw.shape[1]:
        wanted = "recordings (N, samples)"
        refuse_input(entry, wanted, "shape %s" % (raw.shape,), "give one row a sample")


def floats_to_int16(raw, entry):
    """Return sound of floats from -1 to 1 as 16 bits, as a .wav of floats is read."""
    if not np.isfinite(raw).all():
        refuse_input(entry, "floats from -1 to 1", "NaN or infinity", "correct the recording")
    if raw.size and np.abs(raw).max() > 1:
        wanted, remedy = "int16, or floats from -1 to 1", "divide by the recorder's largest value"
        refuse_input(entry, wanted, "floats " + describe_range(raw), remedy)
    return np.clip(np.round(raw.astype(np.float64) * 32768), -32768, 32767).astype(np.int16)


def fit_sound_samples(raw, entry):
    """Return recordings (N, S) at the length of the input."""
    return fit_sound_length(raw, entry.samples)


def fit_sound_length(sound, samples):
    """Return recordings (N, S) as (N, samples): cut, or padded with silence at the end."""
    sound = sound[:, :samples]
    return np.pad(sound, ((0, 0), (0, samples - sound.shape[1])))


def cut_sound_windows(sound, samples, every):
    """Return one recording (S,) as windows (n, samples), `every` apart; the rest is dropped."""
    if len(sound) <= samples:
        return fit_sound_length(sound[None], samples)
    return np.lib.stride_tricks.sliding_window_view(sound, samples)[::every]


def resample_sound(sound, rate, new_rate):
    """Return a recording (S,) at another rate in Hz, float64: ceil(S * new_rate / rate) values.

    Band-limited interpolation by a Kaiser-windowed sinc (Smith, "Digital Audio Resampling", 1984):
    what the new rate cannot hold is removed.
    """
    if rate == new_rate:
        return sound.astype(np.float64)
    divisor = math.gcd(rate, new_rate)
    up, down = new_rate // divisor, rate // divisor
    kernels, reach = _sinc_kernels(up, down)
    count = -(-len(sound) * up // down)
    padded = np.pad(sound.astype(np.float64), (reach - 1, reach + 1))
    resampled = np.empty(count)
    for start in range(0, count, 4096):
        steps = np.arange(start, min(start + 4096, count)) * down
        indices = (steps // up)[:, None] + np.arange(2 * reach)
        weights = kernels[steps % up]
        resampled[start : start + 4096] = (padded[indices] * weights).sum(axis=1)
    return resampled


@functools.lru_cache(maxsize=8)
def _sinc_kernels(up, down):
    """Return the weights of each phase (up, 2 * reach), each summing to one, and the reach."""
    cutoff = min(1.0, up / down)
    reach = math.ceil(SINC_ZEROS / cutoff)
    distance = np.arange(1 - reach, reach + 1)[None, :] - np.arange(up)[:, None] / up
    inside = np.clip(1 - (distance / reach) ** 2, 0, None)
    weights = np.sinc(cutoff * distance) * np.i0(KAISER_BETA * np.sqrt(inside))
    weights[np.abs(distance) >= reach] = 0
    return weights / weights.sum(axis=1, keepdims=True), reach


def encode_audio(raw, entry):
    """Return recordings (N, S) int16 as spectrograms or MFCCs (N, frames, bins, 1) float32."""
    parts = [_log_mel_energies(raw[i : i + 64], entry) for i in range(0, len(raw), 64)]
    bands = np.concatenate(parts)
    if entry.features == "mfcc":
        bands = bands @ cosine_transform(entry.bins)[:, : entry.coefficients]
    offset, scale = np.array(entry.offset), np.array(entry.scale)
    return ((bands - offset) * scale).astype(np.float32)[..., None]


def _log_mel_energies(raw, entry):
    """Return the logarithm of the energy in each mel band (N, frames, bins), float64."""
    window, stride, size = entry.window, entry.stride, entry.fft
    starts = np.arange(1 + (raw.shape[1] - window) // stride) * stride
    frames = raw[:, starts[:, None] + np.arange(window)] / 32768.0
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    spectrum = np.fft.rfft(frames * hann, size)
    energy = spectrum.real**2 + spectrum.imag**2
    weights = mel_weights(entry.bins, size, entry.sample_rate, entry.low_hz, entry.high_hz)
    return np.log(energy @ weights + LOG_FLOOR)


@functools.lru_cache(maxsize=8)
def mel_weights(bins, size, rate, low_hz, high_hz):
    """Return how much each frequency of a spectrum adds to each band: (size // 2 + 1, bins).

    Triangles on the mel scale of O'Shaughnessy 1987: 1127 ln(1 + f / 700).
    """

    def hz_to_mel(hertz):
        return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)

    edges = np.linspace(hz_to_mel(low_hz), hz_to_mel(high_hz), bins + 2)
    mels = hz_to_mel(np.arange(size // 2 + 1) * rate / size)[:, None]
    rising = (mels - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mels) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0  # a constant offset is no sound
    return weights


@functools.lru_cache(maxsize=8)
def cosine_transform(bins):
    """Return the orthonormal cosine transform (bins, bins), type II."""
    k = np.arange(bins)
    matrix = np.cos(np.pi * (2 * k[:, None] + 1) * k / (2 * bins)) * math.sqrt(2 / bins)
    matrix[:, 0] /= math.sqrt(2)
    return matrix
