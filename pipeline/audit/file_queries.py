"""Query a file thousands of times: an interpreter that stays, in the process that converts.

What may crash an interpreter crashes that process and no more. Samples and outputs go by files, and
so does a whole search: a request for each of its rounds would cost more than the outputs.

Legend: n samples, K classes; x are images (n, H, W, C) in [0, 1], before input sanitization.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.arrays import Array, only
from pipeline.artifacts import write_arrays
from pipeline.audit.square import SearchResult, search
from pipeline.documents.preprocess import Entry, Preprocess
from pipeline.ondevice.decide import l1_distance
from pipeline.ondevice.interpreter import load_interpreter
from pipeline.ondevice.predict import run_model
from pipeline.ondevice.prepare import prepare_input
from pipeline.ondevice.sanitize import remove_squeezing

BATCH = 64  # samples a call: a search asks hundreds at a time
TIME_LIMIT = 4 * 3600.0  # seconds: what 1,000 samples of the slowest known file would take


@dataclass(frozen=True)
class SearchBudget:
    """What a search is allowed; see square.py."""

    norm: Literal["linf", "l2"]
    epsilon: float
    queries: int
    seed: int


@dataclass(frozen=True)
class FileQueries:
    """A file as an attacker queries it: behind its input sanitization, with its detector."""

    file: Path
    preprocess: Preprocess
    threads: int
    work: Path
    """An existing folder for the files of a request."""
    detector: float | None = None
    """L1 distance of outputs with and without sanitization above which an input is flagged."""

    def outputs(self, x: Array) -> Array:
        """Return the outputs (n, K) for x."""
        return self._request({"x": x}, None)["outputs"]

    def outputs_unsanitized(self, x: Array) -> Array:
        """Return the outputs (n, K) for x without sanitization, as a detector compares them."""
        (entry,) = self.preprocess.inputs
        bare = replace(self, preprocess=remove_squeezing(self.preprocess))
        return bare.outputs(round_to_raw(x, entry))

    def is_flagged(self, x: Array) -> Array:
        """Return which of x the detector flags (n,); none where there is no detector."""
        if self.detector is None:
            return np.zeros(len(x), bool)
        return l1_distance(self.outputs(x), self.outputs_unsanitized(x)) > self.detector

    def search(self, x: Array, labels: Array, budget: SearchBudget) -> SearchResult:
        """Run Square attack on x (n, H, W, C) that are predicted correctly, of labels (n,)."""
        result = self._request({"x": x, "labels": labels}, budget)
        return SearchResult(result["x"], result["is_robust"], result["queries"])

    def _request(self, arrays: dict[str, Array], budget: SearchBudget | None) -> dict[str, Array]:
        from pipeline.worker.client import request

        write_arrays(self.work / "query.npz", arrays)
        self.preprocess.write(self.work / "preprocess.json")
        request(
            "query_file",
            limit_s=TIME_LIMIT,
            file=str(self.file),
            work=str(self.work),
            threads=self.threads,
            budget=None if budget is None else asdict(budget),
        )
        with np.load(self.work / "reply.npz") as loaded:
            return {name: loaded[name] for name in loaded.files}


def query_file(file: str, work: str, threads: int, budget: Mapping[str, Any] | None) -> None:
    """Run a file on the samples in a folder, or search there; runs in the worker.

    Args:
        file: path of the .tflite file.
        work: holds query.npz (x, and labels for a search) and preprocess.json; gets reply.npz.
        threads: of the interpreter.
        budget: of a search; None: plain outputs.
    """
    folder = Path(work)
    preprocess = Preprocess.read(folder / "preprocess.json")
    (entry,) = preprocess.inputs
    interpreter, _, _ = load_interpreter(file, threads)

    def outputs(x: Array) -> Array:
        inputs = {entry.name: sanitize(x, entry)}
        return np.asarray(only(run_model(interpreter, inputs, preprocess, BATCH)[1]))

    with np.load(folder / "query.npz") as loaded:
        query = {key: loaded[key] for key in loaded.files}
    if budget is None:
        reply = {"outputs": outputs(query["x"])}
    else:
        reply = vars(search(outputs, query["x"], query["labels"], **budget))
    write_arrays(folder / "reply.npz", reply)


def is_squeezed(entry: Entry) -> bool:
    """Tell whether the device squeezes the features of an image (Xu et al. 2018)."""
    rule = entry.sanitize
    return rule is not None and (rule.median is not None or rule.bit_depth is not None)


def round_to_raw(x: Array, entry: Entry) -> Array:
    """Return x (n, H, W, C) with every value at the nearest raw value, still in [0, 1]."""
    top = np.float32(np.iinfo(entry.raw_dtype).max)
    return np.asarray(np.round(x * top) / top, np.float32)


def sanitize(x: Array, entry: Entry) -> Array:
    """Return the device's model inputs of x (n, H, W, C); x itself where nothing is squeezed."""
    if not is_squeezed(entry):
        return x
    raw = np.round(x * np.float32(np.iinfo(entry.raw_dtype).max)).astype(entry.raw_dtype)
    return np.asarray(prepare_input(raw, entry))
