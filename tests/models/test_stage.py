"""What `build` says of a dataset: the spec, or why the model does not go with it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts import Inputs
from pipeline.config.load import load
from pipeline.config.schema import Config
from pipeline.documents.spec import Spec
from pipeline.errors import ConfigError
from pipeline.models.stage import run
from tests.conftest import prepare_data

WINE = """
name: wine
task: anomaly
data: {source: {kind: bundled, name: wine}, normal: [class_0, class_1]}
model: {kind: autoencoder, units: [8], code: 2}
"""


def built(config: Config, folder: Path) -> Spec:
    """Prepare the data, build, and return spec.json."""
    data, out = folder / "data", folder / "build"
    for made in (data, out):
        made.mkdir()
    prepare_data(config, data)
    run(config, Inputs({"dataset": data}, folder, folder), out)
    return Spec.read(out / "spec.json")


def test_an_autoencoder_reconstructs_input(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    spec = built(make_config(text=WINE), tmp_path)
    (output,) = spec.outputs
    assert (spec.task, spec.score) == ("anomaly", "reconstruction")
    assert (output.name, output.shape) == ("reconstruction", (13,))
    assert spec.inputs[0].shape == (13,)


def test_a_forecaster_does_not_see_the_last_step(sets: Path, tmp_path: Path) -> None:
    config = load(sets / "configs" / "sensors_forecaster.yaml", [])
    data, out = tmp_path / "data", tmp_path / "build"
    for made in (data, out):
        made.mkdir()
    prepare_data(config, data, sets / "configs")
    run(config, Inputs({"dataset": data}, tmp_path, tmp_path), out)
    spec = Spec.read(out / "spec.json")
    assert spec.inputs[0].shape == (23, 1)
    (output,) = spec.outputs
    assert (spec.task, spec.score) == ("anomaly", "forecast")
    assert (output.name, output.shape) == ("value", (1,))


@pytest.mark.parametrize(
    ("task", "model", "message"),
    [
        ("anomaly", "{kind: mlp}", r"finds anomalies by a forecast, in series; input .* \[4\]"),
        ("classification", "{kind: rnn}", "does not fit the input .*wanted a series"),
        ("classification", "{kind: resnet8}", "does not fit the input .*wanted one picture"),
        ("anomaly", "{kind: autoencoder, form: recurrent}", "a recurrent autoencoder wanted a"),
    ],
)
def test_a_model_that_does_not_go_with_the_arrays_is_refused(
    make_config: Callable[..., Config], tmp_path: Path, task: str, model: str, message: str
) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", x=rng.normal(size=(60, 4)), y=np.arange(60) % 2)
    text = f"""
name: arrays
task: {task}
data: {{source: {{kind: npz, path: {tmp_path}/a.npz}}, normal: ["0"]}}
model: {model}
"""
    with pytest.raises(ConfigError, match=message):
        built(make_config(text=text), tmp_path)


def test_limits_that_cannot_hold_are_told_before_training(
    make_config: Callable[..., Config], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked = "gate={bytes: 100, arena_bytes: 16}", "verify.runtimes=[tflite-micro]"
    built(make_config(*asked, text=WINE), tmp_path)
    warned = [record.getMessage() for record in caplog.records]
    assert [words for words in warned if "gate.bytes: the weights alone take" in words]
    assert [words for words in warned if "gate.arena_bytes: the activations alone" in words]


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_what_a_microcontroller_has_not_is_told_before_training(
    make_config: Callable[..., Config],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    activation: str,
) -> None:
    text = WINE.replace("units: [8]", f"units: [8], activation: {activation}")
    built(make_config("export.targets=[mcu]", text=text), tmp_path)
    warned = [words for words in caplog.messages if "mcu: nothing runs GELU" in words]
    assert bool(warned) == (activation == "gelu")


CLASSES = """
name: sorted
task: classification
task_metric: auc
data: {source: {kind: bundled, name: SET}}
model: {kind: mlp, units: [8]}
"""


def test_a_metric_that_the_classes_do_not_have_is_refused_before_training(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    two = make_config(text=CLASSES.replace("SET", "breast_cancer"))
    assert built(two, tmp_path).task == "classification"
    three = make_config(text=CLASSES.replace("SET", "wine"))
    (tmp_path / "wine").mkdir()
    with pytest.raises(ConfigError, match="auc is for two classes, and there are 3"):
        built(three, tmp_path / "wine")
    with pytest.raises(ConfigError, match="task_metric: is for classification"):
        make_config(text=WINE + "task_metric: macro_f1\n")
