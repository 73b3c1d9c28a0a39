#!/usr/bin/env python3
"""Run a .tflite model on raw samples: what a device does, in one file.

It needs NumPy and one interpreter (ai_edge_litert, tflite_runtime or tensorflow), nothing else; it
runs on Python 3.7. It ships in the bundle as run_on_device.py, and the pipeline's `verify` runs
this very file, so what is tested is what ships.

    python run_on_device.py photo.png            decisions for files (.npy, .npz, .csv, images)
    python run_on_device.py --self-test          the golden vectors of the bundle
"""

import argparse
import csv
import functools
import json
import os
import sys
import time

import numpy as np

BATCH = 32  # samples a call where the file can be resized; more does not get faster


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
        make = _one_hot if column["kind"] == "category" else _number
        parts.append(make(values, column))
    return np.concatenate(parts, axis=1).astype(np.float32)


def _number(values, column):
    x = np.where(np.isnan(values), np.float32(column["fill"]), values).astype(np.float64)
    if column["how"] == "quantile":
        return np.interp(x, column["knots"], column["heights"])[:, None]
    x = np.clip(x, column["low"], column["high"])
    return ((x - column["offset"]) * column["scale"])[:, None]


def _one_hot(values, column):
    """Return (N, width); the last place is for rare, new and missing ones."""
    code = np.where(np.isnan(values), -1, values).astype(np.int64)
    places = np.array(column["places"] + [column["width"] - 1])  # -1: the last
    return np.eye(column["width"])[places[code]]


def prepare(raw, entry):
    """Return the float32 model input of raw samples (N, ...), by an input of preprocess.json."""
    raw = np.asarray(raw)
    shape = tuple(entry["shape"])
    if entry["kind"] == "columns":
        if raw.ndim != 2 or raw.shape[1] != len(entry["columns"]):
            raise ValueError(
                "input %s: wanted rows of %d values, got shape %s"
                % (entry["name"], len(entry["columns"]), raw.shape)
            )
        return _columns(raw, entry)
    if raw.shape[1:] != shape:
        if entry["kind"] != "image" or raw.ndim != 4 or raw.shape[3] != shape[2]:
            raise ValueError(
                "input %s: wanted samples of shape %s, got %s"
                % (entry["name"], shape, raw.shape[1:])
            )
        raw = np.stack([resize_image(image, shape[0], shape[1]) for image in raw])
    offset = np.asarray(entry["offset"], np.float32)
    x = (raw.astype(np.float32) - offset) * np.asarray(entry["scale"], np.float32)
    if not np.isfinite(x).all():
        raise ValueError("input %s: holds NaN or infinity" % entry["name"])
    return x


def quantize(x, detail):
    """Return x in the type of a tensor: round(x / scale) + zero point, clipped; half to even."""
    dtype, (scale, zero_point) = detail["dtype"], detail["quantization"]
    if scale == 0 or np.issubdtype(dtype, np.floating):
        return x.astype(dtype)
    limits = np.iinfo(dtype)
    steps = np.round(x / np.float32(scale)) + zero_point
    return np.clip(steps, limits.min, limits.max).astype(dtype)


