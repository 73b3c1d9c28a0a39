"""A float32 file from the frozen function: the operations and answers of one from a SavedModel."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from pipeline.documents.spec import Spec
from pipeline.export.frozen import float32_of
from pipeline.export.inspect import operations
from pipeline.export.ranges import SIGNATURE
from pipeline.export.saved import converter_of_copy
from pipeline.export.tf_keras_copy import make_copy
from pipeline.models.save import load_keras
from tests.export.conftest import SPECS, make
from tests.export.test_families import FAMILIES

NETS = [
    *SPECS,
    "transformer text",
    "lstm text backward",
    "simple rnn image",
    "autoencoder conv series",
]


@pytest.mark.parametrize("name", NETS)
def test_it_is_the_file_of_a_saved_model(name: str, tmp_path: Path) -> None:
    made = make((SPECS | FAMILIES)[name], tmp_path / "net", uneven=0.02)
    spec = Spec.read(made.folder / "spec.json")
    path = made.folder / "model.keras"
    copy = make_copy(load_keras(path), path, spec)
    converter = converter_of_copy(copy, spec)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    wanted, found = tmp_path / "saved.tflite", tmp_path / "frozen.tflite"
    wanted.write_bytes(converter.convert())
    found.write_bytes(float32_of(copy, spec))
    assert sorted(op.name for op in operations(found)) == sorted(
        op.name for op in operations(wanted)
    )
    first, second = (_answers(file, made.inputs) for file in (wanted, found))
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_allclose(first[key], second[key], atol=1e-6)


def _answers(file: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return what a file answers to the first samples, by its signature, and its tensors' names."""
    interpreter = Interpreter(str(file), num_threads=1)
    runner = interpreter.get_signature_runner(SIGNATURE)
    found = [runner(**{name: x[i : i + 1] for name, x in inputs.items()}) for i in range(4)]
    details = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    named = {str(sorted(detail["name"] for detail in details)): np.zeros(1)}
    return named | {key: np.concatenate([row[key] for row in found]) for key in found[0]}
