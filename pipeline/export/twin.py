"""The tf-keras twin of a Keras 3 model at batch 1: the front end that the TFLite converter likes best.

The same builder is called with the other Keras, and the weights move over in order. With a fixed
batch no operation needs a dynamic shape, recurrent cells fuse, and nothing is left in float.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import PipelineError
from pipeline.models import MODELS
from pipeline.models.save import load_keras

TOLERANCE = (
    1e-4  # outputs differ by at most 1e-5 on every family measured: kernels are not the same
)


def twin_of(model_file: Path, spec: Mapping[str, Any]) -> Any:
    """Return the tf-keras model at batch 1 with the weights of a `.keras` file.

    Raises:
        PipelineError: the twin does not answer as the model does, which is a bug in its builder.
    """
    import tf_keras

    tf_keras.backend.clear_session()
    model = load_keras(model_file)
    twin = MODELS[spec["model"]["kind"]](tf_keras, spec, batch_size=1, unroll=True)
    twin.set_weights([np.asarray(weight) for weight in model.weights])
    _compare(model, twin, spec)
    return twin


def _compare(model: Any, twin: Any, spec: Mapping[str, Any]) -> None:
    """Run both on the same random sample."""
    generator = np.random.Generator(np.random.Philox(0))
    sample = [generator.random((1, *entry["shape"]), dtype=np.float32) for entry in spec["inputs"]]
    named = {entry["name"]: values for entry, values in zip(spec["inputs"], sample, strict=True)}
    wanted = np.asarray(model(named, training=False))
    found = np.asarray(twin(sample, training=False))
    difference = float(np.abs(wanted - found).max())
    if difference > TOLERANCE * max(1.0, float(np.abs(wanted).max())):
        raise PipelineError(
            f"export: the tf-keras twin of {spec['model']['kind']} answers {difference:.2g} away from the model; "
            f"allowed {TOLERANCE}. Its builder does not make the same network under both Keras"
        )