def dequantize(q, detail):
    """Return the real numbers of a tensor's values, float32."""
    scale, zero_point = detail["quantization"]
    if scale == 0 or np.issubdtype(q.dtype, np.floating):
        return q.astype(np.float32)
    return (q.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


# ---- the interpreter -------------------------------------------------------------------------


def load_interpreter(path, threads=None):
    """Return (interpreter, name of the runtime, its version) for a .tflite file.

    A file compiled for the Edge TPU is given its delegate.
    """
    delegates = []
    try:
        from ai_edge_litert import interpreter as lite

        name, version = "litert", _version("ai-edge-litert")
    except ImportError:
        try:
            import tflite_runtime.interpreter as lite

            name, version = "tflite-runtime", _version("tflite-runtime")
        except ImportError:
            from tensorflow import lite

            name, version = "tensorflow", _version("tensorflow")
    with open(path, "rb") as file:
        if b"edgetpu-custom-op" in file.read():
            delegates = [lite.load_delegate("libedgetpu.so.1")]
    interpreter = lite.Interpreter(
        model_path=str(path), num_threads=threads, experimental_delegates=delegates
    )
    return interpreter, name, version


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
    """Resize to a batch and return it; 1 where the file refuses, or keeps state."""
    details = interpreter.get_input_details()
    output = interpreter.get_output_details()[0]
    ops = {op["op_name"] for op in interpreter._get_ops_details()} if batch > 1 else set()
    stateful = any("LSTM" in op or "VARIABLE" in op for op in ops)
    if batch > 1 and not stateful:
        try:
            for detail in details:
                interpreter.resize_tensor_input(
                    detail["index"], [batch, *list(detail["shape"][1:])]
                )
            interpreter.allocate_tensors()
            if interpreter.get_output_details()[0]["shape"][0] == batch:
                return batch
        except (RuntimeError, ValueError):
            pass
        for detail in details:
            interpreter.resize_tensor_input(detail["index"], [1, *list(detail["shape"][1:])])
    interpreter.allocate_tensors()
    if interpreter.get_tensor(output["index"]).shape[0] != 1:
        raise ValueError("the model's output has no batch axis of 1")
    return 1


def name_of(detail, inputs):
    """Return which named input a tensor is: `serving_default_image:0` is `image`."""
    plain = detail["name"].split(":")[0]
    for name in inputs:
        if plain == name or plain.endswith("_" + name):
            return name
    if len(inputs) == 1:
        return next(iter(inputs))
    raise ValueError("the model's input %s is none of %s" % (plain, ", ".join(sorted(inputs))))


# ---- answers ---------------------------------------------------------------------------------


def decide(outputs, preprocess):
    """Return a decision for each row of dequantized outputs: {decision, confidence, top}."""
    answers = []
    for row in outputs:
        if preprocess["labels"] is None:
            target = preprocess["target"]
            value = float(row[0]) * target["scale"] + target["offset"]
            answers.append({"decision": value, "confidence": None, "top": []})
            continue
        order = np.argsort(-row, kind="stable")[:3]
        top = [[preprocess["labels"][k], float(row[k])] for k in order]
        answers.append({"decision": top[0][0], "confidence": top[0][1], "top": top})
    return answers


def read_file(path, entry):
    """Return the raw samples (N, *shape) of a file: .npy, .npz, .csv, or an image."""
    suffix = os.path.splitext(path)[1].lower()
    shape = tuple(entry["shape"])
    if suffix in (".npy", ".npz"):
        loaded = np.load(path, allow_pickle=False)
        raw = loaded if suffix == ".npy" else loaded[entry["name"]]
    elif entry["kind"] == "columns":
        return read_rows(path, entry)
    elif suffix == ".csv":
        raw = np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float32)
    elif entry["kind"] != "image":
        raise ValueError("%s: this model takes a table: give a .csv or .npy file" % path)
    else:
        raw = read_picture(path, entry["color"])
    return raw[None] if raw.ndim == len(shape) else raw


def read_rows(path, entry):
    """Return the rows of a CSV file (N, C): columns by the names in its header, in any order."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, delimiter=entry["delimiter"])
        header = [name.strip(entry["strip"]) for name in next(reader, [])]
        names = [column["name"] for column in entry["columns"]]
        absent = [name for name in names if name not in header]
        if absent:
            raise ValueError("%s: wanted a header with %s" % (path, ", ".join(absent)))
        rows = []
        for cells in filter(None, reader):
            row = dict(zip(header, (cell.strip(entry["strip"]) for cell in cells)))
            rows.append([_cell(path, reader.line_num, row, c, entry) for c in entry["columns"]])
    if not rows:
        raise ValueError("%s: holds no row" % path)
    return np.array(rows, np.float32)


def _cell(path, line, row, column, entry):
    codes = {value: i for i, value in enumerate(column["values"] or [])}
    try:
        return encode_cell(row[column["name"]], dict(column, codes=codes), entry["missing"])
    except (KeyError, ValueError):
        raise ValueError(
            "%s:%d: %s: wanted a number, got %r"
            % (path, line, column["name"], row.get(column["name"]))
        ) from None


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


# ---- commands --------------------------------------------------------------------------------


def run_arrays(options):
    """Run a file of arrays through the model and write what came out; the pipeline's entry."""
    interpreter, name, version = load_interpreter(options.model, options.threads)
    with open(options.preprocess) as file:
        entries = {entry["name"]: entry for entry in json.load(file)["inputs"]}
    with np.load(options.arrays, allow_pickle=False) as arrays:
        raw = {key: arrays[key] for key in arrays.files}
    if options.prepared:
        inputs = raw
    else:
        inputs = {key: prepare(value, entries[key]) for key, value in raw.items()}
    started = time.perf_counter()
    outputs = invoke(interpreter, inputs, options.batch)
    seconds = time.perf_counter() - started
    detail = interpreter.get_output_details()[0]
    np.savez(
        options.outputs,
        outputs=dequantize(outputs, detail),
        raw_outputs=outputs,
        runtime=np.array(name),
        version=np.array(version),
        seconds=np.array(seconds),
    )


