"""Every family to full integers: by one of the quantizers, on every runtime, near the model."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.arrays import only
from pipeline.compress.ladder import least_float
from pipeline.device.measure import run_file
from pipeline.device.runtimes import RUNTIMES, why_missing
from pipeline.documents.ladder import MadeFile, Refusal
from pipeline.documents.recipe import Quantizer
from pipeline.errors import ArtifactError, ConversionError
from pipeline.export.compilers import compile_for
from pipeline.export.inspect import inspect, operations
from pipeline.models.describe import place_operations
from pipeline.models.save import load_keras
from pipeline.targets.placement import place
from pipeline.worker import client
from pipeline.worker.client import request
from tests.conftest import model_settings
from tests.documents.preprocess import preprocess_of
from tests.export.conftest import CNN, TABLE, Made, make

FUNNEL = {"first": 16, "last": 4, "layers": 3}
SERIES = {
    "inputs": [{"name": "series", "shape": [12, 3], "dtype": "float32"}],
    "output": {"task": "classification", "units": 4},
}
TEXT = SERIES | {
    "inputs": [{"name": "text", "shape": [12], "dtype": "int32", "vocabulary": 20, "pool": "mean"}],
}
AGAIN = {"output": {"task": "anomaly", "score": "reconstruction"}}
FAMILIES = {
    name: source | {"model": model_settings(**settings)}
    for name, (source, settings) in {
        "perceptron table": (TABLE, {"kind": "perceptron"}),
        "perceptron image": (CNN, {"kind": "perceptron"}),
        "mlp gelu": (TABLE, {"kind": "mlp", "activation": "gelu", "units": FUNNEL}),
        "mlp hard_swish": (TABLE, {"kind": "mlp", "activation": "hard_swish", "input_norm": True}),
        "mlp leaky_relu": (
            TABLE,
            {"kind": "mlp", "activation": "leaky_relu", "initializer": "glorot"},
        ),
        "ds_cnn": (CNN, {"kind": "ds_cnn", "filters": 8, "blocks": 2}),
        "resnet8": (CNN, {"kind": "resnet8", "filters": [4, 8, 12]}),
        "mobilenet": (CNN, {"kind": "mobilenet", "blocks": 5}),
        "cnn1d series": (SERIES, {"kind": "cnn1d", "filters": [8]}),
        "cnn1d text": (TEXT, {"kind": "cnn1d", "filters": [8], "head": "mean"}),
        "lstm stacked": (SERIES, {"kind": "rnn", "cell": "lstm", "units": [8, 6]}),
        "lstm bidirectional": (
            SERIES,
            {"kind": "rnn", "cell": "lstm", "units": [8], "direction": "bidirectional"},
        ),
        "lstm text backward": (
            TEXT,
            {"kind": "rnn", "cell": "lstm", "units": [8], "direction": "backward"},
        ),
        "gru bidirectional": (
            SERIES,
            {"kind": "rnn", "cell": "gru", "units": [8], "direction": "bidirectional"},
        ),
        "gru text backward": (
            TEXT,
            {"kind": "rnn", "cell": "gru", "units": [8], "direction": "backward"},
        ),
        "simple rnn image": (CNN, {"kind": "rnn", "cell": "simple", "units": [8]}),
        "transformer series": (SERIES, {"kind": "transformer", "width": 8, "heads": 2}),
        "transformer text": (TEXT, {"kind": "transformer", "width": 8, "heads": 2, "blocks": 1}),
        "transformer image": (CNN, {"kind": "transformer", "width": 8, "heads": 2, "patch": 4}),
        "autoencoder dense": (
            TABLE | AGAIN,
            {"kind": "autoencoder", "form": "dense", "units": [8]},
        ),
        "autoencoder conv image": (
            CNN | AGAIN,
            {"kind": "autoencoder", "form": "conv", "filters": [4, 6, 8]},
        ),
        "autoencoder conv series": (
            SERIES | AGAIN,
            {"kind": "autoencoder", "form": "conv", "filters": [4, 6, 8]},
        ),
        "autoencoder recurrent": (
            SERIES | AGAIN,
            {"kind": "autoencoder", "form": "recurrent", "units": [6]},
        ),
        "autoencoder batch_norm": (
            TABLE | AGAIN,
            {"kind": "autoencoder", "units": [8], "batch_norm": True, "code_activation": True},
        ),
    }.items()
}
WORDS = next(name for name, spec in FAMILIES.items() if spec["inputs"] == TEXT["inputs"])
NOT_ON_MICRO = {  # family -> what tflite-micro says
    "mlp gelu": "no operation GELU",
    "transformer series": "no operation GELU",
    "transformer text": "no operation GELU",
    "transformer image": "no operation GELU",
    "autoencoder conv series": "CONCATENATION .*: num_inputs",
}
SLOW = {
    "resnet8",
    "lstm stacked",
    "lstm bidirectional",
    "gru bidirectional",
    "gru text backward",
    "transformer text",
    "transformer image",
    "autoencoder conv image",
    "autoencoder conv series",
    "autoencoder recurrent",
}
FLOAT = 1e-5  # largest difference of the float file's answers
# Mean difference of the int8 file's answers, as a share of their spread, which is small before
# training; most lie below 0.015, a MobileNet's at 0.047.
LIMIT = 0.05


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Made]]:
    """Name -> untrained model."""
    root = tmp_path_factory.mktemp("families")
    yield {name: make(spec, root / name, uneven=0.02) for name, spec in FAMILIES.items()}
    client.stop()


def int8_file(made: Made) -> Path:
    """Return the int8 file by the quantizer that the ladder chooses."""

    def attempt(rung: str, quantizer: Quantizer) -> MadeFile | Refusal:
        try:
            file = made.file("int8", name=f"{quantizer}.tflite", quantizer=quantizer)
            run_file(file, preprocess_of([]), made.inputs, prepared=True)
        except (ConversionError, ArtifactError) as error:
            return Refusal(quantizer=quantizer, refused=str(error))
        left = inspect(file, "int8").float_ops_left
        return MadeFile(quantizer=quantizer, float_ops=len(left))

    found = least_float("int8", attempt)
    assert isinstance(found, MadeFile), found
    assert found.float_ops == 0
    return made.folder / f"{found.quantizer}.tflite"


def _slow(name: str) -> bool:
    """Tell whether a family converts for long, and another of its kind is quick."""
    return name in SLOW


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * _slow(n)) for n in FAMILIES]
)
def test_a_family_is_whole_integers_on_every_runtime(families: dict[str, Made], name: str) -> None:
    made = families[name]
    raw = {"preprocess": preprocess_of([]), "raw": made.inputs, "prepared": True}
    exact = only(run_file(made.file("float32"), **raw).outputs)
    assert np.abs(exact - made.reference).max() <= FLOAT
    file = int8_file(made)
    fused = "UNIDIRECTIONAL_SEQUENCE_LSTM" in inspect(file, "int8").ops
    assert fused == ("lstm" in name or "recurrent" in name)
    spread = float(np.ptp(made.reference))
    for runtime in [
        known
        for known, row in RUNTIMES.items()
        if why_missing(known) is None and row.reader is None
    ]:
        if runtime == "tflite-micro" and name in NOT_ON_MICRO:
            with pytest.raises(ArtifactError, match=NOT_ON_MICRO[name]):
                run_file(file, runtime=runtime, **raw)
            continue
        found = only(run_file(file, runtime=runtime, **raw).outputs)
        assert np.abs(found - made.reference).mean() <= LIMIT * spread


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_has_the_same_bits_in_a_browser(families: dict[str, Made], name: str) -> None:
    if why_missing("browser") is not None:
        pytest.skip(str(why_missing("browser")))
    made = families[name]
    raw = {"preprocess": preprocess_of([]), "raw": made.inputs, "prepared": True}
    file = int8_file(made)
    if "UNIDIRECTIONAL_SEQUENCE_LSTM" in inspect(file, "int8").ops:
        with pytest.raises(ArtifactError, match="browser: Variable tensors not yet supported"):
            run_file(file, runtime="browser", **raw)
        return
    here, there = (run_file(file, runtime=runtime, **raw) for runtime in ("litert", "browser"))
    np.testing.assert_array_equal(only(there.raw_outputs), only(here.raw_outputs))
    file = made.file("float32")
    here, there = (run_file(file, runtime=runtime, **raw) for runtime in ("litert", "browser"))
    assert np.abs(only(there.outputs) - only(here.outputs)).max() <= FLOAT


def test_a_file_is_tried_with_words_that_are_there(families: dict[str, Made]) -> None:
    """What lies in a fresh buffer is no word: looking it up would fail."""
    for _ in range(3):
        request("try_once", file=str(families[WORDS].file("float32")))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * _slow(n)) for n in FAMILIES]
)
def test_the_rules_before_training_say_what_the_compilers_do(
    families: dict[str, Made], name: str, tmp_path: Path
) -> None:
    """Whether all runs on an Ethos-U, and what ends the part of it that runs on an Edge TPU."""
    made = families[name]
    file, model = int8_file(made), load_keras(made.folder / "model.keras")
    compiled = compile_for("ethos-u55-128", file, tmp_path, skipped={})
    foreseen = place_operations(model, "ethos-u55-128")
    assert (compiled.cpu_ops == 0) == all(row.where == "npu" for row in foreseen)
    by_layers = [row.op for row in place_operations(model, "coral-edgetpu") if row.why]
    by_file = [row.op for row in place(operations(file), "coral-edgetpu") if row.why]
    assert by_layers == by_file
