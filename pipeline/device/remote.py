"""Run files on a device over ssh: copy what is needed, run, bring back, leave nothing behind.

One connection by the system's OpenSSH, which asks nothing (BatchMode) and checks host keys. The
device needs a Python with NumPy and an interpreter. What runs there is remote_side.py, which is
sent as text and removes its folder on every way out, also when this side is gone.
"""

import contextlib
import io
import json
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.arrays import Array, Arrays
from pipeline.artifacts import write_arrays
from pipeline.device.measure import read_outputs
from pipeline.errors import ConfigError
from pipeline.ondevice.main import RAW

log = logging.getLogger(__name__)

OTHER_SIDE = Path(__file__).with_name("remote_side.py")
MARK = b"EDGELINE "
OPTIONS = (
    "BatchMode=yes", "StrictHostKeyChecking=yes", "ConnectTimeout=15", "ServerAliveInterval=15",
    "ServerAliveCountMax=4", "ClearAllForwardings=yes", "ForwardAgent=no", "RequestTTY=no",
    "PermitLocalCommand=no", "RemoteCommand=none", "LogLevel=ERROR",
)  # fmt: skip
MODEL_LIMIT_S = 300  # that a file may take over all golden samples, there
COPY_LIMIT_S = 300  # for the connection and the copies
MOST_BYTES = 1 << 28  # of one file's outputs
SLOWEST = 50_000  # bytes/s of a connection that is waited for
KINDS = ("ready", "answers", "refused", "done", "lacks", "full", "failed")  # of frames
LACKS = {  # kind of a frame -> what to do
    "lacks": "its {python} has no {what}: pip install {cure} there, or name another Python",
    "full": "its disk is full ({folder}): make room there",
    "failed": "{what}",
}
CURES = {  # message of ssh, the first that matches -> what to do
    "REMOTE HOST IDENTIFICATION HAS CHANGED": "its host key is another one than in known_hosts: "
    "another machine is there, or it was set up anew. Only if you know why: "
    "ssh-keygen -R '{known}', then connect once by {ssh} and compare the fingerprint",
    "host key is known|Host key verification failed": "its host key is not known here: connect "
    "once by {ssh} and compare the fingerprint before you say yes",
    r"Permission denied \(|Too many authentication failures": "none of your keys is accepted: "
    "{ssh_copy_id} puts one there; one with a passphrase has to be in ssh-agent",
    "Could not resolve hostname": "no such host: check the name",
    "Connection refused": "no reply there: check the port, and that sshd runs",
    "timed out|No route to host|Network is unreachable": "it cannot be reached: check that it is "
    "switched on and in this network",
    "EDGELINE-OLD": "its {python} is older than 3.7: name another, ssh://…/path/to/python",
    "not found|No such file|not recognized|no such|Permission denied": "no {python} there that "
    "runs: install it, or name another, ssh://…/path/to/python",
}
URL = (
    r"ssh://((?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@)?"
    r"(?P<host>[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])"
    r"(:(?P<port>[0-9]{1,5}))?(?P<python>(/[A-Za-z0-9_.][A-Za-z0-9_.+-]*)+)?/?"
)
# Runs what comes first by standard input; one line without `!`, so that every shell takes it.
BOOTSTRAP = (
    "import sys; sys.version_info < (3, 7) and sys.exit('EDGELINE-OLD ' + sys.version.split()[0]); "
    "exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"
)


