#!/usr/bin/env python3
"""Run a .tflite model on raw samples: what a device does, in one file.

It needs NumPy and one interpreter (ai_edge_litert, tflite_runtime, tensorflow or tflite_micro),
nothing else; it runs on Python 3.7.

    python run_on_device.py photo.png            decisions for files: images, recordings, tables,
                                                 texts a line each, or arrays (.npy, .npz)
    python run_on_device.py --self-test          the golden vectors of the bundle
"""

import argparse
import contextlib
import json
import os
import sys
import time

import numpy as np

from pipeline.ondevice.bounds import read_arrays
from pipeline.ondevice.decide import decide_samples, detector_limit, l1_distance
from pipeline.ondevice.document import (
    MissingFieldError,
    format_of,
    read_document,
    replace_fields,
)
from pipeline.ondevice.files import prefix_errors, read_samples
from pipeline.ondevice.interpreter import BATCH, MODULES, ModelError, load_interpreter
from pipeline.ondevice.micro import MicroInterpreter
from pipeline.ondevice.outputs import golden_name, only, output_details
from pipeline.ondevice.predict import decode_outputs, predict, run_model
from pipeline.ondevice.prepare import prepare_inputs
from pipeline.ondevice.sanitize import remove_squeezing
from pipeline.visible import visible, visible_lines

PART = 1 << 20  # values that are prepared at a time: more leave the cache
RAW, PREDICTION = "raw.", "prediction."  # before the names of outputs, in the file of a run
UNSQUEEZED = "_unsqueezed"  # golden predictions without squeezing, which a detector compares with
OWN = os.path.dirname(os.path.abspath(__file__))  # the folder of this file


def run_arrays(options):
    """Run a file of arrays through the model and write its outputs; the pipeline's entry."""
    interpreter, name, version = load_interpreter(options.model, options.threads, options.runtime)
    preprocess = read_document(options.preprocess)
    with np.load(options.arrays, allow_pickle=False) as arrays:
        raw = {key: arrays[key] for key in arrays.files}
    seconds, results = 0.0, []
    for part in _split_samples(raw, options.prepared):
        inputs = part if options.prepared else prepare_inputs(part, preprocess)
        started = time.perf_counter()
        results.append(run_model(interpreter, inputs, preprocess, options.batch))
        seconds += time.perf_counter() - started
    raw, predictions = (_join_parts(parts) for parts in zip(*results))
    arena = interpreter.arena_bytes() if isinstance(interpreter, MicroInterpreter) else 0
    np.savez(
        options.outputs,
        **{PREDICTION + name: values for name, values in predictions.items()},
        **{RAW + name: values for name, values in raw.items()},
        runtime=np.array(name),
        version=np.array(version),
        seconds=np.array(seconds),
        arena_bytes=np.array(arena),
    )


