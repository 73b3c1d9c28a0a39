"""Recordings as log-mel bands or MFCC, by TensorFlow's own signal operations.

The runner computes the same with NumPy, from the definitions; see `_audio` there.

Legend: B batch, S samples, F frames, M mel bands.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.arrays import Namespace
from pipeline.ondevice.audio import LOG_FLOOR

FULL_SCALE = 32768.0  # of 16-bit sound


def spectrogram(tf: Namespace, raw_BS: Any, entry: Mapping[str, Any]) -> Any:
    """Return recordings of int16 as pictures (B, F, M, 1) float32, scaled by what train shows."""
    sound_BS = tf.cast(raw_BS, tf.float64) / FULL_SCALE
    spectrum = tf.signal.stft(
        sound_BS,
        entry["window"],
        entry["stride"],
        entry["fft"],
        window_fn=lambda length, dtype: tf.signal.hann_window(length, periodic=True, dtype=dtype),
    )
    energy = tf.math.real(spectrum) ** 2 + tf.math.imag(spectrum) ** 2
    weights = tf.signal.linear_to_mel_weight_matrix(
        entry["bins"],
        entry["fft"] // 2 + 1,
        entry["sample_rate"],
        entry["low_hz"],
        entry["high_hz"],
        dtype=tf.float64,
    )
    bands_BFM = tf.math.log(energy @ weights + LOG_FLOOR)
    if entry["features"] == "mfcc":
        bands_BFM = _cosine_transform(tf, bands_BFM)[..., : entry["coefficients"]]
    scaled = (bands_BFM - np.array(entry["offset"])) * np.array(entry["scale"])
    return tf.cast(scaled, tf.float32)[..., None]


def _cosine_transform(tf: Namespace, bands_BFM: Any) -> Any:
    """Return the orthonormal cosine transform of type II along the bands, in float64."""
    return tf.signal.dct(bands_BFM, type=2, norm="ortho")
