"""The tf-keras twin of a Keras 3 model at batch 1: what the TFLite converter likes best.

The same builder is called with the other Keras, and the weights move over in order. With a fixed
batch no operation needs a dynamic shape, recurrent cells fuse, and nothing is left in float.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import ArtifactError, PipelineError
from pipeline.models import MODELS
from pipeline.models.save import load_keras

TOLERANCE = (
    1e-4  # outputs differ by at most 1e-5 on every family measured: kernels are not the same
)
SAMPLES = 4


def twin_of(model_file: Path, spec: Mapping[str, Any]) -> Any:
    """Return the tf-keras model at batch 1 with the weights of a `.keras` file.

    Raises:
        ArtifactError: the file's layers are not the spec's.
        PipelineError: the twin does not answer as the model does, which is a bug in its builder.
    """
    import tf_keras

    tf_keras.backend.clear_session()  # names count from zero, whatever was converted before
    model = load_keras(model_file)
    twin = MODELS[spec["model"]["kind"]](tf_keras, spec, batch_size=1, unroll=True)
    _copy_weights(model, twin, model_file)
    _compare(model, twin, spec)
    return twin


def _copy_weights(model: Any, twin: Any, model_file: Path) -> None:
    """Move the weights over, layer by layer, by name."""
    found = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    wanted = {layer.name: layer for layer in twin.layers if layer.weights}
    shapes = {name: [w.shape for w in weights] for name, weights in found.items()}
    asked = {name: [tuple(w.shape) for w in layer.weights] for name, layer in wanted.items()}
    odd = sorted(name for name in shapes.keys() | asked if shapes.get(name) != asked.get(name))
    if odd:
        raise ArtifactError(
            f"{model_file}: not the model of spec.json: {', '.join(odd)}: wanted weights "
            f"{[asked.get(name) for name in odd]}, came {[shapes.get(name) for name in odd]}. "
            "Run again with --force build"
        )
    for name, layer in wanted.items():
        layer.set_weights(found[name])


def _compare(model: Any, twin: Any, spec: Mapping[str, Any]) -> None:
    """Run both on the same random samples: one may lie where most units are silent."""
    generator = np.random.Generator(np.random.Philox(0))
    samples = [
        generator.integers(0, entry["vocabulary"], (SAMPLES, *entry["shape"]), dtype=np.int32)
        if entry["dtype"] == "int32"
        else generator.standard_normal((SAMPLES, *entry["shape"]), dtype=np.float32)
        for entry in spec["inputs"]
    ]
    names = [entry["name"] for entry in spec["inputs"]]
    wanted = np.asarray(model(dict(zip(names, samples, strict=True)), training=False))
    one_by_one = [[x[i : i + 1] for x in samples] for i in range(SAMPLES)]
    found = np.concatenate([np.asarray(twin(sample, training=False)) for sample in one_by_one])
    difference = float(np.abs(wanted - found).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):  # NaN fails too
        raise PipelineError(
            f"export: the tf-keras twin of {spec['model']['kind']} answers {difference:.2g} away "
            f"from the model; allowed {TOLERANCE}. Its builder does not make the same network "
            "under both Keras"
        )
