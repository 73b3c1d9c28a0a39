"""A device over ssh: a real sshd on this machine, and every way in which it can go wrong."""

import functools
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import cli
from pipeline.device import remote, remote_side
from pipeline.device.remote import Address, explain, frames
from pipeline.device.runtimes import RUNTIMES, why_missing
from pipeline.errors import ConfigError
from tests.device.conftest import Device

ROOT = Path(__file__).parents[2]
RAW = np.zeros((2, 4), np.float32)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("ssh://board", Address("board")),
        ("ssh://pi@board.local:2222", Address("board.local", "pi", 2222)),
        ("ssh://pi@[fe80::1]:22/", Address("fe80::1", "pi", 22)),
        ("ssh://pi@board/python3.11", Address("board", "pi", None, "python3.11")),
        (
            "ssh://pi@board/opt/py-3/bin/python",
            Address("board", "pi", None, "/opt/py-3/bin/python"),
        ),
    ],
)
def test_an_address_is_read(url: str, wanted: Address) -> None:
    assert Address.parse(url) == wanted


@given(text=st.text(st.sampled_from("ssh:/@-oPrxy. $;`'\"\\!&|\n%[]2a"), max_size=30))
def test_no_address_becomes_an_option_or_a_command(text: str) -> None:
    for url in (text, f"ssh://{text}", f"ssh://a@{text}", f"ssh://b/{text}"):
        try:
            address = Address.parse(url)
        except ConfigError as error:
            assert "wanted ssh://user@host:port" in str(error)  # noqa: PT017
            continue
        command = address.command()
        assert command[-3] == "--"
        words = [address.host, address.user or "a", address.python]
        assert not any(word.startswith("-") for word in words)
        assert not set("".join(words)) & set(" $;`'\"\\!&|\n%")


def test_host_keys_are_checked_and_nothing_is_asked() -> None:
    command = Address("board").command()
    assert "StrictHostKeyChecking=yes" in command
    assert "BatchMode=yes" in command


@pytest.mark.parametrize("url", ["ssh://pi:secret@board", "ssh://pi@board:0", "ssh://b:65536"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="wanted ssh://user@host:port"):
        Address.parse(url)


@given(noise=st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"EDGELINE ", b""))))
def test_frames_are_found_among_what_a_login_script_says(noise: list[bytes]) -> None:
    stream, sent = io.BytesIO(), []
    for number, words in enumerate(noise):
        head = {"kind": "answers", "model": str(number), "bytes": len(words)}
        stream.write(words + b"\n" + remote.MARK + json.dumps(head).encode() + b"\n" + words)
        sent.append((head, words))
    stream.seek(0)
    assert list(frames(stream)) == sent
    cut = stream.getvalue()[:-1]
    assert list(frames(io.BytesIO(cut))) == (sent if not noise or not noise[-1] else sent[:-1])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ssh: Could not resolve hostname x: no such host", "check the name"),
        ("ssh: connect to host x port 22: Connection timed out", "switched on"),
        ("EDGELINE-OLD 3.5.2", "older than 3.7"),
        ("", "ended without a word"),
        ("pi@x: Permission denied (publickey).", "ssh-copy-id -p 2222 pi@x"),
        ("bash: line 1: /opt/python: Permission denied", "no python3 there that runs"),
    ],
)
def test_what_ssh_says_is_told_with_a_cure(words: str, said: str) -> None:
    assert said in explain(Address("x", "pi", 2222), words)


