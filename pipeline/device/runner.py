#!/usr/bin/env python3
"""Run a .tflite model on raw samples: what a device does, in one file.

It needs NumPy and one interpreter (ai_edge_litert, tflite_runtime, tensorflow or tflite_micro),
nothing else; it runs on Python 3.7. It ships in the bundle as run_on_device.py, and the pipeline's
`verify` runs this very file, so what is tested is what ships.

    python run_on_device.py photo.png            decisions for files: pictures, recordings, tables,
                                                 texts a line each, or arrays (.npy, .npz)
    python run_on_device.py --self-test          the golden vectors of the bundle
"""

import argparse
import contextlib
import csv
import functools
import importlib
import json
import math
import os
import re
import struct
import sys
import tempfile
import time
import zipfile

import numpy as np

BATCH = 32  # samples a call where the file can be resized; more does not get faster
PART = 1 << 20  # values that are prepared at a time: more leave the cache


# ---- raw samples: what is refused, and what is taken from them ---------------------------------


def checked(raw, entry):
    """Return raw samples (N, ...) in the type and size that an input takes.

    Raises ValueError: no such samples; says the input, the place, what was wanted, what came and
    what to do.
    """
    raw = np.asarray(raw)
    _check_shape(raw, entry)
    raw = _in_type(raw, entry)
    kind, shape = entry["kind"], tuple(entry["shape"])
    if kind == "image" and raw.shape[1:3] != shape[:2]:
        return np.stack([resize_image(image, shape[0], shape[1]) for image in raw])
    if kind == "audio":
        return sound_to_length(raw, entry["samples"])
    if kind == "table" and limits_of(entry) is not None:
        low, high = np.array(limits_of(entry), np.float32).T
        return np.clip(raw, low, high)  # of the other kinds this is a part of what follows
    return raw


def _check_shape(raw, entry):
    kind, shape, came = entry["kind"], tuple(entry["shape"]), raw.shape
    if kind in ("columns", "codes"):
        if raw.ndim != 2 or came[1] != len(entry["columns"]):
            wanted = "rows of %d values" % len(entry["columns"])
            refuse(entry, wanted, "shape %s" % (came,), "give one row a sample")
    elif kind in ("audio", "tokens"):
        if raw.ndim != 2 or not came[1]:
            wanted = "recordings (N, samples)" if kind == "audio" else "texts (N, bytes)"
            refuse(entry, wanted, "shape %s" % (came,), "give one row a sample")
    elif kind == "image":
        if raw.ndim != 4 or came[3] != shape[2] or not min(came[1:3]):
            wanted = "samples of shape %s or of another height and width" % (shape,)
            refuse(entry, wanted, _shape(came), "give (N, height, width, channels)")
    elif came[1:] != shape:
        cure = "give one such sample, or (N, ...)"
        refuse(entry, "samples of shape %s" % (shape,), _shape(came), cure)


def _shape(came):
    return "%s" % (came[1:],)


def refuse(entry, wanted, came, cure):
    """Raise a ValueError that says which input, what was wanted, what came and what to do."""
    raise ValueError("input %s: wanted %s, got %s; %s" % (entry["name"], wanted, came, cure))


def _in_type(raw, entry):
    """Return samples in the type that they have in training; what that cannot hold is refused."""
    dtype = np.dtype(entry["raw_dtype"])
    if raw.dtype.kind not in "buif":
        refuse(entry, "numbers of type %s" % dtype, "type %s" % raw.dtype, "convert them")
    if dtype.kind == "f":
        return _finite(raw, dtype, entry)
    if raw.dtype.kind == "f":
        if entry["kind"] == "audio":
            return _sound_of_float(raw, entry)
        many = "multiply by %d and round" % np.iinfo(dtype).max
        cure = many if raw.size and np.nanmax(raw) <= 1 else "round them to whole numbers"
        refuse(entry, _span(dtype), "%s %s" % (raw.dtype, _reach(raw)), cure)
    if raw.dtype == dtype or not raw.size:
        return raw.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    if raw.min() < limits.min or raw.max() > limits.max:
        cure = "bring them into that range, as they were in training"
        refuse(entry, _span(dtype), "%s %s" % (raw.dtype, _reach(raw)), cure)
    return raw.astype(dtype)


def _span(dtype):
    return "%s from %d to %d" % (dtype, np.iinfo(dtype).min, np.iinfo(dtype).max)


def _reach(raw):
    return "from %g to %g" % (np.min(raw), np.max(raw)) if raw.size else "no value"


def _finite(raw, dtype, entry):
    """Return samples as floats; NaN says that a value is not known, which some inputs allow."""
    with np.errstate(over="ignore"):
        found = raw.astype(dtype, copy=False)
    may_be_nan = entry["kind"] in ("columns", "codes", "series")
    wrong = np.isinf(found) if may_be_nan else ~np.isfinite(found)
    if wrong.any():
        sample, place = _first(wrong, entry)
        wanted, value = "a number or NaN" if may_be_nan else "a number", raw[wrong][0]
        said = "NaN" if np.isnan(value) else "infinity" if np.isinf(value) else "%g" % value
        cure = "mend or leave out that sample"
        refuse(entry, wanted, "%s in sample %d%s" % (said, sample, place), cure)
    if entry["kind"] in ("columns", "codes"):
        _check_codes(found, entry)
    return found


def _first(wrong, entry):
    """Return the first sample, counted from 1, with a wrong value, and its column in words."""
    sample, last = int(np.argwhere(wrong)[0][0]), int(np.argwhere(wrong)[0][-1])
    names = entry.get("columns") if wrong.ndim > 1 else None
    if not names:
        return sample + 1, ""
    name = names[last]
    return sample + 1, ", column %s" % (name["name"] if isinstance(name, dict) else name)


def _check_codes(rows, entry):
    """Refuse what stands for no category: they are counted from 0, and -1 is an unknown one."""
    for i, column in enumerate(entry["columns"]):
        if column["kind"] != "category":
            continue
        code, most = rows[:, i], len(column["places"]) - 1
        wrong = ~np.isnan(code) & ((code != np.floor(code)) | (code < -1) | (code > most))
        if wrong.any():
            wanted = "a category from 0 to %d, or -1 where it is none of them" % most
            came = "%g in sample %d, column %s" % (
                code[wrong][0], np.argmax(wrong) + 1, column["name"]
            )  # fmt: skip
            refuse(entry, wanted, came, "number them as preprocess.json lists them")


def _sound_of_float(raw, entry):
    """Return sound of floats from -1 to 1 as 16 bits, as a .wav of floats is read."""
    if not np.isfinite(raw).all():
        refuse(entry, "floats from -1 to 1", "NaN or infinity", "mend the recording")
    if raw.size and np.abs(raw).max() > 1:
        cure = "divide by the largest that the recorder gives"
        refuse(entry, "int16, or floats from -1 to 1", "floats " + _reach(raw), cure)
    return np.clip(np.round(raw.astype(np.float64) * 32768), -32768, 32767).astype(np.int16)


def limits_of(entry):
    """Return how low and high the numbers of each column may be, None where any; else None."""
    rule = entry.get("sanitize")
    return None if rule is None else rule["limits"]