def run_files(options, folder):
    """Print a decision for every file."""
    with open(os.path.join(folder, "preprocess.json")) as file:
        preprocess = json.load(file)
    entry = preprocess["inputs"][0]
    interpreter, _, _ = load_interpreter(options.model, options.threads)
    answers = []
    for path in options.files:
        x = prepare(read_file(path, entry), entry)
        outputs = invoke(interpreter, {entry["name"]: x}, 1)
        outputs = dequantize(outputs, interpreter.get_output_details()[0])
        answers += [dict(input=path, **answer) for answer in decide(outputs, preprocess)]
    if options.json:
        print(json.dumps(answers))
        return
    for answer in answers:
        top = "  ".join("%s %.3f" % (label, p) for label, p in answer["top"])
        print("%s: %s  %s" % (answer["input"], answer["decision"], top))


def self_test(options, folder):
    """Compare the model with the golden vectors; return whether the decisions are the same."""
    with open(os.path.join(folder, "preprocess.json")) as file:
        preprocess = json.load(file)
    form = os.path.splitext(os.path.basename(options.model))[0].replace("model_", "")
    with np.load(os.path.join(folder, "golden.npz"), allow_pickle=False) as golden:
        raw = {e["name"]: golden["input_" + e["name"]] for e in preprocess["inputs"]}
        expected = golden[form]
    interpreter, name, version = load_interpreter(options.model, options.threads)
    inputs = {e["name"]: prepare(raw[e["name"]], e) for e in preprocess["inputs"]}
    outputs = invoke(interpreter, inputs, options.batch)
    worst = float(np.abs(outputs.astype(np.float64) - expected.astype(np.float64)).max())
    same = (
        outputs.argmax(-1) == expected.argmax(-1)
        if preprocess["labels"]
        else np.isclose(outputs, expected)
    )
    unit = "LSB" if np.issubdtype(outputs.dtype, np.integer) else ""
    print(
        "%s %s, %s: %d of %d decisions as expected, largest difference %g %s"
        % (name, version, os.path.basename(options.model), int(same.sum()), same.size, worst, unit)
    )
    return bool(same.all())


def main():
    """Read the arguments and run one of the commands."""
    folder = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="inputs: images, .npy, .npz or .csv")
    parser.add_argument("--model", help=".tflite file; by default the one that manifest.json ships")
    parser.add_argument("--self-test", action="store_true", help="run the golden vectors")
    parser.add_argument("--json", action="store_true", help="print the answers as JSON")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--arrays", help=argparse.SUPPRESS)
    parser.add_argument("--outputs", help=argparse.SUPPRESS)
    parser.add_argument("--preprocess", help=argparse.SUPPRESS)
    parser.add_argument("--prepared", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        if options.model is None:
            with open(os.path.join(folder, "manifest.json")) as file:
                manifest = json.load(file)
            shipped = next(m for m in manifest["models"] if m["format"] == manifest["ships"])
            options.model = os.path.join(folder, shipped["file"])
        if options.arrays:
            run_arrays(options)
        elif options.self_test:
            return 0 if self_test(options, folder) else 3
        elif options.files:
            run_files(options, folder)
        else:
            parser.error("give files, or --self-test")
    except (ValueError, KeyError, OSError) as error:
        print("error: %s" % error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