def conform(bundle: Path, url: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = cli.main(["conform", str(bundle), "--device", url])
    captured = capsys.readouterr()
    told = [line for line in captured.err.splitlines() if not line.endswith(".tflite ran there")]
    return code, captured.out, "\n".join(told)


def test_a_bundle_conforms_on_a_device(
    device: Device, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = conform(tiny_bundle, device.url(), capsys)
    assert (code, err) == (0, ""), (out, err)
    assert f"@127.0.0.1:{device.port} (" in out.splitlines()[0]
    assert out.count(" LSB") == 2
    assert out.splitlines()[-1] == "conforms"
    assert not device.left_behind()


def test_another_interpreter_there_has_other_kernels(
    device: Device, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if why_missing("tflite-runtime") is not None:
        pytest.skip(str(why_missing("tflite-runtime")))
    python = str(RUNTIMES["tflite-runtime"].python)
    code, out, err = conform(tiny_bundle, device.url(python), capsys)
    assert (code, err) == (0, ""), (out, err)
    assert "tflite-runtime" in out.splitlines()[0]
    assert "not xnnpack" in out.splitlines()[1]


def test_an_unknown_host_key_stops_it(
    device: Device, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (device.folder / "known_hosts").write_text("")
    code, _, err = conform(tiny_bundle, device.url(), capsys)
    assert code == 2
    assert "its host key is not known here: connect once by ssh -p" in err
    assert len(err.splitlines()) == 1
    assert (device.folder / "known_hosts").read_text() == ""  # nothing was learned


def test_a_changed_host_key_stops_it(
    device: Device, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device.know_host(device.folder / "other.pub")
    code, _, err = conform(tiny_bundle, device.url(), capsys)
    assert code == 2
    assert "its host key is another one than in known_hosts" in err
    assert f"ssh-keygen -R '[127.0.0.1]:{device.port}'" in err


def test_a_key_that_is_not_accepted_is_told(
    device: Device, tiny_bundle: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    allowed = device.folder / "user.pub"
    kept = allowed.read_text()
    allowed.write_text((device.folder / "other.pub").read_text())
    try:
        code, _, err = conform(tiny_bundle, device.url(), capsys)
    finally:
        allowed.write_text(kept)
    assert code == 2
    assert "none of your keys is accepted: ssh-copy-id -p" in err


def test_nobody_listening_is_told(
    device: Device, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = conform(tiny_bundle, "ssh://127.0.0.1:1", capsys)
    assert code == 2
    assert "no reply there" in err


def test_no_python_there_is_told(
    device: Device, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = conform(tiny_bundle, device.url("/usr/nowhere/python3"), capsys)
    assert code == 2
    assert "no /usr/nowhere/python3 there" in err


def test_a_python_without_packages_is_told(
    device: Device, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    python = tmp_path / "bare" / "bin" / "python3"
    code, _, err = conform(tiny_bundle, device.url(str(python)), capsys)
    assert code == 2
    assert "has no NumPy: pip install numpy there" in err
    (numpy,) = tmp_path.glob("bare/lib/python*/site-packages")
    (numpy / "numpy.py").write_text("")
    code, _, err = conform(tiny_bundle, device.url(str(python)), capsys)
    assert code == 2
    assert "has no interpreter: pip install ai-edge-litert" in err


def test_a_file_that_does_not_run_there_is_told_and_the_others_go_on(
    device: Device, tmp_path: Path, tiny_bundle: Path
) -> None:
    broken = tmp_path / "model_int8.tflite"
    broken.write_bytes(b"no model")
    good = tiny_bundle / "model_float32.tflite"
    more = [tiny_bundle / name for name in ("run_on_device.py", "preprocess.json")]
    address = Address.parse(device.url())
    there = remote.run_there(address, [broken, good], more, raw={"x": RAW})
    assert isinstance(there.results[broken.name], str)
    answered: Any = there.results[good.name]
    assert answered.raw.shape == (2, 3)


def slow_bundle(bundle: Path, folder: Path) -> list[Path]:
    """Return what a run needs, with a runner that writes its process id and sleeps."""
    program = folder / "run_on_device.py"
    program.write_text(
        "import os, time\n"
        f"open({str(folder / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(120)\n"
    )
    return [program, bundle / "preprocess.json"]


def wait_for(path: Path) -> int:
    """Return the process id in a file, as soon as it is there."""
    for _ in range(200):
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.1)
    raise AssertionError(f"{path} was never written")


def is_running(process: int) -> bool:
    state = Path(f"/proc/{process}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_ctrl_c_stops_the_device_and_clears_it(
    device: Device, tiny_bundle: Path, tmp_path: Path
) -> None:
    more = [str(path) for path in slow_bundle(tiny_bundle, tmp_path)]
    program = (
        "import numpy as np; from pathlib import Path; from pipeline.device.remote import *;"
        f"run_there(Address.parse({device.url()!r}), [Path({str(more[1])!r})],"
        f"[Path(p) for p in {more!r}], raw={{'x': np.zeros((1, 4), 'f4')}})"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.PIPE)
    there = wait_for(tmp_path / "pid")
    assert is_running(there)
    assert device.left_behind()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert b"KeyboardInterrupt" in said
    for _ in range(100):
        if not is_running(there) and not device.left_behind():
            return
        time.sleep(0.1)
    raise AssertionError("it goes on there")


def test_a_file_that_hangs_there_is_given_up_there(
    device: Device, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "MODEL_LIMIT_S", 2)
    slow = slow_bundle(tiny_bundle, tmp_path)
    there = remote.run_there(Address.parse(device.url()), slow[1:], slow, raw={"x": RAW})
    assert there.results == {"preprocess.json": "it did not finish within 2 s"}
    assert not is_running(wait_for(tmp_path / "pid"))
    assert not device.left_behind()


def test_a_connection_that_hangs_is_given_up_here(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ssh").write_text("#!/bin/sh\nsleep 60\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(remote, "COPY_LIMIT_S", 1)
    monkeypatch.setattr(remote, "MODEL_LIMIT_S", 0)
    files = [tiny_bundle / "model_int8.tflite"]
    with pytest.raises(ConfigError, match="did not finish within 1 s"):
        remote.run_there(Address("board"), files, [], raw={"x": RAW})


def test_a_full_disk_is_told_and_the_folder_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    job = json.dumps({"files": [["in.npz", 9]], "models": [], "limit_s": 1}).encode()
    standard_input: Any = io.TextIOWrapper(io.BytesIO(job + b"\n" + bytes(9)))
    monkeypatch.setattr(sys, "stdin", standard_input)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    full = functools.partial(open, "/dev/full", "wb")
    monkeypatch.setattr(remote_side, "open", lambda *_: full(), raising=False)
    kept = {
        number: signal.getsignal(number)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
    }
    try:
        remote_side.main()
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
    heads = [head for head, _ in frames(io.BytesIO(capfdbinary.readouterr().out))]
    assert [head["kind"] for head in heads] == ["ready", "full"]
    assert "disk is full" in remote.LACKS["full"].format(**heads[-1])
    assert not list(tmp_path.iterdir())


def test_the_other_side_is_python_3_7() -> None:
    import ast

    ast.parse(remote.OTHER_SIDE.read_text(), feature_version=(3, 7))
    assert os.linesep not in remote.BOOTSTRAP
    assert "!" not in remote.BOOTSTRAP
