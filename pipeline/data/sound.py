"""What is common to sources of sound: the settings as the device needs them, and what to refuse."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.config.schema import Mfcc, Sound
from pipeline.errors import ConfigError
from pipeline.ondevice.audio import fit_sound_length, mel_weights, resample_sound
from pipeline.samples.kind import Input

SUFFIXES = (".wav", ".flac")


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
    encoding: dict[str, Any] = {
        "sample_rate": rate,
        "samples": round(sound.seconds * rate),
        "every": None if stride_s is None else max(1, round(stride_s * rate)),
        "window": window,
        "stride": max(1, round(features.stride_ms * rate / 1000)),
        "fft": 1 << max(1, window - 1).bit_length(),
        "low_hz": features.low_hz,
        "high_hz": rate / 2 if features.high_hz is None else features.high_hz,
        "bins": features.bins,
        "features": features.kind,
        "coefficients": features.coefficients if isinstance(features, Mfcc) else None,
    }
    _refuse(encoding)
    return Input(name, "audio", encoding=encoding)


def _refuse(encoding: dict[str, Any]) -> None:
    where = "data.source.sound"
    rate, low, high = encoding["sample_rate"], encoding["low_hz"], encoding["high_hz"]
    if encoding["window"] > encoding["samples"] or encoding["window"] < 4:
        raise ConfigError(
            f"{where}.features.window_ms: a window of {encoding['window']} samples in a recording "
            f"of {encoding['samples']}; wanted 4 at least, and no more than the recording has"
        )
    if not low < high <= rate / 2:
        raise ConfigError(
            f"{where}.features: bands from {low:g} to {high:g} Hz; wanted a range within 0 to "
            f"{rate / 2:g} Hz, half of the sample rate"
        )
    weights = mel_weights(encoding["bins"], encoding["fft"], rate, low, high)
    empty = int((weights.sum(axis=0) == 0).sum())
    if empty:
        raise ConfigError(
            f"{where}.features.bins: {empty} of {encoding['bins']} bands hold no frequency; wanted "
            "fewer bands, a longer window_ms, or a higher low_hz"
        )
    kept = encoding["coefficients"]
    if kept is not None and kept > encoding["bins"]:
        raise ConfigError(
            f"{where}.features.coefficients: {kept} of {encoding['bins']} bands; wanted as many as "
            "bands at most"
        )


def recording(values: Array, rate: int, encoding: Mapping[str, Any]) -> Array:
    """Return a recording (S,) in steps of 16 bits as int16 (samples,) at the rate of an input."""
    needed = values[: 2 + encoding["samples"] * rate // encoding["sample_rate"] + rate]
    at_rate = resample_sound(needed, rate, encoding["sample_rate"])[: encoding["samples"]]
    whole = np.clip(np.round(at_rate), -32768, 32767).astype(np.int16)
    return np.asarray(fit_sound_length(whole[None], encoding["samples"])[0])
