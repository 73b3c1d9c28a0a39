"""The copy of a quantized file decides as the file does, rounds as it does, and has gradients."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipeline.arrays import only
from pipeline.device.measure import run_file
from pipeline.errors import ArtifactError, ConversionError
from pipeline.export.io_dtype import with_uint8
from pipeline.models.tflite.differentiable import DifferentiableCopy, Rounded, differentiable_copy
from pipeline.models.tflite.node import Refused
from pipeline.worker import client
from tests.documents.preprocess import preprocess_of
from tests.export.conftest import SPECS, Made, make
from tests.export.test_families import FAMILIES, int8_file

NETS = FAMILIES | SPECS
QUICK = ("cnn", "words", "transformer image")
FORMS = ("int8", "int16x8", "dynamic", "float32")
# Mean difference of the answers, as a share of their spread: those of an int8 file are mostly the
# same to the last bit; a softmax of 16 bits is a table, and a Transformer's LayerNorm adds to that.
NEAR = 0.02
STEP_INT8 = 1 / 256  # of probabilities


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Made]]:
    root = tmp_path_factory.mktemp("twins")
    yield functools.cache(lambda name: make(NETS[name], root / name.replace(" ", "_"), uneven=0.02))
    client.stop()


def both(file: Path, made: Made) -> tuple[DifferentiableCopy, np.ndarray, np.ndarray]:
    """Return a file's copy, and the outputs of the file and of the copy."""
    wanted = only(run_file(file, preprocess_of([]), made.inputs, prepared=True).outputs)
    copy = differentiable_copy(file)
    x = [made.inputs[tensor.name] for tensor in copy.answers.inputs]
    found = np.asarray(copy.answers(x, training=False)).reshape(wanted.shape)
    return copy, wanted, found


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in NETS]
)
def test_every_family_has_a_twin_near_to_its_file(nets: Callable[[str], Made], name: str) -> None:
    made, tried = nets(name), 0
    for form in FORMS:
        try:
            file = int8_file(made) if form == "int8" else made.file(form)
            copy, wanted, found = both(file, made)
        except (ConversionError, ArtifactError):
            assert form == "int16x8"  # which a fused LSTM has not
            continue
        tried += 1
        spread = float(np.ptp(wanted)) or 1.0
        assert np.abs(found - wanted).mean() <= max(NEAR * spread, copy.step)
        if form == "int8":  # on the very grid
            steps = found / copy.step
            np.testing.assert_allclose(steps, np.round(steps), atol=1e-2)
    assert tried >= 3


def test_a_small_file_and_its_twin_are_equal_to_the_last_bit(nets: Callable[[str], Made]) -> None:
    made = nets("strided")
    _, wanted, found = both(made.file("int8"), made)
    np.testing.assert_array_equal(found, wanted)
    _, wanted, found = both(made.file("int8", io="float32"), made)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_borders_of_bytes_and_mixed_precision_have_a_twin(nets: Callable[[str], Made]) -> None:
    made = nets("cnn")
    file = made.file("int8")
    bytes_ = file.with_name("bytes.tflite")
    bytes_.write_bytes(with_uint8(file.read_bytes()))
    mixed = made.file("int8", name="mixed.tflite", int16_fraction=0.5)
    floats = made.file("int8", name="islands.tflite", float_fraction=0.5)
    for other in (bytes_, mixed, floats):
        copy, wanted, found = both(other, made)
        assert np.abs(found - wanted).mean() <= max(copy.step, STEP_INT8)


def test_the_gradient_passes_the_rounding_and_reaches_black_pixels(
    nets: Callable[[str], Made],
) -> None:
    made = nets("strided")
    copy = differentiable_copy(made.file("int8"))
    x = tf.constant(made.inputs["image"] * (made.inputs["image"] > 0.3))
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(copy.logits(x, training=False)[:, 0])
    gradient = tape.gradient(loss, x).numpy()
    assert (x.numpy() == 0).any()
    assert (gradient[x.numpy() == 0] != 0).mean() > 0.5


def test_rounding_is_the_files_and_its_gradient_is_one() -> None:
    layer = Rounded(0.5, -128.0, (-128, 127))
    x = tf.constant([-1.0, -0.1, 0.0, 0.24, 0.26, 0.75, 127.4, 500.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        found = layer(x)
    np.testing.assert_allclose(found, [0, 0, 0, 0, 0.5, 1.0, 127.5, 127.5])
    np.testing.assert_array_equal(tape.gradient(found, x), [0, 0, 1, 1, 1, 1, 1, 1])
    assert float(Rounded(0.5, 0.0, (-128, 127))(tf.constant([float("inf")]))[0]) == 63.5


def test_what_is_no_file_is_refused_with_words(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(b"\x10\x00\x00\x00TFL3" + b"\xff" * 64)
    with pytest.raises(Refused, match="not known"):
        differentiable_copy(tmp_path / "a.tflite")
