"""One chief, many workers: KerasTuner's own service, with the search's ledger behind it.

KerasTuner's messages carry floats of 32 bits and no reasons; so what a trial is, and what came of
it, travels as JSON in a hyper-parameter's value. Its chief waits for ever for a worker
that died; ours gives the trial to another. Whoever reaches the port can send results: it belongs
into a network that is trusted.
"""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from typing import Any

import grpc
import keras_tuner
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from keras_tuner.src.engine import trial as trials
from pydantic import Field

from pipeline.artifacts import sha256_json
from pipeline.documents.record import Record
from pipeline.documents.trials import Trial, TrialResult
from pipeline.errors import ConfigError, PipelineError
from pipeline.tune.ledger import OVER, SILENT_S, WAIT, Ledger

log = logging.getLogger(__name__)

GRPC_LOGS = ("grpc._common", "grpc._server")  # that a message from outside can write into

LETTER = "letter"  # the value that carries the JSON
SIGN_S = 2.0  # between two signs of life
ASK_S = 1.0  # after which a worker without a trial asks again
CALL_S = 20.0  # that a call may take
START_S = 600.0  # that a worker waits for its chief: it may prepare its data first
STATUS = {WAIT: "IDLE", OVER: "STOPPED"}


class Letter(Record):
    """The messages between chief and worker."""

    key: dict[str, str] = Field(default_factory=dict)
    """What must be the same at both, by name, as hashes."""
    trial: Trial | None = None
    """To be measured."""
    result: TrialResult | None = None
    """Measured."""


class Lost(PipelineError):
    """The chief does not reply any more."""


class Desk:
    """The ledger as KerasTuner's service asks for it: an oracle in all that workers need."""

    def __init__(self, ledger: Ledger, key: Mapping[str, str]) -> None:
        """Open the desk.

        Args:
            ledger: of the search.
            key: what must be the same at chief and worker, and its hash.
        """
        self._ledger, self._key = ledger, dict(key)
        self.seen: dict[str, float] = {}
        """Worker -> time of its last request; one that knows that the search is over is removed."""

    def create_trial(self, tuner_id: str) -> Any:
        """Return a trial for a worker; one without values where there is none for it.

        Args:
            tuner_id: the worker's name, a blank, and the hash of its key: one that would not
                measure the same gets none.
        """
        worker, _, digest = tuner_id.partition(" ")
        is_alike = digest == sha256_json(self._key)
        found = self._ledger.take(worker) if is_alike else OVER
        self.seen[worker] = time.monotonic()
        letter = Letter(key=self._key)
        if not isinstance(found, str):
            return _trial(found.trial, Letter(key=self._key, trial=found), "RUNNING")
        if found == OVER:
            del self.seen[worker]
        return _trial("none", letter, STATUS[found])

    def update_trial(self, trial_id: str, metrics: Mapping[str, float], step: int = 0) -> Any:
        """Note that a trial is being worked on."""
        self._ledger.hear(trial_id)
        return _trial(trial_id, Letter(), "RUNNING")

    def end_trial(self, trial: trials.Trial) -> None:
        """Take what came of a trial."""
        result = _letter(trial).result
        assert result is not None  # a worker ends what it measured
        self._ledger.end(result)


def _trial(name: str, letter: Letter, status: str) -> Any:
    """Return a trial of KerasTuner that carries a letter."""
    parameters = keras_tuner.HyperParameters()
    parameters.values = {LETTER: json.dumps(letter.dump())}
    return trials.Trial(parameters, trial_id=name, status=status)


def _letter(trial: trials.Trial) -> Letter:
    return Letter.model_validate(json.loads(trial.hyperparameters.values[LETTER]))


def _shorten(record: logging.LogRecord) -> bool:
    """Make a line of what gRPC logs with a traceback: a stranger's message is no bug of ours."""
    if record.exc_info:
        error = record.exc_info[1]
        words = " ".join(str(error).split())
        record.msg, record.args = f"a message that is no worker's is refused: {words}", ()
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = record.exc_text = None
    return True


