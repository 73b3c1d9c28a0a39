"""OpenVINO, Intel's runtime for its processors: reads a .tflite file itself.

Without AVX-512 VNNI its integer products saturate at 16 bits, which other runtimes' do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.readers.side import Call, Tensor, Values


def load(path: str, _inputs: Sequence[Tensor], _outputs: Sequence[Tensor]) -> Call:
    """Return a function of one sample, arrays (1, ...) to arrays (1, ...); floats as float32.

    Raises:
        ValueError: it refuses the file.
    """
    import openvino

    core = openvino.Core()
    try:
        model = core.read_model(path)
        compiled: Any = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    except RuntimeError as error:
        raise ValueError(" ".join(str(error).split()).rpartition("GeneralFailure: ")[2]) from None
    outputs = compiled.outputs

    def call(inputs: Values) -> Values:
        made = compiled(list(inputs))
        return [made[output] for output in outputs]

    return call
