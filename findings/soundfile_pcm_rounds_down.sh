#!/usr/bin/env bash
# soundfile: samples written to 16-bit WAV are rounded down, those written to FLAC to the nearest.
#
# Versions: soundfile 0.14.0 with the libsndfile 1.2.2 that its wheel brings.
# Input:    float samples of 0.4, 0.6, 0.9, -0.1, -0.6 and 1.5 steps of a 16-bit file, and a quiet
#           noise (12 steps RMS) of mean zero.
# Expected: each sample lands on the nearest step, whatever the container: 0, 1, 1, 0, -1, 2.
# Seen:     WAV and AIFF take the next step below, 0, 0, 0, -1, -1, 1, so the noise comes back with
#           a mean of -0.5 steps; FLAC takes the nearest. So one array gives different samples in
#           two lossless files of one library, and -0.1 steps become a whole one in WAV.
# Exits 0 while this holds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq soundfile==0.14.0 numpy==2.4.6

venv/bin/python - <<'EOF'
import io

import numpy as np
import soundfile


def stored(samples, kind):
    """The 16-bit steps that a file of this kind holds after these samples are written to it."""
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format=kind, subtype="PCM_16")
    file.seek(0)
    return soundfile.read(file, dtype="int16")[0]


print("soundfile", soundfile.__version__, soundfile.__libsndfile_version__)
steps = np.array([0.4, 0.6, 0.9, -0.1, -0.6, 1.5])
noise = np.random.default_rng(0).normal(scale=12, size=100_000)
noise -= noise.mean()
print("written:", steps, "and a noise of mean 0")
for kind, expected in [("WAV", np.floor), ("AIFF", np.floor), ("FLAC", np.rint)]:
    for dtype in (np.float32, np.float64):
        found = stored((steps / 32768).astype(dtype), kind)
        mean = stored((noise / 32768).astype(dtype), kind).mean()
        print(f"{kind:4} from {dtype.__name__}:", found, f"mean of the noise {mean:+.3f} steps")
        assert np.array_equal(found, expected(steps))
        assert abs(mean + (0.5 if expected is np.floor else 0)) < 0.01
EOF
echo "as found: WAV and AIFF round down, FLAC rounds to the nearest"
