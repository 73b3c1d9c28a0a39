"""Chief and workers over the wire: exact, and no trial lost or counted twice."""

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from pipeline.documents.trials import Trial, TrialResult
from pipeline.errors import ConfigError
from pipeline.tune import ledger as book_module
from pipeline.tune import remote
from tests.tune.searches import finished, ledger, search

KEY = {"config": "a", "data": "b"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a second stand for half a minute."""
    monkeypatch.setattr(book_module, "SILENT_S", 1.0)
    monkeypatch.setattr(remote, "SILENT_S", 1.0)
    monkeypatch.setattr(remote, "SIGN_S", 0.1)
    monkeypatch.setattr(remote, "ASK_S", 0.05)


def at_work(address: str, name: str, measure: Any) -> threading.Thread:
    chief = remote.Chief(address, name, KEY)
    thread = threading.Thread(target=remote.work, args=(chief, measure), daemon=True)
    thread.start()
    return thread


def test_workers_find_what_one_process_finds_to_the_last_bit(tmp_path: Path) -> None:
    alone = search(ledger(tmp_path / "alone", "grid", trials=20))
    book = ledger(tmp_path / "shared", "grid", trials=20)
    with remote.serve_workers(book, KEY, "127.0.0.1:0") as (address, desk):
        workers = [at_work(address, f"w{i}", finished) for i in range(3)]
        for worker in workers:
            worker.join(timeout=60)
        assert remote.told_all(desk)
    assert book.rows == alone


def test_a_worker_that_falls_silent_loses_its_trial_to_another(tmp_path: Path) -> None:
    alone = search(ledger(tmp_path / "alone", trials=4))
    book = ledger(tmp_path / "shared", trials=4)
    measured: list[str] = []

    def measure(row: Trial) -> TrialResult:
        time.sleep(0.2)
        measured.append(row.trial)
        return finished(row)

    with remote.serve_workers(book, KEY, "127.0.0.1:0") as (address, _):
        lost = remote.Chief(address, "dies", KEY).take()  # and is never heard of again
        worker = at_work(address, "lives", measure)
        worker.join(timeout=60)
        assert book.is_over()
    assert book.rows == alone
    assert sorted(measured) == [row.trial for row in alone]
    assert isinstance(lost, Trial)
    assert lost.trial in measured


def test_signs_of_life_keep_a_long_trial(tmp_path: Path) -> None:
    book = ledger(tmp_path, trials=1)
    measured: list[str] = []

    def measure(row: Trial) -> TrialResult:
        time.sleep(2.5)  # longer than silence may last
        measured.append(row.trial)
        return finished(row)

    with remote.serve_workers(book, KEY, "127.0.0.1:0") as (address, _):
        workers = [at_work(address, f"w{i}", measure) for i in range(2)]
        for worker in workers:
            worker.join(timeout=60)
    assert measured == ["0000"]


def test_a_worker_of_another_search_gets_no_trial(tmp_path: Path) -> None:
    book = ledger(tmp_path, trials=1)
    with remote.serve_workers(book, KEY, "127.0.0.1:0") as (address, _):
        chief = remote.Chief(address, "other", KEY | {"data": "c"})
        with pytest.raises(ConfigError, match="another one: data differ here"):
            remote.work(chief, finished)
    assert not book.rows
    assert isinstance(book.take("here"), Trial)


def test_workers_leave_when_the_chief_is_gone(tmp_path: Path) -> None:
    book = ledger(tmp_path, trials=3)
    started = threading.Event()

    def measure(row: Trial) -> TrialResult:
        started.set()
        time.sleep(0.5)
        return finished(row)

    with remote.serve_workers(book, KEY, "127.0.0.1:0") as (address, _):
        worker = at_work(address, "w", measure)
        assert started.wait(30)
    worker.join(timeout=30)
    assert not worker.is_alive()


def test_two_chiefs_cannot_share_a_port(tmp_path: Path) -> None:
    book = ledger(tmp_path)
    with (
        remote.serve_workers(book, KEY, "127.0.0.1:0") as (address, _),
        pytest.raises(ConfigError, match="cannot listen there"),
        remote.serve_workers(book, KEY, address),
    ):
        pass


@pytest.mark.parametrize("body", [b"", b"\xff\xff\xff", b"\x0a\x03abc"])
def test_a_message_of_a_stranger_is_a_line_in_the_log(
    tmp_path: Path, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    book = ledger(tmp_path, trials=1)
    with remote.serve_workers(book, KEY, "127.0.0.1:0") as (address, _):
        with grpc.insecure_channel(address) as channel:
            for name in ("CreateTrial", "GetTrial", "UpdateTrial", "EndTrial", "GetSpace"):
                ask = channel.unary_unary(f"/keras_tuner.Oracle/{name}")
                with contextlib.suppress(grpc.RpcError):
                    ask(body, timeout=10)
        assert isinstance(remote.Chief(address, "own", KEY).take(), Trial)
    lines = [record for record in caplog.records if "no worker's" in record.getMessage()]
    assert lines
    assert not any(record.exc_info for record in caplog.records)
    assert "Traceback" not in caplog.text
    assert not any("\n" in record.getMessage() for record in lines)
