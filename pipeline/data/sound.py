"""Shared by the sources of sound: the encoding's settings, and checks of recordings."""

import numpy as np

from pipeline.arrays import Array
from pipeline.config.schema import Mfcc, Sound
from pipeline.documents.preprocess import AudioEntry
from pipeline.errors import ConfigError
from pipeline.ondevice.audio import fit_sound_length, mel_weights, resample_sound
from pipeline.samples.kind import Input

SUFFIXES = (
    ".wav",
    ".flac",
    ".ogg",
    ".oga",
    ".opus",
    ".mp3",
    ".aiff",
    ".aif",
    ".au",
)  # as soundfile reads them


def sound_input(name: str, sound: Sound, *, stride_s: float | None = None) -> Input:
    """Return the input that a recording becomes.

    Args:
        name: of the input.
        sound: rate, length and features.
        stride_s: seconds from one window of a recording to the next; None: it is one sample.

    Raises:
        ConfigError: the features do not fit the rate and the length.
    """
    rate, features = sound.sample_rate, sound.features
    window = round(features.window_ms * rate / 1000)
    entry = AudioEntry(
        name=name,
        shape=[],
        raw_dtype="int16",
        sample_rate=rate,
        samples=round(sound.seconds * rate),
        every=None if stride_s is None else max(1, round(stride_s * rate)),
        window=window,
        stride=max(1, round(features.stride_ms * rate / 1000)),
        fft=1 << max(1, window - 1).bit_length(),
        low_hz=features.low_hz,
        high_hz=rate / 2 if features.high_hz is None else features.high_hz,
        bins=features.bins,
        features=features.kind,
        coefficients=features.coefficients if isinstance(features, Mfcc) else None,
        offset=[],
        scale=[],
    )
    _refuse(entry)
    return Input(name, "audio", template=entry)


def _refuse(entry: AudioEntry) -> None:
    where = "data.source.sound"
    rate, low, high = entry.sample_rate, entry.low_hz, entry.high_hz
    if entry.window > entry.samples or entry.window < 4:
        raise ConfigError(
            f"{where}.features.window_ms: a window of {entry.window} samples in a recording "
            f"of {entry.samples}; wanted 4 at least, and no more than the recording has"
        )
    if not low < high <= rate / 2:
        raise ConfigError(
            f"{where}.features: bands from {low:g} to {high:g} Hz; wanted a range within 0 to "
            f"{rate / 2:g} Hz, half of the sample rate"
        )
    weights = mel_weights(entry.bins, entry.fft, rate, low, high)
    empty = int((weights.sum(axis=0) == 0).sum())
    if empty:
        raise ConfigError(
            f"{where}.features.bins: {empty} of {entry.bins} bands hold no frequency; wanted "
            "fewer bands, a longer window_ms, or a higher low_hz"
        )
    kept = entry.coefficients
    if kept is not None and kept > entry.bins:
        raise ConfigError(
            f"{where}.features.coefficients: {kept} of {entry.bins} bands; wanted as many as "
            "bands at most"
        )


def recording(values: Array, rate: int, entry: AudioEntry) -> Array:
    """Return a recording (S,) in steps of 16 bits as int16 (samples,) at the rate of an input."""
    needed = values[: 2 + entry.samples * rate // entry.sample_rate + rate]
    at_rate = resample_sound(needed, rate, entry.sample_rate)[: entry.samples]
    whole = np.clip(np.round(at_rate), -32768, 32767).astype(np.int16)
    return np.asarray(fit_sound_length(whole[None], entry.samples)[0])
