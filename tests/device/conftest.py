"""An sshd of the test's own on 127.0.0.1: own keys, own configuration, ends with the tests."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.device.tiny import write_bundle

SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
UsePAM no
StrictModes no
AuthorizedKeysFile {folder}/user.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
LogLevel VERBOSE
SetEnv TMPDIR={folder}/there
"""
CLIENT = """
Host *
  IdentityFile {folder}/user
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile {folder}/none
"""


@dataclass(frozen=True)
class Device:
    """Where a test's sshd listens, and the files of its client."""

    folder: Path
    port: int

    def url(self, python: str = sys.executable) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}/{python.lstrip('/')}"

    def left_behind(self) -> list[str]:
        """Return the folders of runs that lie there."""
        return [path.name for path in (self.folder / "there").iterdir()]

    def know_host(self, public_key: Path | None = None) -> None:
        """Write known_hosts; a key of another host where one is given."""
        kind, key = (public_key or self.folder / "host.pub").read_text().split()[:2]
        line = f"[127.0.0.1]:{self.port} {kind} {key}\n"
        (self.folder / "known_hosts").write_text(line)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle of one dense layer."""
    return write_bundle(tmp_path_factory.mktemp("tiny") / "tiny")


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """Run an sshd whose only user is the one who runs the tests."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh") is None:
        pytest.skip("no sshd or ssh here (Debian: apt-get install openssh-server)")
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "user", "other"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(make, check=True)
    (folder / "there").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        device = Device(folder, free.getsockname()[1])
    (folder / "sshd_config").write_text(SSHD.format(folder=folder, port=device.port))
    (folder / "ssh_config").write_text(CLIENT.format(folder=folder))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # an sshd of root wants it
    with (folder / "sshd.log").open("w") as log:
        command = [program, "-D", "-e", "-f", str(folder / "sshd_config")]
        process = subprocess.Popen(command, stderr=log)
    try:
        _wait(device, process)
        yield device
    finally:
        process.terminate()
        process.wait()


def _wait(device: Device, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(100):
        if process.poll() is not None:
            pytest.skip(f"sshd does not run here: {(device.folder / 'sshd.log').read_text()}")
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", device.port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("sshd does not listen")


@pytest.fixture
def device(sshd: Device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """Put an ssh on the PATH that reads the test's own configuration, with the host known."""
    wrapper = tmp_path / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {sshd.folder}/ssh_config "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    sshd.know_host()
    return sshd
