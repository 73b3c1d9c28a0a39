"""What every test needs: the Keras backend, TensorFlow quiet and deterministic, small data sets."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# What a shell runs in the background ignores Ctrl-C, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from pydantic import TypeAdapter

from pipeline.artifacts import Inputs
from pipeline.config.load import load
from pipeline.config.schema import Config, Model, Train
from pipeline.documents.spec import Spec
from pipeline.tasks import TASKS
from tests.generated_sets import generate

# The machine's load decides how long an example takes; it is no property of the code.
settings.register_profile("edgeline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("edgeline")

MINIMAL = """
name: small
task: classification
data: {source: {kind: bundled, name: digits}}
model: {kind: cnn, filters: [4], dense: [8]}
"""


IMAGE = {"name": "image", "shape": [8, 8, 1], "dtype": "float32"}  # of the digits
CONFIGS = Path(__file__).parents[1] / "configs"


def shipped_configs() -> list[Path]:
    """Return the configs that git tracks; without git all. A user's own ones are none of ours."""
    listed = subprocess.run(
        ["git", "ls-files", "*.yaml"], cwd=CONFIGS, capture_output=True, text=True, check=False
    )
    names = listed.stdout.split() or [path.name for path in CONFIGS.glob("*.yaml")]
    return sorted(CONFIGS / name for name in names)


SHIPPED = shipped_configs()


@pytest.fixture(scope="session")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with configs/ and the generated sets that they read in runs/generated/.

    Of the sets that people put into runs/data there are names alone.
    """
    root = tmp_path_factory.mktemp("sets")
    (root / "configs").mkdir()
    for path in (*SHIPPED, CONFIGS / "schema.json"):
        shutil.copyfile(path, root / "configs" / path.name)
    generate(root / "runs" / "generated")
    for config in SHIPPED:
        for place in re.findall(r"\.\./(runs/data/[\w/.-]+)", config.read_text()):
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            if (root / place).suffix or place.endswith("SMSSpamCollection"):
                (root / place).touch()
            else:
                (root / place).mkdir(exist_ok=True)
    return root


@pytest.fixture(scope="session")
def make_config(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Config]:
    """Return a config with some `--set`s; digits and a tiny network unless told otherwise."""

    def make(*overrides: str, text: str = MINIMAL) -> Config:
        path = tmp_path_factory.mktemp("config") / "small.yaml"
        path.write_text(text)
        return load(path, overrides)

    return make


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory, make_config: Callable[..., Config]) -> Any:
    """Return the prepared digits."""
    from pipeline.data.dataset import open_dataset

    folder = tmp_path_factory.mktemp("digits")
    prepare_data(make_config(), folder)
    return open_dataset(folder)


def prepare_data(config: Config, folder: Path, base: Path = Path()) -> None:
    """Run the data stage of a config."""
    from pipeline.data.stage import run

    run(config, Inputs({}, base, base), folder)


def model_settings(**settings: Any) -> dict[str, Any]:
    """Return a `model` section in full, as a spec has it."""
    return TypeAdapter(Model).validate_json(json.dumps(settings)).model_dump(mode="json")


def make_spec(model: dict[str, Any], inputs: Any, output: dict[str, Any], **more: Any) -> Spec:
    """Return the spec of a network from the values of its document; the seed is 1 unless given.

    Args:
        model: the `model` section.
        inputs: of the network.
        output: `task`, of a detector `score`, and how many `units` the only output has.
        more: further fields.
    """
    task, score = output["task"], output.get("score")
    named = {"value": [output.get("units")]} if score else {}
    named |= {made.name: [output["units"]] for made in TASKS[task].outputs}
    if score == "reconstruction":
        named = {"reconstruction": inputs[0]["shape"]}
    outputs = [{"name": n, "shape": shape, "meaning": "tested"} for n, shape in named.items()]
    values = {"seed": 1, "model": model, "inputs": inputs, "task": task, "score": score}
    values |= {"outputs": outputs, **more}
    return Spec.model_validate_json(json.dumps(values))


def loss_of_name(name: str, **settings: Any) -> Any:
    """Return the loss of a config's name, of one target and one output, with its settings."""
    from pipeline.train.losses import LOSSES, without_names

    return without_names(LOSSES[name](Train.model_validate(settings)))


@pytest.fixture
def spec() -> Spec:
    """Return the spec of a tiny digits network with everything that training can upset."""
    model = model_settings(kind="cnn", filters=[4], dense=[8], dropout=0.3)
    return make_spec(model, [IMAGE], {"task": "classification", "units": 10})


COUNTED = ("kills", "faults", "bad inputs", "fuzzed")  # see tests/bench/reliability.py


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> Iterator[Callable[..., None]]:
    """Return what notes how much a test tried: COUNTED, and a number; it stands in JUnit's XML."""
    found: Counter[str] = Counter()

    def count(name: str, number: int = 1) -> None:
        assert name in COUNTED
        found[name] += number

    yield count
    request.node.user_properties += list(found.items())


@pytest.fixture
def rng() -> np.random.Generator:
    """Return a seeded generator."""
    return np.random.default_rng(7)
