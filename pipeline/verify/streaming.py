"""How a keyword spotter does on a stream: false accepts an hour, and keywords that it misses. Pure.

The split's recordings follow each other in random order, with a pause as long as one between them,
and are heard through a window that moves on by a fraction of its length, as a device hears a room.
A keyword is accepted when the mean of the last outputs passes a threshold, and then not again for a
while (Chen, Parada and Heigold 2014, "Small-footprint keyword spotting using deep neural networks",
section 2.3).
"""

from collections.abc import Sequence

import numpy as np

from pipeline.arrays import Array
from pipeline.documents.parity import Streaming
from pipeline.samples import KINDS

BACKGROUND = ("unknown", "silence")
HOP = 4  # windows in the length of a recording
SMOOTHED = 2  # outputs whose mean decides
REFRACTORY = 4  # windows after an accept in which there is no other: one length of a recording
THRESHOLD = 0.6
MOST = 1000  # recordings of a stream


def is_spotting(kind: str, names: Sequence[str] | None) -> bool:
    """Tell whether a set is one of keywords among other sounds."""
    return KINDS[kind].is_sound and names is not None and any(name in names for name in BACKGROUND)


def stream(recordings: Array) -> Array:
    """Return the windows (M, S) of recordings (N, S) int16 with pauses, S // HOP apart."""
    count, samples = recordings.shape
    spaced = np.stack([recordings, np.zeros_like(recordings)], axis=1).ravel()
    starts = np.arange(2 * HOP * count - HOP + 1) * (samples // HOP)
    return spaced[starts[:, None] + np.arange(samples)]


def measure_stream(
    file: str, outputs: Array, labels: Array, *, names: Sequence[str], seconds: float
) -> Streaming:
    """Return false accepts and misses of a file on a stream.

    Args:
        file: its name.
        outputs: probabilities of each window (M, K).
        labels: class of each recording (N,).
        names: of the classes.
        seconds: length of a recording.
    """
    quiet = [names.index(name) for name in BACKGROUND if name in names]
    smooth = np.stack(
        [outputs[max(0, i + 1 - SMOOTHED) : i + 1].mean(axis=0) for i in range(len(outputs))]
    )
    said, score = smooth.argmax(axis=1), smooth.max(axis=1)
    heard: set[int] = set()
    false, last = 0, -REFRACTORY
    for window in np.flatnonzero((score >= THRESHOLD) & ~np.isin(said, quiet)).tolist():
        if window - last < REFRACTORY:
            continue
        last = window
        recording = (window + HOP - 1) // (2 * HOP)  # the one that the window touches, or touched
        if recording < len(labels) and labels[recording] == said[window]:
            heard.add(recording)
        else:
            false += 1
    keywords = np.flatnonzero(~np.isin(labels, quiet)).tolist()
    hours = 2 * len(labels) * seconds / 3600
    return Streaming(
        file=file,
        false_accepts_per_hour=false / hours,
        miss_rate=sum(n not in heard for n in keywords) / max(1, len(keywords)),
        hours=hours,
        keywords=len(keywords),
        threshold=THRESHOLD,
    )
