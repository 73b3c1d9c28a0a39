"""Recordings of 16-bit sound (S,), as log-mel bands or MFCC, by TensorFlow's signal operations.

ondevice/audio.py computes the same with NumPy, from the definitions.

Legend: B batch, S samples, F frames, M mel bands.
"""

import numpy as np

from pipeline.arrays import Array, Namespace, Tensor
from pipeline.documents.preprocess import AudioEntry
from pipeline.ondevice.audio import LOG_FLOOR
from pipeline.ondevice.prepare import prepare_input
from pipeline.samples.kind import (
    Fitted,
    Input,
    Kind,
    RawSamples,
    describe_input,
    read_parts,
    thin_positions,
)

FULL_SCALE = 32768.0  # of 16-bit sound
HEARD = 2000  # training recordings whose bands are measured, at most
HEARD_BYTES = 1 << 20  # of all recordings that are shown: a page that plays them stays small


def fit_audio(spec: Input, samples: RawSamples, train: Array) -> Fitted:
    """Fit log-mel bands or MFCC of recordings, each coefficient to mean 0 and deviation 1.

    Args:
        spec: the input; its template states rate, window and bins.
        samples: raw recordings, int16.
        train: (n,), indices of the training samples.

    Returns:
        The encoding, and no constant columns.
    """
    sound = spec.template
    assert isinstance(sound, AudioEntry)  # sources of sound state it
    frames = 1 + (sound.samples - sound.window) // sound.stride
    width = sound.coefficients if sound.coefficients is not None else sound.bins
    shared = describe_input(spec, [frames, width, 1], samples)
    plain = sound.model_copy(update=shared | {"offset": [0.0] * width, "scale": [1.0] * width})
    total, squares, count = np.zeros(width), np.zeros(width), 0
    for raw in read_parts(samples, thin_positions(train, HEARD)):
        bands = prepare_input(raw, plain).reshape(-1, width).astype(np.float64)
        total, squares = total + bands.sum(axis=0), squares + (bands**2).sum(axis=0)
        count += len(bands)
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
    scale = np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1), 1.0)
    return plain.model_copy(update={"offset": mean.tolist(), "scale": scale.tolist()}), []


def encode_audio(tf: Namespace, raw_BS: Tensor, entry: AudioEntry) -> Tensor:
    """Return recordings of int16 as standardized images (B, F, M, 1) float32."""
    sound_BS = tf.cast(raw_BS, tf.float64) / FULL_SCALE
    spectrum = tf.signal.stft(
        sound_BS,
        entry.window,
        entry.stride,
        entry.fft,
        window_fn=lambda length, dtype: tf.signal.hann_window(length, periodic=True, dtype=dtype),
    )
    energy = tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2
    weights = tf.signal.linear_to_mel_weight_matrix(
        entry.bins,
        entry.fft // 2 + 1,
        entry.sample_rate,
        entry.low_hz,
        entry.high_hz,
        dtype=tf.float64,
    )
    bands_BFM = tf.math.log(energy @ weights + LOG_FLOOR)
    if entry.features == "mfcc":
        bands_BFM = _cosine_transform(tf, bands_BFM)[..., : entry.coefficients]
    scaled = (bands_BFM - np.array(entry.offset)) * np.array(entry.scale)
    return tf.cast(scaled, tf.float32)[..., None]


def _cosine_transform(tf: Namespace, bands_BFM: Tensor) -> Tensor:
    """Return the orthonormal cosine transform of type II along the bands, in float64."""
    return tf.signal.dct(bands_BFM, type=2, norm="ortho")


def shorten_recordings(raw: Array, entry: AudioEntry) -> Array:
    """Return recordings (N, T) cut to the entry's length; only the first few where that is long."""
    raw = raw[:, : entry.samples]
    return raw[: max(1, HEARD_BYTES // max(1, raw[:1].nbytes))]


AUDIO = Kind(
    fit=fit_audio,
    encode=encode_audio,
    form="sound",
    smoothing_axes=1,
    levels_from="dtype",
    near_duplicate_distance=0.1,
    file_suffix="wav",
    raw_axes=lambda entry: ["samples"],
    shorten_samples=shorten_recordings,
)
