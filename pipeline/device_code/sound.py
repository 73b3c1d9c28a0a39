"""What the template of sound needs to know: its window, its Fourier transform and its mel bands."""

import numpy as np

from pipeline.device_code.parts import Part
from pipeline.documents.preprocess import AudioEntry
from pipeline.ondevice.audio import LOG_FLOOR, cosine_transform, mel_weights

FULL_SCALE = 32768.0


def describe_audio(entry: AudioEntry, member: str) -> Part:
    """Return the part of sound; the tables are those that the NumPy form computes."""
    positions = np.arange(entry.window)
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * positions / entry.window)) / FULL_SCALE
    angles = 2 * np.pi * np.arange(entry.fft // 2) / entry.fft
    rule = entry.sanitize
    median = None if rule is None else rule.median
    frames, features = entry.shape[:2]
    return {
        "sample_rate": entry.sample_rate,
        "samples": entry.samples,
        "window": entry.window,
        "stride": entry.stride,
        "fft": entry.fft,
        "frames": frames,
        "bins": entry.bins,
        "features": features,
        "hann": hann.tolist(),
        "turns": np.stack([np.cos(angles), -np.sin(angles)], axis=1).ravel().tolist(),
        "cosines": _cosines(entry),
        "offsets": entry.offset,
        "scales": entry.scale,
        "floor": LOG_FLOOR,
        "median": median,
        "bit_depth": None if rule is None else rule.bit_depth,
        "size_fields": [f"{member}_samples"],
        "raw_type": "int16_t",
        "raw_count": 1,
        "raw_members": [f"const int16_t *{member};", f"size_t {member}_samples;"],
        **_bands(entry),
    }


def _bands(entry: AudioEntry) -> Part:
    """Return the frequencies of each band that count, and their weights, end to end."""
    weights = mel_weights(entry.bins, entry.fft, entry.sample_rate, entry.low_hz, entry.high_hz)
    first: list[int] = []
    counts: list[int] = []
    parts: list[float] = []
    for band in weights.T:
        known = np.flatnonzero(band)
        start, stop = (int(known[0]), int(known[-1]) + 1) if len(known) else (0, 0)
        first.append(start)
        counts.append(stop - start)
        parts += band[start:stop].tolist()
    return {"first": first, "counts": counts, "weights": parts or [0.0]}


def _cosines(entry: AudioEntry) -> list[float] | None:
    """Return the kept part of the cosine transform, band by band; None: bands are the features."""
    if entry.coefficients is None:
        return None
    kept = cosine_transform(entry.bins)[:, : entry.coefficients]
    return kept.ravel().tolist()