def outside(raw, entry):
    """Return samples (N,) that are far from what training saw: (which, what is wrong with each).

    Numbers are further outside of train's range than that is wide; of a text no word is known.
    """
    rule, found = entry.get("sanitize"), {}
    if entry["kind"] == "tokens" and rule is not None:
        numbers = _tokens(raw, entry)
        return {int(i): "no known word" for i in np.flatnonzero((numbers < 2).all(axis=1))}
    for place, limits in enumerate(limits_of(entry) or []):
        if limits is None:
            continue
        values = raw if len(entry["sanitize"]["limits"]) == 1 else raw[..., place]
        values = values.reshape(len(raw), -1)
        wrong = (values < np.float32(limits[0])) | (values > np.float32(limits[1]))
        for i in np.flatnonzero(wrong.any(axis=1)):
            said = "%s = %g, wanted %g to %g" % (
                _column(entry, place), values[i][wrong[i]][0], limits[0], limits[1]
            )  # fmt: skip
            found.setdefault(int(i), said)
    return found


def _column(entry, place):
    names = entry.get("columns")
    if not names:
        return "a value"
    return names[place]["name"] if isinstance(names[place], dict) else names[place]


def squeeze(raw, entry):
    """Return raw samples with what an attacker could hide in taken away, in the same type.

    Feature squeezing (Xu et al. 2018, arXiv:1704.01155, section 3): the median of the neighbours,
    then fewer levels. Twice is once for the levels; the median goes on smoothing.
    """
    rule = entry.get("sanitize")
    if rule is None:
        return raw
    if rule["median"] is not None:
        axes = 2 if entry["kind"] == "image" else 1
        parts = [raw[i : i + 64] for i in range(0, len(raw), 64)]
        raw = np.concatenate([smooth(part, rule["median"], axes) for part in parts] or [raw])
    if rule["levels"] is not None:
        return nearest_level(raw, rule["levels"])
    return raw if rule["bit_depth"] is None else fewer_bits(raw, rule["bit_depth"])


def unsqueezed(preprocess):
    """Return preprocess.json without the squeezing: what a detector compares with."""
    inputs = []
    for entry in preprocess["inputs"]:
        rule = entry.get("sanitize")
        plain = None if rule is None else dict(rule, median=None, bit_depth=None, levels=None)
        inputs.append(dict(entry, sanitize=plain))
    return dict(preprocess, inputs=inputs)


