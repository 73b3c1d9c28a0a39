"""Workers on this machine: a process each, with its part of the cores, restarted when it dies.

A worker is `python -m pipeline.tune.local JOB CHIEF NAME`; it ends with the process that began it.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from pipeline.documents.record import Record
from pipeline.documents.spec import Spec
from pipeline.errors import ConfigError
from pipeline.escape import terminal
from pipeline.tune.ledger import Ledger

QUOTED = 30  # lines of a worker's log that an error shows
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


class Job(Record):
    """What a worker of this machine needs to know; see `bench.bench_of`."""

    config: dict[str, JsonValue]
    """The whole config."""
    spec: Spec
    """As `build` wrote it."""
    dataset: Path
    """Folder of the prepared data."""
    start: Path
    """Folder of the spec."""
    work: Path
    """Folder of the trials."""
    logs: Path
    """Folder of TensorBoard logs."""
    threads: int | None
    """That compute; null: all."""


@dataclass
class Process:
    """A worker and where it writes."""

    name: str
    command: Sequence[str]
    cores: Sequence[int]
    log: Path
    running: Any = None

    def start(self) -> None:
        """Start it, or start it again."""
        settings = dict.fromkeys(THREADS, str(len(self.cores)))
        with self.log.open("a") as log:
            self.running = subprocess.Popen(
                self.command, stdout=log, stderr=log, env=os.environ | settings
            )
        if hasattr(os, "sched_setaffinity"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(self.running.pid, self.cores)


def threads_of(parallel: int) -> int:
    """Return with how many threads each of so many workers computes."""
    return max(1, len(_cores()) // parallel)


def _cores() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@contextlib.contextmanager
def workers(job: Job, address: str, parallel: int, work: Path) -> Iterator[Any]:
    """Run workers while the block runs; gives what looks after them.

    Args:
        job: what `main` reads.
        address: of the chief.
        parallel: how many.
        work: folder for the job and the logs.
    """
    job.write(work / "job.json")
    cores, share = _cores(), threads_of(parallel)
    started = []
    for number in range(parallel):
        name = f"local-{number}"
        own = [cores[(number * share + k) % len(cores)] for k in range(share)]
        arguments = [str(work / "job.json"), address, name, str(os.getpid())]
        command = [sys.executable, "-P", "-m", "pipeline.tune.local", *arguments]
        started.append(Process(name, command, own, work / f"{name}.log"))
    try:
        for process in started:
            process.start()
        yield started
    finally:
        for process in started:
            if process.running is not None and process.running.poll() is None:
                process.running.kill()
                process.running.wait()


def look_after(started: Sequence[Process], ledger: Ledger) -> None:
    """Start killed workers again, and give their trials back.

    Raises:
        ConfigError: a worker reported that the user's input is wrong.
        RuntimeError: a worker ended by a mistake of ours; its last words are quoted.
    """
    for process in started:
        status = process.running.poll()
        if status is None or (status == 0 and ledger.is_over()):
            continue
        if status > 0:
            said = process.log.read_text().splitlines()[-QUOTED:]
            kind = ConfigError if status == ConfigError.exit_code else RuntimeError
            raise kind("\n".join(said))
        ledger.lose(process.name)
        process.start()


def until_over(ledger: Ledger, started: Sequence[Process]) -> None:
    """Wait for the end of the search, while workers are looked after."""
    while not ledger.is_over():
        look_after(started, ledger)
        time.sleep(0.1)


def main(job: str, address: str, name: str, parent: str) -> int:
    """Work for a chief on this machine; return the exit code."""
    from pipeline.process_limits import end_with

    end_with(int(parent))
    import keras  # noqa: F401  before what reads the environment

    from pipeline.config.schema import Config
    from pipeline.errors import PipelineError
    from pipeline.tune.bench import bench_of
    from pipeline.tune.remote import Chief, work
    from pipeline.tune.trial import measure

    asked = Job.read(Path(job))
    try:
        bench = bench_of(
            Config.model_validate_json(json.dumps(asked.config)),
            asked.spec,
            asked.dataset,
            start=asked.start,
            work=asked.work,
            logs=asked.logs,
            threads=asked.threads,
        )
        work(Chief(address, name, bench.key), lambda row: measure(bench, row))
    except PipelineError as error:
        sys.stderr.write(terminal(f"{error}\n"))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
