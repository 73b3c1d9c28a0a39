"""Read recordings: .wav here, whatever else by the package soundfile."""

import os
import struct

import numpy as np

from pipeline.ondevice.audio import (
    SINC_ZEROS,
    cut_sound_windows,
    fit_sound_length,
    resample_sound,
)
from pipeline.ondevice.bounds import check_sound_length

WAVES = {(1, 8): "u1", (1, 16): "<i2", (1, 24): "", (1, 32): "<i4", (3, 32): "<f4", (3, 64): "<f8"}


def read_recording(path, entry):
    """Return a recording as one sample (1, S), or as windows (n, S) where training cut them."""
    if entry.every is None:
        sound = read_sound(path, entry.sample_rate, entry.samples)
        return fit_sound_length(sound[None], entry.samples)
    return cut_sound_windows(read_sound(path, entry.sample_rate), entry.samples, entry.every)


def read_sound(path, rate, samples=None):
    """Return a recording as int16 (S,), one channel.

    Args:
        path: .wav, or .flac and whatever else soundfile reads.
        rate: of the result, in Hz.
        samples: how many values of the result are wanted, from the start; None: all.

    Raises:
        ValueError, OSError: it is no recording, is empty or cut short.
    """
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:] == b"WAVE":
            frames, own_rate = _read_wav(path, file, rate, samples)
        else:
            frames, own_rate = _read_with_soundfile(path, rate, samples)
    if not len(frames):
        raise ValueError("%s: holds no sound" % path)
    mono = resample_sound(frames.mean(axis=1), own_rate, rate)[:samples]
    return np.clip(np.round(mono), -32768, 32767).astype(np.int16)


def _count_frames(own_rate, rate, samples):
    """Return how many frames of a file are needed, with those that resampling looks ahead to."""
    if samples is None:
        return None
    return samples * own_rate // rate + 2 + 2 * SINC_ZEROS * max(1, own_rate // rate + 1)


def _read_wav(path, file, rate, samples):
    """Return (frames, channels) float64 in steps of 16 bits, and the file's rate in Hz."""
    form = None
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise ValueError("%s: the file ends before its sound" % path)
        name, size = head[:4], struct.unpack("<I", head[4:])[0]
        if name == b"data":
            break
        body = file.read(size + size % 2)
        if name == b"fmt " and len(body) >= 16:
            form = struct.unpack("<HHIIHH", body[:16])
            code = struct.unpack("<H", body[24:26])[0] if form[0] == 0xFFFE else form[0]
    if form is None:
        raise ValueError("%s: a .wav file without its format" % path)
    channels, own_rate, bits = form[1], form[2], form[5]
    dtype = WAVES.get((code, bits))
    if dtype is None or not channels or not 100 <= own_rate <= 1000000:
        raise ValueError(
            "%s: a .wav of form %d, %d bits, %d channels, %d Hz; wanted PCM or float"
            % (path, code, bits, channels, own_rate)
        )
    width = channels * bits // 8
    present = os.fstat(file.fileno()).st_size - file.tell()
    if size > present and size < 0x7FFFFF00:  # longer: its writer never knew the end
        raise ValueError("%s: cut short: %d of %d bytes of sound" % (path, present, size))
    count = min(size, present) // width
    needed = _count_frames(own_rate, rate, samples)
    _check_length(path, count, needed, channels * max(1, rate / own_rate))
    values = file.read((count if needed is None else min(count, needed)) * width)
    return _decode_wav(values, dtype, bits).reshape(-1, channels), own_rate


def _check_length(path, frames, needed, values_each):
    """Refuse a recording of which too many values would be read.

    Args:
        path: of the file.
        frames: that it holds, as it says.
        needed: how many are read at most; None: all.
        values_each: values in memory of a frame.
    """
    read = frames if needed is None else min(frames, needed)
    check_sound_length(path, int(read * values_each))


def _decode_wav(values, dtype, bits):
    """Return the bytes of a .wav as float64 in steps of 16 bits."""
    if bits == 24:
        wide = np.zeros((len(values) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(values, np.uint8).reshape(-1, 3)
        return wide.view("<i4").ravel() / 65536.0
    sound = np.frombuffer(values, dtype).astype(np.float64)
    if dtype == "u1":
        return (sound - 128) * 256
    if dtype == "<i4":
        return sound / 65536
    if dtype == "<i2":
        return sound
    if not np.isfinite(sound).all():
        raise ValueError("holds NaN or infinity")
    return sound * 32768


def _read_with_soundfile(path, rate, samples):
    """Return what _read_wav does, of .flac and the like."""
    try:
        import soundfile
    except ImportError:
        raise ValueError(
            "%s: no .wav file; reading others needs soundfile (pip install soundfile)" % path
        ) from None
    try:
        with soundfile.SoundFile(path) as file:
            needed = _count_frames(file.samplerate, rate, samples)
            _check_length(path, file.frames, needed, file.channels * max(1, rate / file.samplerate))
            frames = file.read(-1 if needed is None else needed, "float64", always_2d=True)
            return frames * 32768, file.samplerate
    except soundfile.LibsndfileError as error:
        raise ValueError("%s: %s" % (path, str(error).rpartition(": ")[2])) from None
