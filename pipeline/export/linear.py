"""Operations of a .tflite file that multiply weights, and the least range of what they write.

XNNPACK starts no operation whose product of a step of the input and a step of the weights is 256
steps of the output or more: such an output is zero next to a single one of its products.
"""

from collections.abc import Mapping

import numpy as np

from pipeline.arrays import Model

INPUTS = {  # operation -> (input, weights, bias) among its inputs
    "CONV_2D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "FULLY_CONNECTED": (0, 1, 2),
    "TRANSPOSE_CONV": (2, 1, 3),
}
NARROWEST = 2**14  # products to an output's range; a step of a product is then 129 of its steps


def least_widths(interpreter: Model, spans: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Return name -> least width of the range of what an operation with stored weights writes.

    Args:
        interpreter: of a float32 file, which keeps its tensors.
        spans: name -> range of each tensor, which holds zero.
    """
    names = {d["index"]: d["name"] for d in interpreter.get_tensor_details()}
    operations = interpreter._get_ops_details()
    computed = {int(i) for op in operations for i in op["outputs"]}
    computed |= {int(detail["index"]) for detail in interpreter.get_input_details()}
    found = {}
    for op in operations:
        if (roles := INPUTS.get(op["op_name"])) is None:
            continue
        read, weights = (int(op["inputs"][role]) for role in roles[:2])
        if weights not in computed and names[read] in spans:
            largest = float(np.abs(interpreter.get_tensor(weights)).max(initial=0.0))
            width = largest * float(np.ptp(spans[names[read]])) / NARROWEST
            found[names[int(op["outputs"][0])]] = width
    return found
