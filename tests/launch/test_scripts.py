"""What is printed for other clusters can be read there, and says what was asked."""

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.cli import main
from pipeline.launch.place import place_here
from tests.conftest import MINIMAL


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "my config's.yaml"
    path.write_text(MINIMAL)
    return path


def printed(capsys: pytest.CaptureFixture[str], config: Path, form: str, *more: str) -> str:
    assert main(["launch", str(config), "--workers", "4", "--print", form, *more]) == 0
    return capsys.readouterr().out


def test_a_slurm_script_is_bash_and_runs_the_same_command(
    capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    text = printed(capsys, config, "slurm", "--set", "train.epochs=3")
    script = tmp_path / "script.sh"
    script.write_text(text)
    checked = subprocess.run(["bash", "-n", str(script)], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "#SBATCH --nodes=4" in text
    # srun is played by a script that notes what it was given, and fails twice before a gate does
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(
        f'#!/bin/bash\nfor one in "$@"; do echo "$one"; done > {tmp_path}/given\n'
        f"echo x >> {tmp_path}/times; [ $(wc -l < {tmp_path}/times) -lt 3 ] && exit 1; exit 3\n"
    )
    srun.chmod(0o755)
    path = f"{srun.parent}:/usr/bin:/bin"
    done = subprocess.run(["bash", str(script)], env={"PATH": path}, check=False)
    assert done.returncode == 3
    given = (tmp_path / "given").read_text().splitlines()
    assert str(config) in given
    assert given[given.index("--set") + 1] == "train.epochs=3"
    assert len((tmp_path / "times").read_text().splitlines()) == 3


def test_a_manifest_gives_each_pod_its_place(
    capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    text = printed(capsys, config, "k8s", "--restarts", "2")
    service, job = YAML(typ="safe").load_all(io.StringIO(text))
    assert service["kind"] == "Service"
    assert service["spec"]["clusterIP"] == "None"
    spec = job["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 4, 4)
    assert spec["backoffLimit"] == 8
    pod = spec["template"]["spec"]
    assert pod["subdomain"] == service["metadata"]["name"]
    (container,) = pod["containers"]
    assert container["command"][:3] == ["edgeline", "run", str(config)]
    environ: dict[str, Any] = {entry["name"]: entry for entry in container["env"]}
    place = place_here({"TF_CONFIG": environ["TF_CONFIG"]["value"].replace("$(PLACE)", "3")})
    assert place is not None
    assert (place.index, place.count) == (3, 4)
    host = f"{job['metadata']['name']}-3.{service['metadata']['name']}"
    assert place.addresses[3] == f"{host}:{container['ports'][0]['containerPort']}"
    assert list(environ) == ["PLACE", "TF_CONFIG"]  # one is used in the other, so it comes first
    json.loads(environ["TF_CONFIG"]["value"].replace("$(PLACE)", "0"))


@pytest.mark.parametrize("workers", ["1", "0", "-2", "two", "1000000"])
def test_a_wrong_number_of_workers_is_refused(
    capsys: pytest.CaptureFixture[str], config: Path, workers: str
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["launch", str(config), "--workers", workers])
    assert left.value.code == 2
    assert "wanted 2 to" in capsys.readouterr().err


def test_what_cannot_be_launched_is_refused_before_anything_starts(
    capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    command = ["launch", str(config), "--workers", "3", "--runs", str(runs)]
    assert main(command) == 2
    assert "data.batch_size" in capsys.readouterr().err
    assert not runs.exists()