@contextlib.contextmanager
def serve_workers(
    ledger: Ledger, key: Mapping[str, str], address: str
) -> Iterator[tuple[str, Desk]]:
    """Serve workers until the block is left; gives the address, with its port, and the desk.

    Args:
        ledger: of the search.
        key: as for Desk.
        address: HOST:PORT; port 0: a free one.

    Raises:
        ConfigError: nothing can listen there.
    """
    desk = Desk(ledger, key)
    pool = futures.ThreadPoolExecutor(max_workers=4)
    server = grpc.server(pool, options=(("grpc.so_reuseport", 0),))
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(desk), server)
    host = address.rpartition(":")[0]
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        raise ConfigError(
            f"--chief {address}: cannot listen there; wanted a name or number of this machine and "
            "a port that nothing else listens at"
        )
    server.start()
    for name in GRPC_LOGS:
        logging.getLogger(name).addFilter(_shorten)
    try:
        yield f"{host}:{port}", desk
    finally:
        server.stop(grace=1).wait()
        for name in GRPC_LOGS:
            logging.getLogger(name).removeFilter(_shorten)


def told_all(desk: Desk) -> bool:
    """Tell whether every worker knows that the search is over, or has been silent for long."""
    late = time.monotonic() - SILENT_S
    return all(heard < late for heard in list(desk.seen.values()))


class Chief:
    """The chief, as a worker sees it."""

    def __init__(self, address: str, worker: str, key: Mapping[str, str]) -> None:
        """Look for the chief.

        Args:
            address: HOST:PORT.
            worker: a name that no other worker has.
            key: as for Desk; the chief's must be the same.
        """
        self._channel = grpc.insecure_channel(address)
        self._stub = protos.get_service_grpc().OracleStub(self._channel)
        self._address, self._worker, self._key = address, worker, dict(key)
        self._service = protos.get_service()

    def take(self, *, limit_s: float = SILENT_S) -> Trial | str:
        """Return a trial to work on; or WAIT, or OVER.

        Args:
            limit_s: how long to wait for a chief that is not there.

        Raises:
            ConfigError: chief and worker would not measure the same.
            Lost: it did not reply in that time.
        """
        name = f"{self._worker} {sha256_json(self._key)}"
        request = self._service.CreateTrialRequest(tuner_id=name)
        trial = trials.Trial.from_proto(self._call("CreateTrial", request, limit_s).trial)
        letter = _letter(trial)
        other = [part for part in self._key if letter.key.get(part) != self._key[part]]
        if other:
            raise ConfigError(
                f"the chief's search is another one: {', '.join(other)} differ here; wanted the "
                "same config, data and packages at chief and workers"
            )
        states = {status: word for word, status in STATUS.items()}
        return states[trial.status] if letter.trial is None else letter.trial

    def sign(self, trial: str) -> None:
        """Give a sign of life.

        Raises:
            Lost: the chief did not reply.
        """
        request = self._service.UpdateTrialRequest(trial_id=trial, metrics={}, step=0)
        self._call("UpdateTrial", request, SILENT_S)

    def end(self, row: TrialResult) -> None:
        """Send what came of a trial.

        Raises:
            Lost: the chief did not reply.
        """
        sent = _trial(row.trial, Letter(result=row), "COMPLETED").to_proto()
        self._call("EndTrial", self._service.EndTrialRequest(trial=sent), SILENT_S)

    def _call(self, name: str, request: object, limit_s: float) -> Any:
        until = time.monotonic() + limit_s
        while True:
            try:
                return getattr(self._stub, name)(request, timeout=CALL_S)
            except grpc.RpcError as error:
                if error.code() not in GONE:
                    raise
                if time.monotonic() > until:
                    raise Lost(f"the chief at {self._address} does not reply") from None
            time.sleep(ASK_S)


GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)


@contextlib.contextmanager
def alive(chief: Chief, trial: str) -> Iterator[None]:
    """Give signs of life while the block runs."""
    done = threading.Event()

    def give() -> None:
        while not done.wait(SIGN_S):
            with contextlib.suppress(Lost):
                chief.sign(trial)

    thread = threading.Thread(target=give, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def work(chief: Chief, measure: Callable[[Trial], TrialResult]) -> int:
    """Measure trials until there are no more, or the chief is gone; return how many it were.

    Args:
        chief: that gives them.
        measure: returns the result of a trial.

    Raises:
        ConfigError: chief and worker would not measure the same.
        Lost: the chief never replied.
    """
    trial = chief.take(limit_s=START_S)
    count = 0
    try:
        while trial != OVER:
            if isinstance(trial, str):
                time.sleep(ASK_S)
            else:
                with alive(chief, trial.trial):
                    result = measure(trial)
                chief.end(result)
                count += 1
            trial = chief.take()
    except Lost as error:
        log.warning("          %s: its search is over, or it will be begun again", error)
    return count
