"""Every shipped config on generated data goes to its bundle, and the bundle answers its sample."""

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from pipeline.device.predict import predict
from pipeline.device.runtimes import RUNTIMES, why_missing
from pipeline.errors import ArtifactError
from tests.data.conftest import BUNDLED, GENERATED
from tests.e2e.chain import command

UINT8 = ["--set", "export.io=uint8"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "more"), [*((n, []) for n in [*GENERATED, *BUNDLED]), ("machines_csv.yaml", UINT8)]
)
def test_a_shipped_config_ends_with_a_bundle_that_answers(
    sets: Path, tmp_path: Path, name: str, more: list[str]
) -> None:
    wanted = command(sets / "configs" / name, tmp_path, *more)
    done = subprocess.run(wanted, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    bundle = tmp_path / "exported" / name.removesuffix(".yaml")
    manifest = json.loads((bundle / "manifest.json").read_text())
    for row in manifest["preprocess_parity"].values():
        assert row["max_abs_difference"] <= row["tolerance"]
    (sample,) = bundle.glob("sample.*")
    here = {known: row for known, row in RUNTIMES.items() if why_missing(known) is None}
    for runtime in [known for known, row in here.items() if row.reader in (None, "browser")]:
        lacks = runtime == "tflite-micro" and "transformer" in name
        with pytest.raises(ArtifactError, match="no operation GELU") if lacks else nullcontext():
            assert predict(bundle, [sample], runtime=runtime)[0]["decision"] is not None
    if manifest["encoder"] is not None:
        encode = [sys.executable, str(bundle / "run_on_device.py"), "--encode", str(sample)]
        said = subprocess.run(encode, capture_output=True, text=True, check=True).stdout
        assert len(said.split(": ")[1].split()) == manifest["config"]["model"]["code"]
    test = [sys.executable, str(bundle / "run_on_device.py"), "--self-test"]
    assert subprocess.run(test, check=False).returncode == 0
