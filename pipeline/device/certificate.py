"""A certificate for one address, signed by itself, made by openssl and gone with its folder."""

import shutil
import subprocess
from pathlib import Path

from pipeline.errors import ConfigError

DAYS = 30  # it serves one demo; phones refuse more than 825
LIMIT_S = 60


def make_certificate(folder: Path, address: str) -> tuple[Path, Path, str]:
    """Return the paths of a certificate and its key, and its SHA-256 fingerprint.

    Args:
        folder: where they are written.
        address: the IP address that it is for.

    Raises:
        ConfigError: openssl is not installed, or fails; says what to do.
    """
    program = shutil.which("openssl")
    if program is None:
        raise ConfigError(
            "--lan: no openssl on the PATH, which makes the certificate (Debian: apt-get install "
            "openssl); without --lan the page is served only to this machine"
        )
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    key.touch(mode=0o600)
    command = [
        program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
        "-nodes", "-sha256", "-days", str(DAYS), "-subj", "/CN=Edgeline demo",
        "-addext", f"subjectAltName=IP:{address}", "-addext", "extendedKeyUsage=serverAuth",
        "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip
    _run(command)
    shown = [program, "x509", "-in", str(certificate), "-noout", "-fingerprint", "-sha256"]
    return certificate, key, _run(shown).strip().rpartition("=")[2]


def _run(command: list[str]) -> str:
    """Return what openssl prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    except subprocess.SubprocessError as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
        raise ConfigError(
            f"--lan: openssl made no certificate: {said}; wanted 1.1.1 or newer"
        ) from None
    return done.stdout