def fewer_bits(raw, bits):
    """Return whole numbers of a type's range in as few levels as `bits` tell.

    Of unsigned ones 2**bits, from end to end; of signed ones steps around zero, which stays.
    """
    top, x = int(np.iinfo(raw.dtype).max), raw.astype(np.int64)
    if raw.dtype.kind == "u":
        most = 2**bits - 1
        levels = (2 * x * most + top) // (2 * top)
        return ((2 * levels * top + most) // (2 * most)).astype(raw.dtype)
    step = (top + 1) // 2 ** (bits - 1)
    return np.minimum((x + step // 2) // step * step, top).astype(raw.dtype)


def nearest_level(raw, levels):
    """Return numbers (N, ..., C) as the nearest level of their column; what is unknown stays so.

    `levels` has a rising list for each column, None where all values stay; one list is for all.
    """
    found = raw.copy()
    for place, own in enumerate(levels):
        if own is None:
            continue
        values = raw if len(levels) == 1 else raw[..., place]
        own = np.array(own, np.float32)
        middles = (own[1:].astype(np.float64) + own[:-1]) / 2
        level = own[np.searchsorted(middles, values.astype(np.float64), side="right")]
        level = np.where(np.isnan(values), values, level)
        if len(levels) == 1:
            return level.astype(raw.dtype)
        found[..., place] = level
    return found


def smooth(raw, window, axes):
    """Return the median of the `window` values around each, along the first axes of samples.

    Samples go on beyond their border as in a mirror that shows the border too. Values that are not
    known are left out, and stay unknown; of an even number the lower middle one counts.
    """
    padded, height = raw, raw.shape[1]
    for axis in range(1, axes + 1):
        padded = np.take(padded, mirrored(raw.shape[axis], window), axis=axis)
    near = [padded[:, i : i + height] for i in range(window)]
    if axes == 2:
        width = raw.shape[2]
        near = [part[:, :, i : i + width] for part in near for i in range(window)]
    near = np.stack(near)
    if raw.dtype.kind != "f":
        return np.partition(near, len(near) // 2, axis=0)[len(near) // 2]
    near = np.sort(near, axis=0)  # what is not known comes last
    place = np.maximum((~np.isnan(near)).sum(axis=0) - 1, 0) // 2
    found = np.take_along_axis(near, place[None], axis=0)[0]
    return np.where(np.isnan(raw), raw, found)


def mirrored(size, window):
    """Return the places 0 to size - 1 that stand at -window // 2 to size + window // 2 - 1."""
    places = np.arange(-(window // 2), size + window // 2) % (2 * size)
    return np.where(places < size, places, 2 * size - 1 - places)


# ---- preprocessing: the NumPy form of what training did -------------------------------------


WEIGHT_BITS = 14  # resize weights are whole numbers of 2**-14: every sum is exact in float64


def resize_image(image, height, width):
    """Return a uint8 image (H, W, C) of any size as (height, width, C).

    Pillow's BILINEAR: a triangle filter, as wide as the reduction where it shrinks; rows first,
    then columns. Weights are whole numbers and nothing is rounded in between, so that every sum is
    exact and all machines give the same bytes; Pillow rounds twice and differs by 1 at most.
    """
    if image.shape[:2] == (height, width):
        return image
    rows = _resample(image, height)
    columns = _resample(rows.swapaxes(0, 1), width).swapaxes(0, 1)
    exact = np.floor(columns / 4.0**WEIGHT_BITS + 0.5)
    return np.ascontiguousarray(exact.astype(np.uint8))


def _resample(values, size):
    """Return weighted sums along the first axis, float64, 2**WEIGHT_BITS times as large."""
    found = np.empty((size, *values.shape[1:]), np.float64)
    for i, (start, weights) in enumerate(_windows(len(values), size)):
        window = values[start : start + len(weights)].astype(np.float64)
        found[i] = (weights @ window.reshape(len(weights), -1)).reshape(values.shape[1:])
    return found


@functools.lru_cache(maxsize=256)
def _windows(length, size):
    """Return the first input place of each output place, and the weights from there on."""
    scale = length / size
    reach = max(scale, 1.0)
    windows = []
    for i in range(size):
        center = (i + 0.5) * scale
        start, stop = max(0, int(center - reach + 0.5)), min(length, int(center + reach + 0.5))
        share = np.maximum(0.0, 1 - np.abs((np.arange(start, stop) + 0.5 - center) / reach))
        weights = np.round(share / share.sum() * 2**WEIGHT_BITS)
        weights[weights.argmax()] += 2**WEIGHT_BITS - weights.sum()
        windows.append((start, weights))
    return tuple(windows)


def sound_to_length(sound, samples):
    """Return recordings (N, S) as (N, samples): cut, or silence added at the end."""
    sound = sound[:, :samples]
    return np.pad(sound, ((0, 0), (0, samples - sound.shape[1])))


def sound_windows(sound, samples, every):
    """Return one recording (S,) as windows (n, samples), `every` apart; what is left is cut."""
    if len(sound) <= samples:
        return sound_to_length(sound[None], samples)
    return np.lib.stride_tricks.sliding_window_view(sound, samples)[::every]


def resample_sound(sound, rate, wanted):
    """Return a recording (S,) at another rate, float64: ceil(S * wanted / rate) values.

    Band-limited interpolation by a Kaiser-windowed sinc (Smith, "Digital Audio Resampling", 1984):
    what the new rate cannot hold is removed.
    """
    if rate == wanted:
        return sound.astype(np.float64)
    divisor = math.gcd(rate, wanted)
    up, down = wanted // divisor, rate // divisor
    kernels, reach = _sinc(up, down)
    count = -(-len(sound) * up // down)
    padded = np.pad(sound.astype(np.float64), (reach - 1, reach + 1))
    found = np.empty(count)
    for start in range(0, count, 4096):
        steps = np.arange(start, min(start + 4096, count)) * down
        places = (steps // up)[:, None] + np.arange(2 * reach)
        weights = kernels[steps % up]
        found[start : start + 4096] = (padded[places] * weights).sum(axis=1)
    return found


@functools.lru_cache(maxsize=8)
def _sinc(up, down):
    """Return the weights of each phase (up, 2 * reach), each summing to one, and the reach."""
    cutoff = min(1.0, up / down)
    reach = math.ceil(SINC_ZEROS / cutoff)
    distance = np.arange(1 - reach, reach + 1)[None, :] - np.arange(up)[:, None] / up
    inside = np.clip(1 - (distance / reach) ** 2, 0, None)
    weights = np.sinc(cutoff * distance) * np.i0(KAISER_BETA * np.sqrt(inside))
    weights[np.abs(distance) >= reach] = 0
    return weights / weights.sum(axis=1, keepdims=True), reach


SINC_ZEROS = 24  # zero crossings either side
KAISER_BETA = 8.6  # of the window: what folds back is 90 dB down


def _audio(raw, entry):
    """Return recordings (N, S) int16 as pictures (N, frames, bins, 1) float32."""
    parts = [_bands(raw[i : i + 64], entry) for i in range(0, len(raw), 64)]
    bands = np.concatenate(parts)
    if entry["features"] == "mfcc":
        bands = bands @ _cosines(entry["bins"])[:, : entry["coefficients"]]
    offset, scale = np.array(entry["offset"]), np.array(entry["scale"])
    return ((bands - offset) * scale).astype(np.float32)[..., None]


def _bands(raw, entry):
    """Return the logarithm of the energy in each band (N, frames, bins), float64."""
    window, stride, size = entry["window"], entry["stride"], entry["fft"]
    starts = np.arange(1 + (raw.shape[1] - window) // stride) * stride
    frames = raw[:, starts[:, None] + np.arange(window)] / 32768.0
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    spectrum = np.fft.rfft(frames * hann, size)
    energy = spectrum.real**2 + spectrum.imag**2
    weights = mel_weights(
        entry["bins"], size, entry["sample_rate"], entry["low_hz"], entry["high_hz"]
    )
    return np.log(energy @ weights + LOG_FLOOR)


LOG_FLOOR = 1e-6  # energy below which all is silence: a sine of one step of 16 bits has 1e-6


@functools.lru_cache(maxsize=8)
def mel_weights(bins, size, rate, low, high):
    """Return how much each frequency of a spectrum (size // 2 + 1) adds to each band (bins).

    Triangles on the mel scale of O'Shaughnessy 1987: 1127 ln(1 + f / 700).
    """

    def mel(hertz):
        return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)

    edges = np.linspace(mel(low), mel(high), bins + 2)
    found = mel(np.arange(size // 2 + 1) * rate / size)[:, None]
    rising = (found - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - found) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0  # no sound at rest: a constant offset is none
    return weights


@functools.lru_cache(maxsize=8)
def _cosines(bins):
    """Return the orthonormal cosine transform (bins, bins), type II."""
    k = np.arange(bins)
    found = np.cos(np.pi * (2 * k[:, None] + 1) * k / (2 * bins)) * math.sqrt(2 / bins)
    found[:, 0] /= math.sqrt(2)
    return found


def series_to_length(rows, entry):
    """Return one recording (T, C) as samples (n, length, C), as `data.source.fit` says."""
    length, fit = entry["length"], entry["fit"]
    if fit == "resample":
        places = np.linspace(0, len(rows) - 1, length)
        below = np.minimum(places.astype(np.int64), max(len(rows) - 2, 0))
        share = (places - below)[:, None].astype(np.float32)
        above = np.minimum(below + 1, len(rows) - 1)
        return (rows[below] + (rows[above] - rows[below]) * share)[None]
    short = max(0, length - len(rows))
    padded = np.concatenate([rows, np.repeat(rows[-1:], short, axis=0)])
    if fit == "pad":
        return padded[None, :length]
    starts = np.arange(0, len(padded) - length + 1, entry["stride"])
    return padded[starts[:, None] + np.arange(length)]


def _series(raw, entry):
    """Return recordings (N, T, C) float32, each channel made even."""
    if entry["relative"]:
        return _relative(raw, entry)
    channels = [_number(raw[..., i], column) for i, column in enumerate(entry["columns"])]
    return np.stack(channels, axis=-1).astype(np.float32)


def _relative(raw, entry):
    """Return windows less their own mean, over their own deviation; unknown values are the mean."""
    x, known = raw.astype(np.float64), ~np.isnan(raw)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, x, 0).sum(axis=1, keepdims=True) / count
    centred = np.where(known, x - mean, 0)
    deviation = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)
    return (centred / np.maximum(deviation, entry["floor"])).astype(np.float32)


def encode_text(text, max_bytes):
    """Return a text as UTF-8, cut before the letter that would not fit whole."""
    cut = text.replace("\0", " ").encode("utf-8")[:max_bytes]
    return np.frombuffer(cut.decode("utf-8", "ignore").encode("utf-8"), np.uint8)


def tokens_of(raw, entry):
    """Return the words or characters of one text, as bytes each.

    A word is a run of letters, digits and whatever is not ASCII; each punctuation mark is one too.
    """
    text = bytes(bytearray(raw)).rstrip(b"\0")
    if entry["lower"]:
        text = text.lower()
    if entry["unit"] == "words":
        return re.findall(rb"[0-9A-Za-z\x80-\xff]+|[!-/:-@\[-`{-~]", text)
    return [letter.encode("utf-8") for letter in text.decode("utf-8", "replace")]


def _tokens(raw, entry):
    """Return texts (N, bytes) as numbers (N, length) int32: 0 after the end, 1 for unknown ones."""
    number_of = {word.encode("utf-8"): i + 2 for i, word in enumerate(entry["vocabulary"])}
    found = np.zeros((len(raw), entry["shape"][0]), np.int32)
    for row, text in zip(found, raw):
        numbers = [number_of.get(word, 1) for word in tokens_of(text, entry)[: len(row)]]
        row[: len(numbers)] = numbers
    return found


def encode_cell(cell, column, missing):
    """Return what stands in a table's cell as a number: NaN where it is not known.

    A category becomes its place among the column's values, and -1 where it is none of them.
    """
    if cell in missing:
        return float("nan")
    if column["kind"] == "number":
        return float(cell)
    return float(column["codes"].get(cell, -1))


def _columns(raw, entry):
    """Return a table's rows (N, C) as (N, D): numbers made even, categories one-hot."""
    parts = []
    for values, column in zip(raw.T, entry["columns"]):
        if column["kind"] == "category":
            parts.append(np.eye(column["width"])[_place(values, column)])
        elif column["how"] == "piecewise":
            parts.append(_stretches(values, column))
        else:
            parts.append(_number(values, column)[:, None])
    return np.concatenate(parts, axis=1).astype(np.float32)


def _codes(raw, entry):
    """Return categories (N, C) as rows of one table of vectors, (N, C) int32."""
    places = [_place(v, c) + c["first"] for v, c in zip(raw.T, entry["columns"])]
    return np.stack(places, axis=1).astype(np.int32)


def _number(values, column):
    """Return values of one column or channel, in any shape, made even; float64."""
    x = np.where(np.isnan(values), np.float32(column["fill"]), values).astype(np.float64)
    if column["how"] == "quantile":
        return np.interp(x, column["knots"], column["heights"])
    x = np.clip(x, column["low"], column["high"])
    return (x - column["offset"]) * column["scale"]


def _stretches(values, column):
    """Return how far into each stretch between two edges values (N,) are: 0 to 1, (N, K)."""
    x = np.where(np.isnan(values), np.float32(column["fill"]), values).astype(np.float64)
    edges = np.array(column["edges"])
    return np.clip((x[:, None] - edges[:-1]) / (edges[1:] - edges[:-1]), 0.0, 1.0)


def _place(values, column):
    """Return the place (N,) of each category; the last one is for rare, new and missing ones."""
    code = np.where(np.isnan(values), -1, values).astype(np.int64)
    return np.array(column["places"] + [column["width"] - 1])[code]  # -1: the last


def _scaled(raw, entry):
    """Return images or plain numbers, less an offset, times a scale."""
    x = raw.astype(np.float32)  # a copy; in place from here on: memory costs more than arithmetic
    x -= np.asarray(entry["offset"], np.float32)
    x *= np.asarray(entry["scale"], np.float32)
    return x


PREPARE = {
    "image": _scaled,
    "table": _scaled,
    "columns": _columns,
    "codes": _codes,
    "audio": _audio,
    "series": _series,
    "tokens": _tokens,
}


def prepare(raw, entry):
    """Return the model input of raw samples (N, ...), by an input of preprocess.json.

    float32, but int32 for words and categories that have a vector each.
    """
    x = PREPARE[entry["kind"]](squeeze(checked(raw, entry), entry), entry)
    if x.dtype == np.float32 and not np.isfinite(x).all():
        raise ValueError("input %s: holds NaN or infinity" % entry["name"])
    return x


def prepare_all(raw, preprocess):
    """Return name -> model input of raw samples by name, for each input of preprocess.json."""
    return {e["name"]: prepare(raw[e["name"]], e) for e in preprocess["inputs"]}


def quantize(x, detail):
    """Return x in the type of a tensor: round(x / scale) + zero point, clipped; half to even."""
    dtype, (scale, zero_point) = detail["dtype"], detail["quantization"]
    if scale == 0 or np.issubdtype(dtype, np.floating):
        return x.astype(dtype)
    limits = np.iinfo(dtype)
    steps = x / np.float32(scale)
    np.round(steps, out=steps)
    steps += zero_point
    return np.clip(steps, limits.min, limits.max, out=steps).astype(dtype)


def dequantize(q, detail):
    """Return the real numbers of a tensor's values, float32."""
    scale, zero_point = detail["quantization"]
    if scale == 0 or np.issubdtype(q.dtype, np.floating):
        return q.astype(np.float32)
    return (q.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


# ---- the interpreter -------------------------------------------------------------------------


# runtime -> the module that holds its interpreter, and its distribution; the first there is taken
MODULES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite-runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
    "tensorflow": ("tensorflow.lite.python.interpreter", "tensorflow"),
    "tflite-micro": ("tflite_micro.python.tflite_micro.runtime", "tflite-micro"),
    "litert-builtin": ("ai_edge_litert.interpreter", "ai-edge-litert"),  # without XNNPACK
}


class ModelError(Exception):
    """The interpreter does not run the model: it is damaged, or holds what that does not know."""


@contextlib.contextmanager
def refusals():
    """Turn whatever an interpreter raises over a model into one error of one line."""
    try:
        yield
    except (RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
        words = " ".join(str(error).split())[:QUOTED]
        raise ModelError(words) from error


def load_interpreter(path, threads=None, runtime=None):
    """Return (interpreter, name of the runtime, its version) for a .tflite file.

    The runtime is one of MODULES; None: the first that is installed. A file compiled for the Edge
    TPU is given its delegate.
    """
    absent = []
    for name in MODULES if runtime is None else (runtime,):
        module, distribution = MODULES[name]
        try:
            lite = importlib.import_module(module)
        except ImportError as error:
            absent.append(str(error))
            continue
        with open(path, "rb") as file:
            content = file.read()
        version = _version(distribution)
        if name == "tflite-micro":
            with refusals():
                return Micro(lite, content), name, version
        settings = {"model_path": str(path), "num_threads": threads}
        if b"edgetpu-custom-op" in content:
            settings["experimental_delegates"] = [lite.load_delegate("libedgetpu.so.1")]
        if name == "litert-builtin":
            kernels = lite.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            settings["experimental_op_resolver_type"] = kernels
        with refusals():
            return lite.Interpreter(**settings), name, version
    wanted = MODULES[runtime or "litert"][1]
    pre = "--pre " if wanted == "tflite-micro" else ""  # nightly builds alone
    raise ValueError("%s; pip install %s%s" % ("; ".join(absent), pre, wanted))


def _version(distribution):
    try:
        from importlib.metadata import version
    except ImportError:  # Python 3.7
        return "unknown"
    return version(distribution)


def invoke(interpreter, inputs, batch=BATCH):
    """Return the raw outputs (N, ...) of model inputs: name -> float32 (N, ...).

    Batches where the file can be resized, else one by one. State (a fused LSTM has some) is reset
    before every call: it would leak from sample to sample.
    """
    count = len(next(iter(inputs.values())))
    size = _allocate(interpreter, min(batch, count))
    details = interpreter.get_input_details()
    output = interpreter.get_output_details()[0]
    results = []
    for start in range(0, count, size):
        part = {name: x[start : start + size] for name, x in inputs.items()}
        filled = len(next(iter(part.values())))
        for detail in details:
            x = part[name_of(detail, part)]
            if filled < size:  # the last batch: repeat its first sample, and drop the answers
                x = np.concatenate([x, np.repeat(x[:1], size - filled, axis=0)])
            interpreter.set_tensor(detail["index"], quantize(x, detail))
        interpreter.reset_all_variables()
        interpreter.invoke()
        results.append(interpreter.get_tensor(output["index"])[:filled].copy())
    return np.concatenate(results)


def _allocate(interpreter, batch):
    """Resize to a batch and return its size; 1 where the file refuses, or keeps state.

    A size that it has already, and that would be at least half filled, stays: to resize costs more.
    """
    if isinstance(interpreter, Micro):
        return 1
    held = int(interpreter.get_input_details()[0]["shape"][0])
    if held > 1 and batch <= held <= 2 * batch and _resized(interpreter, held):
        return held
    ops = {op["op_name"] for op in interpreter._get_ops_details()} if batch > 1 else set()
    stateful = any("LSTM" in op or "VARIABLE" in op for op in ops)
    if batch > 1 and not stateful:
        try:
            if _resized(interpreter, batch):
                return batch
        except (RuntimeError, ValueError):
            pass
    if not _resized(interpreter, 1):
        raise ValueError("the model's output has no batch axis of 1")
    return 1


def _resized(interpreter, batch):
    """Give every input a batch, and tell whether the output has it too."""
    for detail in interpreter.get_input_details():
        if detail["shape"][0] != batch:
            shape = [batch, *detail["shape"][1:]]
            interpreter.resize_tensor_input(detail["index"], shape)
    interpreter.allocate_tensors()
    return interpreter.get_output_details()[0]["shape"][0] == batch


def name_of(detail, inputs):
    """Return which named input a tensor is: `serving_default_image:0` is `image`."""
    plain = detail["name"].split(":")[0]
    for name in inputs:
        if plain == name or plain.endswith("_" + name):
            return name
    if len(inputs) == 1:
        return next(iter(inputs))
    raise ValueError("the model's input %s is none of %s" % (plain, ", ".join(sorted(inputs))))


QUOTED = 300  # characters of what an interpreter says
MICRO_ARENA = 1 << 28  # bytes, more than any microcontroller has; what is not touched costs nothing
ARENA_STEP = 16  # bytes that an arena is aligned to


class Micro:
    """tflite-micro's interpreter, under the names that the others' has: one sample a call."""

    def __init__(self, lite, content):
        self.lite, self.content = lite, content
        self.interpreter = self._call(self._make, MICRO_ARENA)
        self.inputs, self.outputs = self._tensors("input"), self._tensors("output")

    def _make(self, size):
        return self.lite.Interpreter.from_bytes(self.content, arena_size=size)

    def _tensors(self, side):
        """Return the details of inputs or outputs; the names are in the file alone."""
        graph = self.lite.schema_fb.Model.GetRootAsModel(self.content, 0).Subgraphs(0)
        places = (graph.InputsAsNumpy if side == "input" else graph.OutputsAsNumpy)()
        found = []
        for i, place in enumerate(places):
            detail = getattr(self.interpreter, "get_%s_details" % side)(i)
            steps = detail["quantization_parameters"]
            pair = zip(steps["scales"], steps["zero_points"])
            detail["quantization"] = next(((float(s), int(z)) for s, z in pair), (0.0, 0))
            found.append(dict(detail, index=i, name=graph.Tensors(int(place)).Name().decode()))
        return found

    def get_input_details(self):
        return self.inputs

    def get_output_details(self):
        return self.outputs

    def set_tensor(self, index, values):
        self.interpreter.set_input(np.ascontiguousarray(values), index)

    def get_tensor(self, index):
        return self.interpreter.get_output(index)

    def reset_all_variables(self):
        self.interpreter.reset()

    def invoke(self):
        self._call(self.interpreter.invoke)

    def _call(self, action, *arguments):
        """Return what an action does; where it fails, what it said on stderr is the error."""
        with tempfile.TemporaryFile() as said:
            try:
                with stderr_into(said):
                    return action(*arguments)
            except RuntimeError as error:
                said.seek(0)
                words = micro_words(said.read().decode("utf-8", "replace"))
                raise ValueError(words or str(error)) from error

    def arena_bytes(self):
        """Return the smallest arena in which the model runs.

        What `print_allocations` tells is what stays allocated; setting up takes up to half as much
        again, for a while. Each size is tried in a process of its own: too small a one may crash.
        """
        low, high = 0, MICRO_ARENA
        while high - low > ARENA_STEP:
            middle = (low + high) // 2 // ARENA_STEP * ARENA_STEP
            low, high = (low, middle) if self._fits(middle) else (middle, high)
        return high

    def _fits(self, size):
        import resource  # not on Windows, nor is tflite-micro

        child = os.fork()
        if child:
            return os.waitpid(child, 0)[1] == 0
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            interpreter = self._make(size)
            for i, detail in enumerate(self.inputs):
                interpreter.set_input(np.zeros(detail["shape"], detail["dtype"]), i)
            interpreter.invoke()
            os._exit(0)
        finally:
            os._exit(1)


@contextlib.contextmanager
def stderr_into(file):
    """Write to a file what C code says on stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def micro_words(said):
    """Return in one line why tflite-micro does not run a file, from what it says on stderr."""
    absent = re.search(r"Failed to get registration from op code (\w+)", said)
    if absent:
        return "tflite-micro has no operation %s" % absent.group(1)
    lines = [re.sub(r"^\S+\.(cc|h)(:\d+)?\s+", "", line.strip()) for line in said.splitlines()]
    lines = [line.rstrip(".") for line in lines if line]
    failed = re.match(r"Node (\w+) \(number (\d+)\) failed", lines[-1] if lines else "")
    if failed:
        return "%s (operation %s): %s" % (*failed.groups(), "; ".join(lines[:-1]) or lines[-1])
    return "; ".join(lines)


# ---- anomalies: how far a sample is from what the model makes of it ---------------------------


def seen(inputs, anomaly):
    """Return what the model is given of its inputs: a forecaster does not see the last step.

    What lies outside the values that are known from training is cut to them: integers cannot hold
    it, and a float model would go on as if it were usual. The score compares with all of it.
    """
    if anomaly is None:
        return inputs
    if anomaly["score"] == "forecast":
        inputs = {name: x[:, :-1] for name, x in inputs.items()}
    if anomaly.get("known") is None:  # in training
        return inputs
    return {name: x.clip(*anomaly["known"]) for name, x in inputs.items()}


def anomaly_scores(inputs, outputs, anomaly):
    """Return the mean squared error (N,) float64 of a reconstruction, or of the last step."""
    (x,) = inputs.values()
    wanted = x if anomaly["score"] == "reconstruction" else x[:, -1]
    error = outputs.astype(np.float64).reshape(len(x), -1) - wanted.reshape(len(x), -1)
    return (error**2).mean(axis=1)


def anomaly_shares(scores, threshold):
    """Return scores as answers (N, 2): a half is normal, a half anomalous, at the threshold."""
    share = scores / (scores + threshold)
    return np.stack([1 - share, share], axis=1).astype(np.float32)


def answer(interpreter, inputs, preprocess, batch=BATCH):
    """Return raw outputs of model inputs, and the answers (N, K) that decisions are made from."""
    anomaly = preprocess.get("anomaly")
    with refusals():
        raw = invoke(interpreter, seen(inputs, anomaly), batch)
    return raw, answers_of(interpreter.get_output_details()[0], inputs, raw, anomaly)


def answers_of(detail, inputs, raw, anomaly):
    """Return the answers (N, K), float32, of raw outputs; `detail` is that of the output tensor."""
    outputs = dequantize(raw, detail)
    if anomaly is None:
        return outputs
    return anomaly_shares(anomaly_scores(inputs, outputs, anomaly), anomaly["threshold"])


# ---- answers ---------------------------------------------------------------------------------

ABSTAIN = "abstain"  # the decision that is left to a person
UNSURE = "not exactly one class is likely"  # why it is left: by the rule of `verify.abstain`
SUSPECT = "squeezing changes the answer"  # by the limit of `verify.detector`
OUTSIDE = "far from what it learnt from"  # by `data.sanitize.range`


def at_temperature(outputs, temperature):
    """Return probabilities (N, K) as a softmax of logits over the temperature gives them."""
    powers = np.maximum(outputs.astype(np.float64), 0) ** (1 / temperature)
    return powers / np.maximum(powers.sum(axis=-1, keepdims=True), 1e-12)


def is_sure(scaled, threshold):
    """Tell of each class (N, K) whether it may be the answer."""
    return scaled >= threshold


def rule_of(preprocess, model):
    """Return how a .tflite file knows when to abstain; None where it always answers."""
    form = os.path.splitext(os.path.basename(model))[0].replace("model_", "")
    return (preprocess.get("abstain") or {}).get(form)


def distance(outputs, plain):
    """Return how far two answers (N, K) of the same samples are apart (N,): 0 to 2, float64.

    The L1 norm of the difference (Xu et al. 2018, arXiv:1704.01155, section 5.1).
    """
    return np.abs(outputs.astype(np.float64) - plain).sum(axis=1)


def limit_of(preprocess, model):
    """Return the distance above which a .tflite file suspects a sample; None: no detector."""
    form = os.path.splitext(os.path.basename(model))[0].replace("model_", "")
    return (preprocess.get("detector") or {}).get(form)


def doubts(ask, raw, outputs, preprocess, model):
    """Return for each sample (N) why it should be left to a person: a list of reasons.

    `ask` is (raw, preprocess) -> answers (N, K). Raises ValueError where the config said that
    numbers far outside of train are to be refused.
    """
    found = [[] for _ in outputs]
    for entry in preprocess["inputs"]:
        rule = entry.get("sanitize")
        if rule is None or rule["range"] == "clip":
            continue
        far = outside(np.asarray(raw[entry["name"]]), entry)
        if far and rule["range"] == "refuse":
            first = min(far)
            raise ValueError(
                "input %s: sample %d is %s: %s; mend it, or set data.sanitize.range to clip or "
                "abstain" % (entry["name"], first + 1, OUTSIDE, far[first])
            )
        for i in far:
            found[i] += [] if OUTSIDE in found[i] else [OUTSIDE]
    limit = limit_of(preprocess, model)
    if limit is not None:
        apart = distance(outputs, ask(raw, unsqueezed(preprocess)))
        for i in np.flatnonzero(apart > limit):
            found[i].append(SUSPECT)
    return found


def decisions(ask, raw, preprocess, model):
    """Return the decision for each raw sample of a .tflite file; see `decide` and `doubts`."""
    outputs = ask(raw, preprocess)
    why = doubts(ask, raw, outputs, preprocess, model)
    return decide(outputs, preprocess, raw, rule_of(preprocess, model), why)


def decide(outputs, preprocess, raw=None, rule=None, doubts=None):
    """Return a decision for each row of dequantized outputs: {decision, confidence, top, why}.

    A forecast is told as a change; `raw` (name -> samples) has the last value that it is added to.
    The decision is `abstain` where there are `doubts`, a list of reasons for each sample, and by a
    rule of when to abstain where not exactly one class is likely; `why` holds all reasons.
    """
    if rule is not None:
        outputs = at_temperature(outputs, rule["temperature"])
    answers = []
    for i, row in enumerate(outputs):
        why = list(doubts[i]) if doubts is not None else []
        if preprocess["labels"] is None:
            target = preprocess["target"]
            value = float(row[0]) * target["scale"] + target["offset"]
            if target.get("channel") is not None and raw is not None:
                value += float(last_known(next(iter(raw.values()))[i, :, target["channel"]]))
            value = ABSTAIN if why else value
            answers.append({"decision": value, "confidence": None, "top": [], "why": why})
            continue
        order = np.argsort(-row, kind="stable")[:3]
        top = [[preprocess["labels"][k], float(row[k])] for k in order]
        if rule is not None and is_sure(row, rule["threshold"]).sum() != 1:
            why.append(UNSURE)
        decision = ABSTAIN if why else top[0][0]
        answers.append({"decision": decision, "confidence": top[0][1], "top": top, "why": why})
    return answers


def last_known(values):
    """Return the last value that is known; NaN where none is."""
    known = values[~np.isnan(values)]
    return known[-1] if len(known) else np.float32("nan")


# ---- files: what people have, read as the pipeline's data stage reads it ---------------------


def read_file(path, entries):
    """Return name -> raw samples (N, *shape) of a file, by its kind or as .npy, .npz."""
    suffix = os.path.splitext(path)[1].lower()
    entry = entries[0]
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as loaded:
            absent = [e["name"] for e in entries if e["name"] not in loaded.files]
            if absent:
                words = ", ".join(absent), ", ".join(loaded.files) or "nothing"
                raise ValueError("%s: wanted arrays named %s; it holds %s" % (path, *words))
            return {e["name"]: _many(loaded[e["name"]], e) for e in entries}
    if suffix == ".npy" and len(entries) == 1:
        return {entry["name"]: _many(np.load(path, allow_pickle=False), entry)}
    if entry["kind"] in ("columns", "codes"):
        return read_rows(path, entries)
    if len(entries) > 1:
        names = ", ".join(e["name"] for e in entries)
        raise ValueError("%s: this model has several inputs: give a .npz of %s" % (path, names))
    return {entry["name"]: READ[entry["kind"]](path, entry)}


def _many(raw, entry):
    """Return an array with the axis of samples, where it holds one sample only."""
    axes = 1 if entry["kind"] in ("audio", "tokens", "columns", "codes") else len(entry["shape"])
    return raw[None] if raw.ndim == axes else raw


def _read_table(path, entry):
    if os.path.splitext(path)[1].lower() != ".csv":
        raise ValueError("%s: this model takes a table: give a .csv or .npy file" % path)
    return np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float32)


def read_recording(path, entry):
    """Return a recording as one sample (1, S), or as windows (n, S) where training cut them."""
    if entry.get("every") is None:  # bundles of before do not say
        sound = read_sound(path, entry["sample_rate"], entry["samples"])
        return sound_to_length(sound[None], entry["samples"])
    return sound_windows(read_sound(path, entry["sample_rate"]), entry["samples"], entry["every"])


def _read_series(path, entry):
    names = [column["name"] for column in entry["columns"]]
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(read_numbers(file, path, entry, names if entry["header"] else None))
    values = np.array([row for _, row in rows], np.float32).reshape(-1, len(names))
    if not len(values):
        raise ValueError("%s: holds no row" % path)
    if entry["fit"] == "window" and len(values) < entry["length"]:
        raise ValueError("%s: %d rows; wanted %d" % (path, len(values), entry["length"]))
    return series_to_length(values, entry)


def read_numbers(lines, path, entry, names=None):
    """Yield (line, values of the columns) of each row: NaN where one is not known.

    `names` are looked up in the header; None: there is no header, and every cell is taken.
    """
    reader = csv.reader(lines, delimiter=entry["delimiter"])
    places = None
    for cells in filter(None, reader):
        if names is not None and places is None:
            header = [cell.strip() for cell in cells]
            absent = [name for name in names if name not in header]
            if absent:
                raise ValueError(
                    "%s:%d: no column %s; there are %s"
                    % (path, reader.line_num, ", ".join(absent), ", ".join(header))
                )
            places, width = [header.index(name) for name in names], len(cells)
            continue
        if places is None:
            places, width = list(range(len(entry["columns"]))), len(entry["columns"])
        if len(cells) != width:
            raise ValueError(
                "%s:%d: %d values; wanted %d" % (path, reader.line_num, len(cells), width)
            )
        yield reader.line_num, [_value(cells[p], path, reader.line_num, entry) for p in places]


def _value(cell, path, line, entry):
    cell = cell.strip()
    if cell in entry["missing"]:
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        value = float("inf")
    if abs(value) == float("inf"):
        raise ValueError("%s:%d: wanted a number, got %r" % (path, line, cell))
    return value


def _read_texts(path, entry):
    """Return each line of a text file as one text."""
    with open(path, encoding="utf-8-sig") as file:
        texts = [encode_text(line.rstrip("\r\n"), entry["max_bytes"]) for line in file]
    texts = [text for text in texts if len(text)]
    if not texts:
        raise ValueError("%s: holds no text" % path)
    found = np.zeros((len(texts), max(len(text) for text in texts)), np.uint8)
    for row, text in zip(found, texts):
        row[: len(text)] = text
    return found


def read_rows(path, entries):
    """Return name -> rows (N, C) of a CSV file: columns by the names in its header."""
    entry = entries[0]
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, delimiter=entry["delimiter"])
        header = [name.strip(entry["strip"]) for name in next(reader, [])]
        names = [column["name"] for e in entries for column in e["columns"]]
        absent = [name for name in names if name not in header]
        if absent:
            raise ValueError("%s: wanted a header with %s" % (path, ", ".join(absent)))
        rows = {e["name"]: [] for e in entries}
        for cells in filter(None, reader):
            row = dict(zip(header, (cell.strip(entry["strip"]) for cell in cells)))
            for e in entries:
                values = [_cell(path, reader.line_num, row, c, e) for c in e["columns"]]
                rows[e["name"]].append(values)
    if not rows[entry["name"]]:
        raise ValueError("%s: holds no row" % path)
    return {name: np.array(values, np.float32) for name, values in rows.items()}


def _cell(path, line, row, column, entry):
    codes = {value: i for i, value in enumerate(column["values"] or [])}
    try:
        return encode_cell(row[column["name"]], dict(column, codes=codes), entry["missing"])
    except (KeyError, ValueError):
        raise ValueError(
            "%s:%d: %s: wanted a number, got %r"
            % (path, line, column["name"], row.get(column["name"]))
        ) from None


def read_sound(path, rate, samples=None):
    """Return a recording as int16 (S,), one channel, at a rate; the first `samples` of it.

    .wav is read here; .flac and whatever else needs the package soundfile. Raises ValueError or
    OSError where it is no recording, is empty or cut short.
    """
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:] == b"WAVE":
            found, own_rate = _read_wav(path, file, rate, samples)
        else:
            found, own_rate = _read_other(path, rate, samples)
    if not len(found):
        raise ValueError("%s: holds no sound" % path)
    mono = resample_sound(found.mean(axis=1), own_rate, rate)[:samples]
    return np.clip(np.round(mono), -32768, 32767).astype(np.int16)


def _frames(own_rate, rate, samples):
    """Return how many frames of a file are needed, with those that resampling looks ahead to."""
    if samples is None:
        return None
    return samples * own_rate // rate + 2 + 2 * SINC_ZEROS * max(1, own_rate // rate + 1)


def _read_wav(path, file, rate, samples):
    """Return (frames, channels) float64 in steps of 16 bits, and the rate."""
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
    kind = WAVES.get((code, bits))
    if kind is None or not channels or not 100 <= own_rate <= 1000000:
        raise ValueError(
            "%s: a .wav of form %d, %d bits, %d channels, %d Hz; wanted PCM or float"
            % (path, code, bits, channels, own_rate)
        )
    width = channels * bits // 8
    there = os.fstat(file.fileno()).st_size - file.tell()
    if size > there and size < 0x7FFFFF00:  # longer: written by a program that never knew the end
        raise ValueError("%s: cut short: %d of %d bytes of sound" % (path, there, size))
    count = min(size, there) // width
    needed = _frames(own_rate, rate, samples)
    values = file.read((count if needed is None else min(count, needed)) * width)
    return _sound_values(values, kind, bits).reshape(-1, channels), own_rate


WAVES = {(1, 8): "u1", (1, 16): "<i2", (1, 24): "", (1, 32): "<i4", (3, 32): "<f4", (3, 64): "<f8"}


def _sound_values(values, kind, bits):
    """Return the bytes of a .wav as float64 in steps of 16 bits."""
    if bits == 24:
        wide = np.zeros((len(values) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(values, np.uint8).reshape(-1, 3)
        return wide.view("<i4").ravel() / 65536.0
    found = np.frombuffer(values, kind).astype(np.float64)
    if kind == "u1":
        return (found - 128) * 256
    if kind == "<i4":
        return found / 65536
    if kind == "<i2":
        return found
    if not np.isfinite(found).all():
        raise ValueError("holds NaN or infinity")
    return found * 32768


def _read_other(path, rate, samples):
    """Return what _read_wav does, of .flac and the like."""
    try:
        import soundfile
    except ImportError:
        raise ValueError(
            "%s: no .wav file; reading others needs soundfile (pip install soundfile)" % path
        ) from None
    try:
        with soundfile.SoundFile(path) as file:
            needed = _frames(file.samplerate, rate, samples)
            frames = file.read(-1 if needed is None else needed, "float64", always_2d=True)
            return frames * 32768, file.samplerate
    except soundfile.LibsndfileError as error:
        raise ValueError("%s: %s" % (path, str(error).rpartition(": ")[2])) from None


def read_picture(path, color):
    """Return an image file as uint8 (H, W, C): upright, eight bits, transparency dropped.

    Raises ValueError, OSError or SyntaxError where it is no image, or cut short.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ValueError(
            "%s: reading pictures needs Pillow (pip install pillow); .npy works without" % path
        ) from error
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
        if image.mode.startswith("I;16"):  # Pillow would clip it
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        if image.mode in ("I", "F"):
            raise ValueError("%s: pixels of mode %s have no known range" % (path, image.mode))
        if "transparency" in image.info:
            image = image.convert("RGBA")
        pixels = np.asarray(image.convert("L" if color == "gray" else "RGB"))
    return pixels.reshape(pixels.shape[0], pixels.shape[1], -1)


READ = {
    "image": lambda path, entry: read_picture(path, entry["color"])[None],
    "table": _read_table,
    "audio": read_recording,
    "series": _read_series,
    "tokens": _read_texts,
}


# ---- commands --------------------------------------------------------------------------------


def run_arrays(options):
    """Run a file of arrays through the model and write what came out; the pipeline's entry."""
    interpreter, name, version = load_interpreter(options.model, options.threads, options.runtime)
    with open(options.preprocess) as file:
        preprocess = json.load(file)
    with np.load(options.arrays, allow_pickle=False) as arrays:
        raw = {key: arrays[key] for key in arrays.files}
    seconds, found = 0.0, []
    for part in _parts(raw, options.prepared):
        inputs = part if options.prepared else prepare_all(part, preprocess)
        started = time.perf_counter()
        found.append(answer(interpreter, inputs, preprocess, options.batch))
        seconds += time.perf_counter() - started
    raw_outputs, outputs = (np.concatenate(parts) for parts in zip(*found))
    arena = interpreter.arena_bytes() if isinstance(interpreter, Micro) else 0
    np.savez(
        options.outputs,
        outputs=outputs,
        raw_outputs=raw_outputs,
        runtime=np.array(name),
        version=np.array(version),
        seconds=np.array(seconds),
        arena_bytes=np.array(arena),
    )


def _parts(raw, is_prepared):
    """Return samples in parts, so that pictures of a large set are floats a part at a time.

    Floats stay whole: what is wrong with one is told by its place among all.
    """
    count = len(next(iter(raw.values())))
    if is_prepared or any(values.dtype.kind not in "ui" for values in raw.values()):
        return [raw]
    of_one = max(1, sum(values[:1].size for values in raw.values()))
    size = max(1, PART // of_one // BATCH) * BATCH
    return [
        {name: values[start : start + size] for name, values in raw.items()}
        for start in range(0, max(count, 1), size)
    ]


def run_files(options, folder):
    """Print a decision for every file."""
    with open(os.path.join(folder, "preprocess.json")) as file:
        preprocess = json.load(file)
    interpreter, _, _ = load_interpreter(options.model, options.threads, options.runtime)

    def ask(raw, preprocess):
        return answer(interpreter, prepare_all(raw, preprocess), preprocess, 1)[1]

    answers = []
    for path in options.files:
        with named(path):
            raw = read_file(path, preprocess["inputs"])
            answers += [
                dict(input=path, **found)
                for found in decisions(ask, raw, preprocess, options.model)
            ]
    if options.json:
        print(json.dumps(answers))
        return
    for found in answers:
        top = "  ".join("%s %.3f" % (label, p) for label, p in found["top"])
        why = " (%s)" % "; ".join(found["why"]) if found["why"] else ""
        print("%s: %s%s  %s" % (found["input"], found["decision"], why, top))


@contextlib.contextmanager
def named(path):
    """Turn whatever is wrong with an input file into one ValueError that begins with its path."""
    try:
        yield
    except UnicodeDecodeError:
        raise ValueError("%s: no text in UTF-8, which this model takes" % path) from None
    except zipfile.BadZipFile:
        raise ValueError("%s: damaged: no .npz archive" % path) from None
    except (EOFError, SyntaxError) as error:
        raise ValueError("%s: damaged or cut short: %s" % (path, error)) from None
    except ValueError as error:
        said = str(error)
        if said.startswith(str(path)):
            raise
        if "allow_pickle" in said:
            said = "no array of numbers; write it by numpy.save or numpy.savez"
        raise ValueError("%s: %s" % (path, said)) from None


def run_encoder(options, folder):
    """Print the code of every sample, a line of numbers each."""
    with open(os.path.join(folder, "preprocess.json")) as file:
        preprocess = dict(json.load(file), anomaly=None)
    interpreter, _, _ = load_interpreter(options.model, options.threads, options.runtime)
    found = []
    for path in options.files:
        with named(path):
            inputs = prepare_all(read_file(path, preprocess["inputs"]), preprocess)
        found += [(path, row.tolist()) for row in answer(interpreter, inputs, preprocess, 1)[1]]
    if options.json:
        print(json.dumps([{"input": path, "code": code} for path, code in found]))
        return
    for path, code in found:
        print("%s: %s" % (path, " ".join("%.4g" % number for number in code)))


PLAIN = "_unsqueezed"  # golden answers without squeezing, which a detector compares with


def self_test(options, folder):
    """Compare the model with the golden vectors; return whether the decisions are the same."""
    with open(os.path.join(folder, "preprocess.json")) as file:
        preprocess = json.load(file)
    form = os.path.splitext(os.path.basename(options.model))[0].replace("model_", "")
    with np.load(os.path.join(folder, "golden.npz"), allow_pickle=False) as golden:
        raw = {e["name"]: golden["input_" + e["name"]] for e in preprocess["inputs"]}
        expected = golden[form]
        plain = golden[form + PLAIN] if form + PLAIN in golden.files else None
    interpreter, name, version = load_interpreter(options.model, options.threads, options.runtime)
    inputs = prepare_all(raw, preprocess)
    outputs, answers = answer(interpreter, inputs, preprocess, options.batch)
    detail = interpreter.get_output_details()[0]
    wanted = answers_of(detail, inputs, expected, preprocess.get("anomaly"))
    worst = float(np.abs(outputs.astype(np.float64) - expected.astype(np.float64)).max())
    same = (
        answers.argmax(-1) == wanted.argmax(-1)
        if preprocess["labels"]
        else np.isclose(outputs, expected)
    )
    unit = "LSB" if np.issubdtype(outputs.dtype, np.integer) else ""
    if plain is not None and limit_of(preprocess, options.model) is not None:
        bare = prepare_all(raw, unsqueezed(preprocess))
        found = answer(interpreter, bare, preprocess, options.batch)[1]
        limit = limit_of(preprocess, options.model)
        same &= (distance(answers, found) > limit) == (
            distance(wanted, answers_of(detail, bare, plain, None)) > limit
        )
    print(
        "%s %s, %s: %d of %d decisions as expected, largest difference %g %s"
        % (name, version, os.path.basename(options.model), int(same.sum()), same.size, worst, unit)
    )
    return bool(same.all())


def shipped_file(folder, encode):
    """Return the name of the file that a bundle ships: the model, or its encoder."""
    with open(os.path.join(folder, "manifest.json")) as file:
        manifest = json.load(file)
    if not encode:
        return next(m for m in manifest["models"] if m["format"] == manifest["ships"])["file"]
    if manifest.get("encoder") is None:
        raise ValueError("this bundle has no encoder; set export.encoder: true")
    return manifest["encoder"]["ships"]


OWN = os.path.dirname(os.path.abspath(__file__))  # the folder that it lies in


def main():
    """Read the arguments and run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="inputs, of the kind that the model takes")
    parser.add_argument("--model", help=".tflite file; by default the one that manifest.json ships")
    parser.add_argument("--self-test", action="store_true", help="run the golden vectors")
    parser.add_argument("--encode", action="store_true", help="print the encoder's codes instead")
    parser.add_argument("--json", action="store_true", help="print the answers as JSON")
    parser.add_argument("--runtime", choices=MODULES, help="by default the first that is installed")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--bundle", default=OWN, help=argparse.SUPPRESS)
    parser.add_argument("--arrays", help=argparse.SUPPRESS)
    parser.add_argument("--outputs", help=argparse.SUPPRESS)
    parser.add_argument("--preprocess", help=argparse.SUPPRESS)
    parser.add_argument("--prepared", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    folder = options.bundle
    try:
        if options.model is None:
            options.model = os.path.join(folder, shipped_file(folder, options.encode))
        if options.arrays:
            run_arrays(options)
        elif options.self_test:
            return 0 if self_test(options, folder) else 3
        elif options.files and options.encode:
            run_encoder(options, folder)
        elif options.files:
            run_files(options, folder)
        else:
            parser.error("give files, or --self-test")
    except (ValueError, KeyError, OSError) as error:
        print("error: %s" % error, file=sys.stderr)
        return 2
    except ModelError as error:
        print("error: the model cannot be run: %s" % error, file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
