"""A Keras 3 model at batch 1 as a SavedModel: the way to the converter where there is no twin."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.models.save import load_keras


def converter_of(model_file: Path, spec: Mapping[str, Any]) -> Any:
    """Return the TFLite converter of a `.keras` file; its SavedModel goes when the converter does.

    Args:
        model_file: the `.keras` file.
        spec: contents of spec.json: names, shapes and types of the inputs.
    """
    import keras
    import tensorflow as tf

    keras.utils.clear_session()  # names count from zero, whatever was converted before
    model = load_keras(model_file)
    signature = {
        entry["name"]: tf.TensorSpec((1, *entry["shape"]), entry["dtype"], name=entry["name"])
        for entry in spec["inputs"]
    }
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve", lambda inputs: model(inputs, training=False), input_signature=[signature]
    )
    folder = tempfile.mkdtemp(prefix="edgeline_saved_model_")
    archive.write_out(folder, verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    weakref.finalize(converter, shutil.rmtree, folder, ignore_errors=True)
    return converter
