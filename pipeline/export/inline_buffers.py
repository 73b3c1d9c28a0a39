"""Keep a model in one piece: every constant inside its flatbuffer.

ai-edge-quantizer puts the weights of larger models behind the flatbuffer, where tflite-micro does
not look: it would take them for empty and compute random outputs, without a message.
"""

from typing import Any

import numpy as np


def inline_buffers(content: bytes) -> bytes:
    """Return the same model with every buffer inside; a model in one piece is returned as it is.

    Args:
        content: a .tflite file.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    packed = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    if not any(buffer.offset for buffer in packed.buffers):
        return content
    return bytes(flatbuffer_utils.convert_object_to_bytearray(open_model(content)))


def open_model(content: bytes) -> Any:
    """Return a .tflite file as objects that can be changed and packed again, in one piece.

    What lay behind the flatbuffer is read as bytes, which are packed one by one in Python: arrays
    are packed at once.

    Args:
        content: a .tflite file.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for buffer in model.buffers:
        if buffer.data is not None:
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    return model
