"""Who signed a bundle: ed25519 over manifest.json, whose hashes cover every other file.

The signature lies beside the manifest with the public key. It says that the holder of that key made
the bundle; who that is, `edgeline verify-signature --key` says. The program openssl computes.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.artifacts import MANIFEST
from pipeline.documents.record import Record
from pipeline.errors import ArtifactError, ConfigError

SIGNATURE = "signature.json"
ED25519 = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: what stands before the 32 bytes
PASSWORD = "EDGELINE_SIGN_PASSWORD"  # environment variable
TIME_LIMIT_S = 30


class Signature(Record):
    """Contents of a bundle's signature.json."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    """Version of this document's form."""
    algorithm: Literal["ed25519"] = "ed25519"
    """RFC 8032, over the bytes of manifest.json."""
    public_key: str
    """In DER, as base64."""
    signature: str
    """64 bytes, as base64."""


def sign_manifest(bundle: Path, key: Path) -> None:
    """Write signature.json beside a bundle's manifest.

    Args:
        bundle: its folder.
        key: an ed25519 private key in PEM; EDGELINE_SIGN_PASSWORD opens it where it is encrypted.

    Raises:
        ConfigError: there is no such key, or openssl is missing or refuses it.
    """
    if not key.is_file():
        raise ConfigError(
            f"export.sign: no such file: {key}; openssl genpkey -algorithm ed25519 -out KEY "
            "makes one"
        )
    phrase = f"env:{PASSWORD}" if PASSWORD in os.environ else "pass:"
    own = ["-in", str(key), "-passin", phrase]
    public = _openssl("pkey", *own, "-pubout", "-outform", "DER")
    if public is None or not public.startswith(ED25519):
        raise ConfigError(f"export.sign: {key}: wanted an ed25519 private key in PEM")
    sign = ["pkeyutl", "-sign", "-rawin", "-inkey", str(key), "-passin", phrase]
    signed = _openssl(*sign, "-in", str(bundle / MANIFEST))
    if signed is None:
        raise ConfigError(f"export.sign: {key}: openssl does not sign with it; wanted 3.0 or newer")
    Signature(
        public_key=base64.b64encode(public).decode(), signature=base64.b64encode(signed).decode()
    ).write(bundle / SIGNATURE)


def read_signer(bundle: Path) -> str | None:
    """Return the fingerprint of the key that signed a bundle; None: it is unsigned.

    Raises:
        ArtifactError: the signature is not one of this manifest.
        ConfigError: openssl is not installed.
    """
    if not (bundle / SIGNATURE).is_file():
        return None
    found = Signature.read(bundle / SIGNATURE)
    wrong = f"{bundle / SIGNATURE}: not a signature of {MANIFEST}; do not use the bundle"
    try:
        public = base64.b64decode(found.public_key, validate=True)
        signed = base64.b64decode(found.signature, validate=True)
    except ValueError:
        raise ArtifactError(wrong) from None
    if not public.startswith(ED25519) or len(public) != len(ED25519) + 32:
        raise ArtifactError(wrong)
    with tempfile.TemporaryDirectory(prefix="edgeline_") as name:
        folder = Path(name)
        (folder / "key").write_bytes(public)
        (folder / "signature").write_bytes(signed)
        verify = ["pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER"]
        files = ["-inkey", str(folder / "key"), "-sigfile", str(folder / "signature")]
        if _openssl(*verify, *files, "-in", str(bundle / MANIFEST)) is None:
            raise ArtifactError(wrong)
    return fingerprint(public)


def fingerprint(public: bytes) -> str:
    """Return what names a public key (DER): SHA256 and its hash, as ssh writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")


def fingerprint_of_file(key: Path) -> str:
    """Return the fingerprint of a public key in PEM.

    Raises:
        ConfigError: it is none.
    """
    public = _openssl("pkey", "-pubin", "-in", str(key), "-outform", "DER")
    if public is None:
        raise ConfigError(
            f"--key {key}: wanted a public key in PEM: openssl pkey -in KEY -pubout -out PUBLIC"
        )
    return fingerprint(public)


def describe_signer(bundle: Path) -> str:
    """Return who signed a bundle, in words."""
    signer = read_signer(bundle)
    return "unsigned" if signer is None else f"signed by {signer}"


def _openssl(*arguments: str) -> bytes | None:
    """Return what openssl writes; None where it refuses."""
    program = shutil.which("openssl")
    if program is None:
        raise ConfigError("no openssl on the PATH, which signs (Debian: apt-get install openssl)")
    done = subprocess.run(
        [program, *arguments],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    return done.stdout if done.returncode == 0 else None
