"""The tf_keras copy of a Keras 3 model at batch 1: the form that the TFLite converter fuses best.

The same builder is called with the other Keras, and the weights move over in order. With a fixed
batch no operation needs a dynamic shape, recurrent cells fuse, and nothing is left in float.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import Array, Arrays, Model
from pipeline.documents.spec import Spec
from pipeline.errors import ArtifactError, PipelineError
from pipeline.export.ranges import SIGNATURE
from pipeline.models import MODELS

OutputsOf = Callable[[Mapping[str, Array]], Arrays]

TOLERANCE = (
    1e-4  # outputs differ by at most 1e-5 on every family measured: kernels are not the same
)
SAMPLES = 4


def make_copy(model: Model, model_file: Path, spec: Spec) -> Any:
    """Return the tf-keras model at batch 1 with the weights of a Keras 3 model.

    Args:
        model: the Keras 3 model.
        model_file: where it was read from.
        spec: of the network.

    Raises:
        ArtifactError: the model's layers are not the spec's.
    """
    import tf_keras

    tf_keras.backend.clear_session()  # names count from zero, whatever was converted before
    kind = spec.model.kind
    known: dict[str, Any] = {}
    if spec.architecture is not None:  # the model is that graph: read it once
        asked: dict[str, list[Any]] = {e["name"]: [] for e in spec.architecture["config"]["layers"]}
        _refuse_others(asked, {e.name: [] for e in model.operations}, model_file)
        known["graph"] = model
    copy = MODELS[kind](tf_keras, spec, batch_size=1, unroll=True, **known)
    _copy_weights(model, copy, model_file)
    return copy


def _copy_weights(model: Model, copy: Model, model_file: Path) -> None:
    """Move the weights over, layer by layer, by name."""
    found = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    wanted = {layer.name: layer for layer in copy.layers if layer.weights}
    shapes = {name: [w.shape for w in weights] for name, weights in found.items()}
    asked = {name: [tuple(w.shape) for w in layer.weights] for name, layer in wanted.items()}
    _refuse_others(asked, shapes, model_file)
    for name, layer in wanted.items():
        layer.set_weights(found[name])


def _refuse_others(asked: Mapping[str, Any], found: Mapping[str, Any], model_file: Path) -> None:
    """Refuse a model whose layers, name -> shapes of the weights, are not those of the spec."""
    odd = sorted(name for name in found.keys() | asked if found.get(name) != asked.get(name))
    if odd:
        raise ArtifactError(
            f"{model_file}: not the model of spec.json: {', '.join(odd)}: wanted weights "
            f"{[asked.get(name) for name in odd]}, came {[found.get(name) for name in odd]}. "
            "Run again with --force build"
        )


def compare(model: Model, spec: Spec, outputs_of: OutputsOf) -> None:
    """Compare a model and its copy on a few random samples: on one, most units may be silent.

    Args:
        model: the Keras 3 model.
        spec: of the network.
        outputs_of: name -> input (1, ...) of a sample -> name -> output (1, ...) of the copy.

    Raises:
        PipelineError: the outputs differ: a bug in the copy's builder.
    """
    generator = np.random.Generator(np.random.Philox(0))
    samples = {
        entry.name: generator.integers(0, entry.vocabulary, (SAMPLES, *entry.shape), dtype=np.int32)
        if entry.dtype == "int32"
        else generator.standard_normal((SAMPLES, *entry.shape), dtype=np.float32)
        for entry in spec.inputs
    }
    one_by_one = [{name: x[i : i + 1] for name, x in samples.items()} for i in range(SAMPLES)]
    rows = [outputs_of(sample) for sample in one_by_one]
    for name, wanted in _named(model, model(samples, training=False)).items():
        difference = float(np.abs(wanted - np.concatenate([row[name] for row in rows])).max())
        if not difference <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):  # NaN fails too
            raise PipelineError(
                f"export: output {name} of the tf_keras copy of {spec.model.kind} differs by "
                f"{difference:.2g} from the model; allowed {TOLERANCE}. Its builder does not make "
                "the same network under both Keras"
            )


def _named(model: Model, outputs: Any) -> dict[str, Array]:
    """Return what a model returned: name -> (N, ...)."""
    several = outputs if isinstance(outputs, list | tuple) else [outputs]
    return dict(zip(model.output_names, map(np.asarray, several), strict=True))


def outputs_of_file(content: bytes) -> OutputsOf:
    """Return a function (sample) -> name -> output (1, ...) of a float32 file.

    Args:
        content: the .tflite file.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()  # a state can be reset from then on
    runner = interpreter.get_signature_runner(SIGNATURE)

    def outputs_of(sample: Mapping[str, Array]) -> dict[str, Array]:
        interpreter.reset_all_variables()
        return dict(runner(**sample))

    return outputs_of


def outputs_of_copy(copy: Model) -> OutputsOf:
    """Return a function (sample) -> name -> output (1, ...) of a tf-keras model."""

    def outputs_of(sample: Mapping[str, Array]) -> dict[str, Array]:
        given = list(sample.values())
        return _named(copy, copy(given if len(given) > 1 else given[0], training=False))

    return outputs_of