def _join_parts(parts):
    """Return the outputs of all samples, name -> (N, ...), of outputs of some in order."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _split_samples(raw, is_prepared):
    """Return samples in parts, so that images of a large set are floats a part at a time.

    Floats stay whole: a message about one counts it among all.
    """
    count = len(next(iter(raw.values())))
    if is_prepared or any(values.dtype.kind not in "ui" for values in raw.values()):
        return [raw]
    sample_size = max(1, sum(values[:1].size for values in raw.values()))
    size = max(1, PART // sample_size // BATCH) * BATCH
    return [
        {name: values[start : start + size] for name, values in raw.items()}
        for start in range(0, max(count, 1), size)
    ]


def run_files(options, folder):
    """Print a decision for every sample of the files; return how many files are wrong."""
    preprocess = read_document(os.path.join(folder, "preprocess.json"))
    interpreter, _, _ = load_interpreter(options.model, options.threads, options.runtime)

    def predict_one_by_one(raw, preprocess):
        return predict(interpreter, raw, preprocess, 1)

    decisions, wrong = [], 0
    for path in options.files:
        with _tell_wrong_file(path) as problems:
            raw = read_samples(path, preprocess.inputs)
            rows = decide_samples(predict_one_by_one, raw, preprocess, options.model)
            decisions += [dict(input=path, **row) for row in rows]
        wrong += len(problems)
    if options.json:
        print(json.dumps(decisions))
        return wrong
    for row in decisions:
        top = "  ".join("%s %.3f" % (label, p) for label, p in row["top"])
        why = " (%s)" % "; ".join(row["why"]) if row["why"] else ""
        print(visible("%s: %s%s  %s" % (row["input"], row["decision"], why, top)))
    return wrong


@contextlib.contextmanager
def _tell_wrong_file(path):
    """Print what is wrong with an input file; the others get their outputs. Gives the problems."""
    problems = []
    try:
        with prefix_errors(path):
            yield problems
    except (ValueError, KeyError, OSError) as error:
        problems.append(error)
        print(visible("error: %s" % error), file=sys.stderr)


def run_encoder(options, folder):
    """Print the code of every sample, a line of numbers each; return how many files are wrong."""
    preprocess = read_document(os.path.join(folder, "preprocess.json"))
    preprocess = replace_fields(preprocess, anomaly=None)
    interpreter, _, _ = load_interpreter(options.model, options.threads, options.runtime)
    codes, wrong = [], 0
    for path in options.files:
        with _tell_wrong_file(path) as problems:
            raw = read_samples(path, preprocess.inputs)
            rows = only(predict(interpreter, raw, preprocess, 1))
            codes += [(path, row.tolist()) for row in rows]
        wrong += len(problems)
    if options.json:
        print(json.dumps([{"input": path, "code": code} for path, code in codes]))
        return wrong
    for path, code in codes:
        print("%s: %s" % (visible(path), " ".join("%.4g" % number for number in code)))
    return wrong


def run_self_test(options, folder):
    """Compare the model with the golden vectors; return whether the decisions are the same."""
    preprocess = read_document(os.path.join(folder, "preprocess.json"))
    form = format_of(options.model)
    stored = read_arrays(os.path.join(folder, "golden.npz"))
    raw = {e.name: stored["input_" + e.name] for e in preprocess.inputs}
    interpreter, name, version = load_interpreter(options.model, options.threads, options.runtime)
    details = output_details(interpreter)
    expected = {key: stored[golden_name(form, key, details)] for key in details}
    inputs = prepare_inputs(raw, preprocess)
    outputs, predictions = run_model(interpreter, inputs, preprocess, options.batch)
    if preprocess.labels:
        wanted = only(decode_outputs(details, inputs, expected, preprocess.anomaly))
        same = only(predictions).argmax(-1) == wanted.argmax(-1)
    else:
        same = np.all([_are_close(outputs[key], expected[key]) for key in details], axis=0)
    limit = detector_limit(preprocess, options.model)
    if form + UNSQUEEZED in stored and limit is not None:
        bare = remove_squeezing(preprocess)
        inputs = prepare_inputs(raw, bare)
        unsqueezed = only(run_model(interpreter, inputs, bare, options.batch)[1])
        plain = dict.fromkeys(details, stored[form + UNSQUEEZED])
        plain = only(decode_outputs(details, inputs, plain, None))
        same &= (l1_distance(only(predictions), unsqueezed) > limit) == (
            l1_distance(wanted, plain) > limit
        )
    print(
        "%s %s, %s: %d of %d decisions as expected, largest difference %s"
        % (
            *(name, version, os.path.basename(options.model), int(same.sum()), same.size),
            ", ".join(_describe_difference(outputs[key], expected[key]) for key in details),
        )
    )
    return bool(same.all())


def _are_close(outputs, expected):
    """Tell of each sample (N,) whether two outputs (N, ...) are close."""
    return np.isclose(outputs, expected).reshape(len(outputs), -1).all(axis=1)


def _describe_difference(outputs, expected):
    """Return in words how far apart two raw outputs (N, ...) are at most."""
    worst = np.abs(outputs.astype(np.float64) - expected.astype(np.float64)).max()
    return "%g %s" % (worst, "LSB" if np.issubdtype(outputs.dtype, np.integer) else "")


def shipped_file(folder, encode):
    """Return the name of the file that a bundle ships: the model, or its encoder."""
    manifest = read_document(os.path.join(folder, "manifest.json"))
    if not encode:
        return next(m.file for m in manifest.models if m.format == manifest.ships)
    if manifest.encoder is None:
        raise ValueError("this bundle has no encoder; set export.encoder: true")
    return manifest.encoder.ships


def main():
    """Read the arguments and run one of the commands; whatever is wrong is one line."""
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a letter of a name shows a code
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    parser = make_parser()
    options = parser.parse_args()
    if not (options.arrays or options.self_test or options.files):
        parser.error("give files, or --self-test")
    try:
        return _run_command(options, options.bundle)
    except (ValueError, KeyError, OSError, MissingFieldError) as error:
        words, code = "%s" % error, 2
    except ModelError as error:
        words, code = "the model cannot be run: %s" % error, 4
    except MemoryError:
        words, code = "it needs more memory than there is (MemoryError)", 4
    except Exception as error:  # documents are not checked here, so that one of ours is like theirs
        words = "the bundle is damaged (%s: %s); get it again" % (type(error).__name__, error)
        code = 4
    print(visible_lines("error: " + words), file=sys.stderr)
    return code


def make_parser():
    """Return what reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "files", nargs="*", help="inputs, as the model takes them; -: standard input"
    )
    parser.add_argument("--model", help=".tflite file; by default the one that manifest.json ships")
    parser.add_argument("--self-test", action="store_true", help="run the golden vectors")
    parser.add_argument("--encode", action="store_true", help="print the encoder's codes instead")
    parser.add_argument("--json", action="store_true", help="print the decisions as JSON")
    parser.add_argument("--runtime", choices=MODULES, help="by default the first that is installed")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--bundle", default=OWN, help=argparse.SUPPRESS)
    parser.add_argument("--arrays", help=argparse.SUPPRESS)
    parser.add_argument("--outputs", help=argparse.SUPPRESS)
    parser.add_argument("--preprocess", help=argparse.SUPPRESS)
    parser.add_argument("--prepared", action="store_true", help=argparse.SUPPRESS)
    return parser


def _run_command(options, folder):
    """Run one of the commands and return the exit code."""
    if options.model is None:
        options.model = os.path.join(folder, shipped_file(folder, options.encode))
    if options.arrays:
        run_arrays(options)
        return 0
    if options.self_test:
        return 0 if run_self_test(options, folder) else 3
    wrong = (run_encoder if options.encode else run_files)(options, folder)
    return 2 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
