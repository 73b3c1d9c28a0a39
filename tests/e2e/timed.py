"""Run the chain as the command does, and write what its work took of the processor, as JSON.

python -m tests.e2e.timed FILE ARGUMENT...
    {"stages": {name: seconds}, "imports": {name: seconds}, "epochs": [seconds, …],
     "calls": [[seconds, …], …]}   each call of an epoch: its steps, and reading what they learn
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import executor
from pipeline.cli import main


def spent() -> float:
    """Return the seconds of this process over all threads, and of all that it started."""
    return sum(os.times()[:4]) + _living()


def _living() -> float:
    """Return the seconds of those that live of what this process started: a converter stays."""
    parents, seconds = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            fields = path.read_text().rpartition(")")[2].split()
            parents[path.parent.name] = fields[1]
            ticks = sum(map(int, fields[11:15]))  # its own, and of children that have ended
            seconds[path.parent.name] = ticks / os.sysconf("SC_CLK_TCK")
    found, total = [str(os.getpid())], 0.0
    while found:
        parent = found.pop()
        own = [pid for pid, above in parents.items() if above == parent]
        total += sum(seconds[pid] for pid in own)
        found += own
    return total


def timed(function: Callable[..., Any], note: Callable[[float], None]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        started = spent()
        result = function(*arguments, **named)
        note(spent() - started)
        return result

    return call


def noted(add: Callable[..., None], calls: list[list[float]]) -> Callable[..., None]:
    """Have the end of each call note what it took; the first of an epoch has nothing before it."""
    last = [0.0]

    def call(progress: Any, *arguments: Any, **rest: Any) -> None:
        now = time.process_time()
        if progress.step == 0:
            calls.append([])
        else:
            calls[-1].append(now - last[0])
        last[0] = now
        add(progress, *arguments, **rest)

    return call


def watched() -> dict[str, Any]:
    """Have stages, and epochs of training, note what they took."""
    found: dict[str, Any] = {"stages": {}, "imports": {}, "epochs": [], "calls": []}
    own = executor._import

    def imported(stage: Any) -> Any:
        module = timed(own, lambda took: found["imports"].update({stage.name: took}))(stage)
        if stage.name == "train":
            from pipeline.train import loop

            loop._run_epoch = timed(loop._run_epoch, found["epochs"].append)
            loop.Progress.add = noted(loop.Progress.add, found["calls"])
        module.run = timed(module.run, lambda took: found["stages"].update({stage.name: took}))
        return module

    executor._import = imported
    return found


if __name__ == "__main__":
    took = watched()
    code = main(sys.argv[2:])
    Path(sys.argv[1]).write_text(json.dumps(took))
    sys.exit(code)
