"""OpenVINO, Intel's runtime for its processors: reads a .tflite file itself.

Without AVX-512 VNNI its integer products saturate at 16 bits, which other runtimes' do not.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def load(path: str, _borders: Mapping[str, Any]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Return a function that runs one sample on the CPU, floats as float32.

    Raises:
        RuntimeError: it refuses the file.
    """
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    compiled: Any = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    outputs = compiled.outputs

    def call(inputs: Sequence[Any]) -> Sequence[Any]:
        made = compiled(list(inputs))
        return [made[output] for output in outputs]

    return call
