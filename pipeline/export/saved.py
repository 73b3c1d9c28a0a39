"""A Keras 3 model at batch 1 as a SavedModel: the way to the converter where there is no twin."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.models.save import load_keras


def saved_model(model_file: Path, spec: Mapping[str, Any]) -> str:
    """Write the SavedModel of a `.keras` file into a folder of its own, and return its path.

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
    return folder
