"""How a keyword spotter does on a stream: false accepts an hour, and keywords that it misses. Pure.

The held-out recordings are put end to end in random order and heard through a window that moves on
by a fraction of its length, as a device hears a room. A keyword is accepted when the mean of the
last answers passes a threshold, and then not again for a while (Chen, Parada and Heigold 2014,
"Small-footprint keyword spotting using deep neural networks", section 2.3).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

BACKGROUND = ("unknown", "silence")
HOP = 4  # windows in the length of a recording
SMOOTHED = 2  # answers whose mean decides
REFRACTORY = 4  # windows after an accept in which there is no other: one length of a recording
THRESHOLD = 0.6
MOST = 1000  # recordings of a stream


def is_spotting(kind: str, names: Sequence[str] | None) -> bool:
    """Tell whether a set is one of keywords among other sounds."""
    return kind == "audio" and names is not None and any(name in names for name in BACKGROUND)


def stream(recordings: Array) -> Array:
    """Return the windows (M, S) of recordings (N, S) int16 put end to end, S // HOP apart."""
    samples = recordings.shape[1]
    flat = recordings.ravel()
    starts = np.arange(0, len(flat) - samples + 1, samples // HOP)
    return flat[starts[:, None] + np.arange(samples)]


def figures(outputs: Array, labels: Array, names: Sequence[str], seconds: float) -> dict[str, Any]:
    """Return {false_accepts_per_hour, miss_rate, hours, keywords, threshold}.

    Args:
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
    accepted: list[tuple[int, int]] = []
    passing = np.flatnonzero((score >= THRESHOLD) & ~np.isin(said, quiet)).tolist()
    for window in passing:
        if not accepted or window - accepted[-1][0] >= REFRACTORY:
            accepted.append((window, int(said[window])))
    heard: set[int] = set()
    false = 0
    for window, word in accepted:
        first = window // HOP
        overlapped = [n for n in (first, first + 1) if n < len(labels) and n * HOP < window + HOP]
        right = [n for n in overlapped if labels[n] == word]
        heard.update(right)
        false += not right
    keywords = np.flatnonzero(~np.isin(labels, quiet))
    hours = len(labels) * seconds / 3600
    missed = sum(int(n) not in heard for n in keywords)
    return {
        "false_accepts_per_hour": false / hours,
        "miss_rate": missed / max(1, len(keywords)),
        "hours": hours,
        "keywords": len(keywords),
        "threshold": THRESHOLD,
    }
