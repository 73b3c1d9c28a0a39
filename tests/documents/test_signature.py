"""A signed bundle names its key; whatever is changed afterwards is refused."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import MANIFEST, read_json, write_json
from pipeline.cli import main
from pipeline.documents.sbom import installed_components
from pipeline.documents.signature import SIGNATURE, fingerprint_of_file, read_signer, sign_manifest
from pipeline.errors import ArtifactError, ConfigError
from tests.device.tiny import INPUTS, seal, write_bundle

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")


def make_key(path: Path, *form: str) -> Path:
    """Write a private key and, beside it, its public one."""
    subprocess.run(["openssl", "genpkey", *form, "-out", path], check=True, capture_output=True)
    public = ["openssl", "pkey", "-in", path, "-pubout", "-out", path.with_suffix(".pub")]
    subprocess.run(public, check=True, capture_output=True)
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "own.pem", "-algorithm", "ed25519")


@pytest.fixture
def signed(tmp_path: Path, key: Path) -> Path:
    bundle = write_bundle(tmp_path / "tiny")
    sign_manifest(bundle, key)
    return bundle


def test_a_signature_names_its_key_and_is_the_same_every_time(signed: Path, key: Path) -> None:
    content = (signed / SIGNATURE).read_bytes()
    assert read_signer(signed) == fingerprint_of_file(key.with_suffix(".pub"))
    sign_manifest(signed, key)
    assert (signed / SIGNATURE).read_bytes() == content


def test_what_was_changed_after_signing_is_refused(signed: Path, tmp_path: Path) -> None:
    seal(signed, read_json(signed / MANIFEST) | {"seed": 7})
    np.save(tmp_path / "x.npy", np.zeros((1, INPUTS), np.float32))
    for command in (
        ["conform", str(signed)],
        ["predict", str(signed), str(tmp_path / "x.npy")],
        ["verify-signature", str(signed)],
    ):
        assert main(command) == 4
    for field in ("signature", "public_key"):
        changed = read_json(signed / SIGNATURE) | {field: "AAAA"}
        write_json(signed / SIGNATURE, changed)
        with pytest.raises(ArtifactError, match="do not use the bundle"):
            read_signer(signed)


def test_programs_say_who_signed(
    signed: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = fingerprint_of_file(key.with_suffix(".pub"))
    other = make_key(tmp_path / "other.pem", "-algorithm", "ed25519").with_suffix(".pub")
    assert main(["verify-signature", str(signed)]) == 0
    assert main(["verify-signature", str(signed), "--key", str(key.with_suffix(".pub"))]) == 0
    assert main(["conform", str(signed)]) == 0
    assert capsys.readouterr().out.count(own) == 3
    assert main(["verify-signature", str(signed), "--key", str(other)]) == 4
    assert main(["verify-signature", str(signed), "--key", str(signed / MANIFEST)]) == 2
    (signed / SIGNATURE).unlink()
    assert main(["verify-signature", str(signed)]) == 4
    assert main(["conform", str(signed)]) == 0
    assert "unsigned" in capsys.readouterr().out


def test_another_kind_of_key_is_refused(signed: Path, tmp_path: Path) -> None:
    wrong = make_key(tmp_path / "p.pem", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    for path in (wrong, tmp_path / "none.pem"):
        with pytest.raises(ConfigError, match=r"export\.sign"):
            sign_manifest(signed, path)


def test_the_bill_of_materials_names_every_package_once() -> None:
    document = installed_components().dump()
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    names = [row["name"].lower() for row in document["components"]]
    assert names == sorted(set(names))
    assert "numpy" in names
    assert all(row["purl"] == row["bom-ref"] for row in document["components"])
    assert document == installed_components().dump()
