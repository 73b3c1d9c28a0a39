"""A model at batch 1 as a SavedModel, the converter's way in: the copy, or Keras 3 without one."""

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.arrays import Model
from pipeline.documents.spec import Spec
from pipeline.export.ranges import SIGNATURE
from pipeline.models.save import load_keras


def converter_of(model_file: Path, spec: Spec) -> Any:
    """Return the TFLite converter of a `.keras` file; its SavedModel goes when the converter does.

    Args:
        model_file: the `.keras` file.
        spec: of the network: names, shapes and types of the inputs.
    """
    import keras

    keras.utils.clear_session()  # names count from zero, whatever was converted before
    model = load_keras(model_file)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve", lambda inputs: model(inputs, training=False), input_signature=[_signature(spec)]
    )
    return _converter(lambda folder: archive.write_out(folder, verbose=False))


def converter_of_copy(copy: Model, spec: Spec) -> Any:
    """Return the TFLite converter of a tf-keras model, by its one function and its variables.

    Saving the model as Keras does traces each layer several times over: 3 times slower for a
    MobileNetV2, 6 times for a bidirectional LSTM; and the file is the same.

    Args:
        copy: the tf-keras model at batch 1.
        spec: of the network: names, shapes and types of the inputs.
    """
    return converter_of_function(*function_of(copy, spec))


def converter_of_function(module: Any, function: Any) -> Any:
    """Return the TFLite converter of a concrete function and the module that holds its variables.

    Args:
        module: as `function_of` returns it.
        function: as `function_of` returns it.
    """
    import tensorflow as tf

    return _converter(lambda folder: tf.saved_model.save(module, folder, {SIGNATURE: function}))


def function_of(copy: Model, spec: Spec) -> tuple[Any, Any]:
    """Return a module that holds a tf-keras model's variables, and its one concrete function.

    Args:
        copy: the tf-keras model at batch 1.
        spec: of the network: names, shapes and types of the inputs.
    """
    import tensorflow as tf

    names = [entry.name for entry in spec.inputs]

    @tf.function(input_signature=[_signature(spec)])
    def answer(inputs: Mapping[str, Any]) -> dict[str, Any]:
        given = [inputs[name] for name in names]
        found = copy(given if len(given) > 1 else given[0], training=False)
        return dict(zip(copy.output_names, tf.nest.flatten(found), strict=True))

    module = tf.Module()
    module.variables_, module.answer = copy.variables, answer
    return module, answer.get_concrete_function()


def _signature(spec: Spec) -> dict[str, Any]:
    """Return the inputs at batch 1, by name."""
    import tensorflow as tf

    return {
        entry.name: tf.TensorSpec((1, *entry.shape), entry.dtype, name=entry.name)
        for entry in spec.inputs
    }


def _converter(save: Callable[[str], Any]) -> Any:
    """Return the converter of a SavedModel, whose folder is removed with the converter."""
    import tensorflow as tf

    folder = tempfile.mkdtemp(prefix="edgeline_saved_model_")
    save(folder)
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    weakref.finalize(converter, shutil.rmtree, folder, ignore_errors=True)
    return converter
