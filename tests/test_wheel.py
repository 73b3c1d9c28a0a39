"""The wheel: one package, `edgeline`, that works where a folder is called `pipeline`."""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from pipeline.wheel import rename_in
from tests.conftest import MINIMAL
from tests.device.tiny import write_bundle

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
TRAINING = (
    "tensorflow", "keras", "tf_keras", "ai_edge_quantizer", "tensorflow_datasets", "keras_tuner",
    "tensorflow_model_optimization", "ethosu", "grpc", "h5py", "pyarrow", "pydub", "sklearn",
    "scipy", "soundfile", "tensorboard", "threadpoolctl",
)  # fmt: skip
HIDE = f"""
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {TRAINING}:
            raise ModuleNotFoundError("hidden: " + name, name=name)
sys.meta_path.insert(0, Hidden())
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in {TRAINING} else find(name, *rest)
"""
PROGRAM = """
import sys
import numpy as np
import edgeline

bundle = edgeline.load_bundle(sys.argv[1])
with np.load(bundle.path / "golden.npz") as arrays:
    inputs = arrays["input_x"]
rows = bundle.predict(inputs)
assert len(rows) == len(inputs), rows
assert bundle.outputs(inputs)
assert "pipeline" not in sys.modules
print(type(rows).__module__, edgeline.run.__module__)
import pipeline
print(pipeline.OWN)
"""


@pytest.mark.parametrize(
    ("code", "renamed"),
    [
        ("from pipeline.api import run\n", "from edgeline.api import run\n"),
        ("    from pipeline import host\n", "    from edgeline import host\n"),
        ('x = "pipeline.train.stage"\n', 'x = "edgeline.train.stage"\n'),
        ('x = ("pipeline", "pipeline.")\n', 'x = ("edgeline", "edgeline.")\n'),
        (
            "from sklearn.pipeline import pipeline_of\n",
            "from sklearn.pipeline import pipeline_of\n",
        ),
        ('"""The pipeline."""\npipeline = "a pipeline"  # pipeline.api\n', None),
    ],
)
def test_imports_and_names_of_modules_are_renamed_and_nothing_else(
    code: str, renamed: str | None
) -> None:
    assert rename_in(code) == (code if renamed is None else renamed)


def test_an_editable_install_keeps_the_name_that_the_repository_has(tmp_path: Path) -> None:
    """Set-up installs the repository so; the class is called for it, too."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "pipeline").mkdir()
    for name in ("__init__.py", "wheel.py"):
        shutil.copyfile(ROOT / "pipeline" / name, tmp_path / "pipeline" / name)
    build = "import setuptools.build_meta as b; print(b.build_editable('.'))"
    done = subprocess.run(
        [sys.executable, "-c", build], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with ZipFile(tmp_path / done.stdout.splitlines()[-1]) as wheel:
        commands = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
        assert "edgeline = pipeline.cli:main" in wheel.read(commands).decode()


@pytest.mark.parametrize("code", ["import pipeline.api\n", 'f"pipeline.{room}.stage"\n'])
def test_what_cannot_be_renamed_stops_the_build(code: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        rename_in(code)


def test_all_code_can_be_renamed() -> None:
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        compile(rename_in(path.read_text()), str(path), "exec")


def test_every_package_for_training_is_hidden_from_the_core() -> None:
    assert len(EXTRAS["train"]) - 2 == len(TRAINING)  # audioop-lts and importlib_resources


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it where our packages are, and the repository is not."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "pipeline"):
        (source / name).symlink_to(ROOT / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    tops = {name.partition("/")[0] for name in ZipFile(wheel).namelist()}
    assert tops == {"edgeline", wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info"}
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    (own,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (own / "shared.pth").write_text("\n".join(p for p in sys.path if p.endswith("site-packages")))
    put = [
        "--python",
        str(python),
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--ignore-installed",
    ]
    subprocess.run([*pip, *put, str(wheel)], check=True)
    return python


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    """Return a folder of somebody who has a package `pipeline`, too."""
    own = tmp_path / "own"
    (own / "pipeline").mkdir(parents=True)
    (own / "pipeline" / "__init__.py").write_text('OWN = "a stranger\'s"\n')
    write_bundle(own / "tiny")
    (own / "minimal.yaml").write_text(MINIMAL)
    return own


def call(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command without what the tests' own environment says."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(command, cwd=folder, env=plain, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("hide", ["", HIDE], ids=["train", "core"])
def test_a_bundle_predicts_beside_a_package_of_the_same_name(
    python: Path, strange: Path, hide: str
) -> None:
    done = call([str(python), "-c", hide + PROGRAM, "tiny"], strange)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["edgeline.api edgeline.api", "a stranger's"]


@pytest.mark.slow
def test_the_command_works_beside_a_package_of_the_same_name(python: Path, strange: Path) -> None:
    command = str(python.with_name("edgeline"))
    for words in (["show", "tiny"], ["conform", "tiny"], ["config", "validate", "minimal.yaml"]):
        done = call([command, *words], strange)
        assert done.returncode == 0, done.stderr
    done = call(
        [str(python), "-P", "-m", "edgeline", "run", "minimal.yaml", "--until", "build"], strange
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_without_the_packages_for_training_a_run_says_what_to_install(
    python: Path, strange: Path
) -> None:
    program = f"{HIDE}\nfrom edgeline.cli import main\nsys.exit(main(['run', 'minimal.yaml']))"
    done = call([str(python), "-c", program], strange)
    assert (done.returncode, "edgeline[train]" in done.stderr) == (2, True), done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_type_checker_sees_the_types_of_the_wheel(python: Path, strange: Path) -> None:
    (strange / "typed.py").write_text(
        "import edgeline\nreveal_type(edgeline.load_bundle)\nedgeline.run(3)\n"
    )
    mypy = [sys.executable, "-m", "mypy", "--python-executable", str(python), "--config-file="]
    said = call([*mypy, "--follow-imports=silent", "typed.py"], strange).stdout
    assert "-> edgeline.api.Bundle" in said, said
    assert 'has incompatible type "int"' in said, said
