"""Files of every format: they answer as the model, in the types asked for, in the same bytes."""

from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.arrays import only
from pipeline.compress.ladder import MODEL, RUNGS
from pipeline.errors import ArtifactError
from pipeline.export.compilers import compile_for
from pipeline.export.equalize import Graph
from pipeline.export.inspect import inspect
from pipeline.targets.registry import TARGETS
from pipeline.tasks.metrics import sqnr_db
from pipeline.worker import client
from tests.export.conftest import CNN, SPECS, Made, make, make_given

FORMATS = ("float32", "float16", "dynamic", "int8", "int16x8")
# Largest difference of an output from Keras', as a share of the outputs' range; measured, doubled.
TOLERANCES = {"float32": 1e-5, "float16": 0.005, "dynamic": 0.05, "int8": 0.05, "int16x8": 0.02}


def run(file: Path, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return raw and real outputs."""
    from pipeline.ondevice.interpreter import invoke_model, load_interpreter
    from pipeline.ondevice.quantize import dequantize

    interpreter = load_interpreter(file)[0]
    raw = only(invoke_model(interpreter, inputs, 1))
    return raw, dequantize(raw, interpreter.get_output_details()[0])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", SPECS)
def test_a_file_answers_as_the_model(models: dict[str, Made], name: str, form: str) -> None:
    made = models[name]
    file = made.file(form)
    _, outputs = run(file, made.inputs)
    spread = np.ptp(made.reference) or 1.0
    assert np.abs(outputs - made.reference).max() <= TOLERANCES[form] * max(spread, 1.0)
    assert inspect(file, form).float_ops_left == ()


def test_pixels_have_an_integer_each_also_where_no_sample_is_white(models: dict[str, Made]) -> None:
    known = models["cnn"].file("int8", name="known.tflite", input_ranges={"image": [0.0, 1.0]})
    border = inspect(known, "int8").input
    assert border.scale == pytest.approx(1 / 255, rel=1e-6)
    assert border.zero_point == -128
    measured = inspect(models["cnn"].file("int8"), "int8").input
    assert measured.scale < 0.71 / 255


def test_uint8_borders_hold_the_same_weights_and_answers(models: dict[str, Made]) -> None:
    for name in ("cnn", "two", "words"):
        made = models[name]
        plain, _ = run(made.file("int8"), made.inputs)
        moved, _ = run(made.file("int8", io="uint8"), made.inputs)
        assert moved.dtype == np.uint8
        assert (moved.astype(int) == plain.astype(int) + 128).all()
        rows = inspect(made.file("int8", io="uint8"), "int8")
        found = {row.name: row.dtype for row in rows.inputs}
        assert rows.output.dtype == "uint8"
        assert set(found) == set(made.inputs)
        for key, values in made.inputs.items():
            assert found[key] == ("int32" if values.dtype == np.int32 else "uint8")


@pytest.mark.parametrize("form", ["int8", "int16x8"])
def test_float_borders_compute_in_integers_within(models: dict[str, Made], form: str) -> None:
    made = models["cnn"]
    found = inspect(made.file(form, io="float32"), form)
    assert (found.input.dtype, found.output.dtype) == ("float32", "float32")
    assert found.ops["QUANTIZE"] == found.ops["DEQUANTIZE"] == 1
    assert found.float_ops_left == ()
    _, outputs = run(made.file(form, io="float32"), made.inputs)
    assert (outputs == run(made.file(form), made.inputs)[1]).mean() > 0.95


@pytest.mark.parametrize("io", ["int8", "uint8"])
def test_int16x8_has_int16_borders_where_integers_are_asked_for(
    models: dict[str, Made], io: str
) -> None:
    found = inspect(models["table"].file("int16x8", io=io), "int16x8")
    assert (found.input.dtype, found.output.dtype) == ("int16", "int16")


def test_clipping_changes_inner_ranges_only(models: dict[str, Made]) -> None:
    made = models["cnn"]
    full, cut = (
        inspect(made.file("int8", clipping=clipping), "int8") for clipping in ("min_max", "mse")
    )
    assert full.output == cut.output
    assert (run(made.file("int8", clipping="mse"), made.inputs)[1].argmax(1) >= 0).all()


def test_ranges_that_are_powers_of_two_start_in_16_bits_too(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(4, 3, padding="same"), keras.layers.Flatten()]
    layers += [keras.layers.Dense(3, activation="softmax")]
    net = keras.Sequential([keras.Input((6, 6, 1)), *layers])
    samples = np.linspace(0, 1, 36 * 32, dtype=np.float32).reshape(32, 6, 6, 1)
    made = make_given(net, tmp_path / "net", {"x": samples}, scale=2.0, offset=-1.0)
    file = made.file("int16x8", input_ranges={"x": [0.0, 1.0]})
    assert sqnr_db(made.reference, run(file, made.inputs)[1]) > 50


def test_another_models_spec_is_refused(models: dict[str, Made], tmp_path: Path) -> None:
    other = models["strided"].folder
    with pytest.raises(ArtifactError, match=r"not the model of spec\.json.*dense_1"):
        client.request(
            "float_file",
            model=str(models["cnn"].folder / "model.keras"),
            spec=str(other / "spec.json"),
            out=str(tmp_path / "x.tflite"),
        )


def again(made: Made, tmp_path: Path) -> dict[str, bytes]:
    """Make every file anew."""
    tmp_path.mkdir()
    for name in ("model.keras", "spec.json", "calibration.npz"):
        (tmp_path / name).write_bytes((made.folder / name).read_bytes())
    fresh = Made(tmp_path, made.inputs, made.reference)
    return {form: fresh.file(form).read_bytes() for form in FORMATS}


@pytest.mark.slow
def test_bytes_do_not_depend_on_what_was_converted_before(
    models: dict[str, Made], tmp_path: Path
) -> None:
    client.stop()
    first = again(models["table"], tmp_path / "a")
    client.stop()  # which keeps what it made, for who asks for the same again
    again(models["strided"], tmp_path / "b")
    assert again(models["table"], tmp_path / "c") == first


@pytest.mark.slow
def test_bytes_do_not_depend_on_the_process(models: dict[str, Made], tmp_path: Path) -> None:
    first = again(models["cnn"], tmp_path / "a")
    client.stop()
    assert again(models["cnn"], tmp_path / "b") == first


@pytest.mark.parametrize("io", ["int8", "uint8"])
@pytest.mark.parametrize("name", SPECS)
def test_vela_maps_all_but_lookups(
    models: dict[str, Made], name: str, io: str, tmp_path: Path
) -> None:
    out = tmp_path / "vela.tflite"
    int8 = str(models[name].file("int8", io=io))
    found = client.request("compile_file", int8=int8, out=str(out), target="ethos-u55-128")
    lookups = sum(values.dtype == np.int32 for values in models[name].inputs.values())
    assert found["cpu_ops"] == lookups
    assert found["npu_ops"] > 0
    assert found["sram_bytes"] > 0
    assert found["latency_ms_estimate"] > 0
    assert "Ethos_U55_High_End_Embedded" in found["system"]
    wanted = {"ethos-u": 1} | ({"GATHER": lookups} if lookups else {})
    assert inspect(out, "int8").ops == wanted


@pytest.mark.parametrize("target", [n for n, t in TARGETS.items() if t.compiler == "vela"])
def test_every_ethos_u_takes_a_cnn_whole(
    models: dict[str, Made], tmp_path: Path, target: str
) -> None:
    skipped: dict[str, str] = {}
    row = compile_for(target, models["cnn"].file("int8"), tmp_path, skipped=skipped)
    assert not skipped
    assert (row.cpu_ops, row.file) == (0, f"model_int8_{target}.tflite")
    assert TARGETS[target].system in row.system
    assert row.latency_ms_estimate > 0


def test_vela_maps_nothing_of_a_float_file_and_says_so(
    models: dict[str, Made], tmp_path: Path
) -> None:
    float32, out = str(models["table"].file("float32")), str(tmp_path / "vela.tflite")
    found = client.request("compile_file", int8=float32, out=out, target="ethos-u55-128")
    assert found["npu_ops"] == 0
    assert found["cpu_ops"] > 0


@pytest.mark.parametrize("quantizer", ["ai-edge", "converter"])
def test_weights_have_one_scale_a_channel_or_one_a_tensor(
    models: dict[str, Made], quantizer: str
) -> None:
    found = {}
    for granularity in ("channel", "tensor"):
        name = f"{quantizer}_{granularity}.tflite"
        file = models["cnn"].file("int8", name=name, quantizer=quantizer, granularity=granularity)
        graph = Graph(file.read_bytes())
        tensors = [graph.graph.tensors[layer.weights] for layer in graph.layers()]
        found[granularity] = [len(tensor.quantization.scale) for tensor in tensors]
    assert max(found["channel"]) > 1
    assert set(found["tensor"]) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("quantizer", ["ai-edge", "converter"])
def test_the_same_recipe_gives_the_same_bytes_in_a_new_process(
    tmp_path: Path, quantizer: str
) -> None:
    found = []
    for name in ("one", "other"):
        made = make(CNN, tmp_path / name)
        for step, (form, recipe, _) in RUNGS.items():
            if recipe.model == MODEL:
                chosen = recipe.model_dump() | {"quantizer": quantizer}
                made.file(form, name=f"{step}.tflite", **chosen)
        for form in ("float32", "float16", "dynamic"):
            made.file(form, name=f"{form}.tflite")
        found.append({path.name: path.read_bytes() for path in made.folder.glob("*.tflite")})
        client.stop()
    assert found[0].keys() == found[1].keys()
    assert [name for name in found[0] if found[0][name] != found[1][name]] == []
    assert len(set(found[0].values())) > 4  # and they are not all one file