@dataclass(frozen=True)
class Address:
    """A device, as ssh knows it."""

    host: str
    user: str | None = None
    port: int | None = None
    python: str = "python3"

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Return the parts of ssh://user@host:port/python, of which only the host is required.

        Raises:
            ConfigError: it is no such address.
        """
        found = re.fullmatch(URL, url)
        port = int(found["port"]) if found and found["port"] else None
        if found is None or port == 0 or (port or 0) > 65535:
            secret = " Passwords are not supported: ssh-copy-id puts a key there once."
            raise ConfigError(
                f"--device {url}: wanted ssh://user@host:port, and where Python is not found there "
                f"/its/path behind it.{secret if re.match('ssh://[^@/]*:[^@/]*@', url) else ''}"
            )
        # A single word is looked up on the device's PATH; a longer path starts at its root.
        python = (found["python"] or "/python3").removeprefix("/")
        python = f"/{python}" if "/" in python else python
        return cls(found["host"].strip("[]"), found["user"], port, python)

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"{user}{self.host}" + (f":{self.port}" if self.port else "")

    def ssh(self, program: str = "ssh") -> str:
        """Return what a person types to get there."""
        port = f"-p {self.port} " if self.port else ""
        return (
            f"{program} {port}{self.user}@{self.host}"
            if self.user
            else f"{program} {port}{self.host}"
        )

    def command(self) -> list[str]:
        """Return the command that runs Python there."""
        options = [word for option in OPTIONS for word in ("-o", option)]
        options += ["-p", str(self.port)] if self.port else []
        options += ["-l", self.user] if self.user else []
        program = f"{shlex.quote(self.python)} -c {shlex.quote(BOOTSTRAP)}"
        return ["ssh", "-T", *options, "--", self.host, program]


@dataclass(frozen=True)
class Ran:
    """The outputs of a file there."""

    raw: Arrays
    """Outputs of the file: name -> (N, ...)."""
    runtime: str
    version: str
    seconds: float


@dataclass
class There:
    """What came back from a device."""

    machine: str = "unknown"
    results: dict[str, Ran | str] = field(default_factory=dict)
    """Model -> its outputs, or why it does not run."""


def run_there(
    address: Address, models: Sequence[Path], more: Sequence[Path], *, raw: Mapping[str, Array]
) -> There:
    """Run models over raw samples on a device, a sample a call.

    Args:
        address: of the device.
        models: .tflite files.
        more: what they need there: run_on_device.py and preprocess.json.
        raw: name -> raw samples (N, ...).

    Raises:
        ConfigError: the device cannot be reached, or lacks something; says what to do.
    """
    if shutil.which("ssh") is None:
        raise ConfigError("--device: no ssh on the PATH (Debian: apt-get install openssh-client)")
    with tempfile.TemporaryDirectory(prefix="edgeline_") as name, tempfile.TemporaryFile() as said:
        inputs = Path(name) / "in.npz"
        write_arrays(inputs, raw)
        files = [*more, inputs, *models]
        limit_s = _limit_s(files, len(models))
        began = time.monotonic()
        with _ssh(address, said, limit_s) as process:
            found, problem = _talk(process, files, [path.name for path in models])
        if found is not None:
            return found
        is_late = time.monotonic() - began >= limit_s
        said.seek(0)
        words = f"it did not finish within {limit_s:.0f} s" if is_late else said.read().decode()
    raise ConfigError(f"--device {address}: {problem or explain(address, words)}")


@contextlib.contextmanager
def _ssh(address: Address, said: IO[bytes], limit_s: float) -> Iterator["subprocess.Popen[bytes]"]:
    """Run ssh while the block runs, and no longer than the limit."""
    process = subprocess.Popen(
        address.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
        env=os.environ | {"LC_ALL": "C"}, start_new_session=True,
    )  # fmt: skip
    timer = threading.Timer(limit_s, _end, [process])
    timer.start()
    try:
        yield process
    finally:
        timer.cancel()
        _end(process)  # the other side notices, stops and clears up
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        process.wait()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End ssh with what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _limit_s(files: Sequence[Path], models: int) -> float:
    size = sum(path.stat().st_size for path in files)
    return COPY_LIMIT_S + size / SLOWEST + MODEL_LIMIT_S * models


def _talk(
    process: "subprocess.Popen[bytes]", files: Sequence[Path], models: Sequence[str]
) -> tuple[There | None, str | None]:
    """Send everything, receive every frame; return the results, or the files missing there."""
    assert process.stdin is not None
    assert process.stdout is not None
    source = OTHER_SIDE.read_bytes()
    described = [(path.name, path.stat().st_size) for path in files]
    job = {"files": described, "models": models, "limit_s": MODEL_LIMIT_S}
    with contextlib.suppress(BrokenPipeError):  # it has ended, and its words say why
        process.stdin.write(b"%d\n" % len(source) + source + json.dumps(job).encode() + b"\n")
        for path in files:
            process.stdin.write(path.read_bytes())
        process.stdin.flush()
    there = There()
    for head, content in frames(process.stdout):
        kind, model = head.get("kind", ""), head.get("model", "")
        if kind == "ready":
            there.machine = head.get("machine", "")
        elif kind == "answers":
            there.results[model] = parse_outputs(content)
            log.info("          %s ran there", model)
        elif kind == "refused":
            there.results[model] = head.get("what", "").removeprefix("error: ")
        elif kind == "done":
            return there, None
        else:
            return None, LACKS[kind].format(**head)
    return None, None


def frames(stream: IO[bytes]) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield head and bytes of each frame; what a login script says in between is passed over."""
    for line in iter(stream.readline, b""):
        if not line.startswith(MARK):
            continue
        try:
            head = json.loads(line[len(MARK) :])
            kind, size = head["kind"], int(head["bytes"])
        except (ValueError, KeyError, TypeError):
            continue
        if kind not in KINDS:
            continue
        content = stream.read(min(size, MOST_BYTES))
        if len(content) < size:
            return
        yield head, content


def parse_outputs(content: bytes) -> Ran | str:
    """Return the outputs that a runner wrote; a message, where they cannot be read."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            return Ran(
                read_outputs(found, RAW),
                str(found["runtime"]),
                str(found["version"]),
                float(found["seconds"]),
            )
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        return f"its outputs cannot be read: {error}"


def explain(address: Address, words: str) -> str:
    """Return what to do about the last message of ssh, or of the shell there."""
    for pattern, cure in CURES.items():
        if re.search(pattern, words):
            return cure.format(
                python=address.python,
                ssh=address.ssh(),
                ssh_copy_id=address.ssh("ssh-copy-id"),
                known=f"[{address.host}]:{address.port}" if address.port else address.host,
            )
    last = words.strip().splitlines()[-1:] or ["the connection ended without a word"]
    return f"{last[0]}; try: {address.ssh()}"
