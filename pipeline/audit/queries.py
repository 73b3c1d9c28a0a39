"""Ask a file thousands of times: an interpreter that stays, in the process that converts.

What may bring an interpreter down brings that process down and no more. The samples and the answers
go by files, and so does a whole search: a request for each of its rounds would cost more than the
answers.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.arrays import Array, only
from pipeline.artifacts import write_arrays
from pipeline.audit.square import Searched, search
from pipeline.documents.preprocess import Preprocess
from pipeline.ondevice.interpreter import load_interpreter
from pipeline.ondevice.predict import run_model

BATCH = 64  # samples a call: a search asks hundreds at a time
TIME_LIMIT = 4 * 3600.0  # seconds: what 1,000 samples of the slowest file seen would take


@dataclass(frozen=True)
class Budget:
    """What a search is allowed; see square.py."""

    norm: Literal["linf", "l2"]
    epsilon: float
    queries: int
    seed: int


@dataclass(frozen=True)
class Asked:
    """A file as an attacker asks it, and where the two processes meet."""

    file: Path
    preprocess: Preprocess
    threads: int
    work: Path
    """An existing folder for what goes there and back."""

    def answers(self, x: Array) -> Array:
        """Return the outputs (n, K) of prepared model inputs (n, *shape)."""
        return self._request({"x": x}, None)["outputs"]

    def search(self, x: Array, labels: Array, budget: Budget) -> Searched:
        """Run Square attack on inputs (n, H, W, C) that are answered rightly."""
        found = self._request({"x": x, "labels": labels}, budget)
        return Searched(found["found"], found["held"], found["queries"])

    def _request(self, arrays: dict[str, Array], budget: Budget | None) -> dict[str, Array]:
        from pipeline.worker.client import request

        write_arrays(self.work / "asked.npz", arrays)
        self.preprocess.write(self.work / "preprocess.json")
        request(
            "ask_file",
            limit_s=TIME_LIMIT,
            file=str(self.file),
            work=str(self.work),
            threads=self.threads,
            budget=None if budget is None else asdict(budget),
        )
        with np.load(self.work / "answered.npz") as loaded:
            return {name: loaded[name] for name in loaded.files}


def ask_file(file: str, work: str, threads: int, budget: Mapping[str, Any] | None) -> None:
    """Answer what lies in a folder, as the runner does, or search there; runs in the worker.

    Args:
        file: path of the .tflite file.
        work: holds asked.npz (x, and labels for a search) and preprocess.json; answered.npz comes.
        threads: of the interpreter.
        budget: of a search; None: plain answers.
    """
    folder = Path(work)
    preprocess = Preprocess.read(folder / "preprocess.json")
    (name,) = (entry.name for entry in preprocess.inputs)
    interpreter, _, _ = load_interpreter(file, threads)

    def answers(x: Array) -> Array:
        return np.asarray(only(run_model(interpreter, {name: x}, preprocess, BATCH)[1]))

    with np.load(folder / "asked.npz") as loaded:
        asked = {key: loaded[key] for key in loaded.files}
    if budget is None:
        found = {"outputs": answers(asked["x"])}
    else:
        found = vars(search(answers, asked["x"], asked["labels"], **budget))
    write_arrays(folder / "answered.npz", found)
