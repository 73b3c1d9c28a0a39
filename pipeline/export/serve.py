"""The worker process itself: it answers requests of worker.py by the operations of its neighbours.

Requests come over standard input, a line of JSON each; replies go to a pipe of their own.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from pipeline.audit.queries import ask_file
from pipeline.compress.centroids import clustered_kernels
from pipeline.errors import PipelineError, ShortageError
from pipeline.export import convert
from pipeline.export.compilers import compile_file
from pipeline.export.metadata import add_metadata
from pipeline.export.ranges import tensor_ranges
from pipeline.models.given import read_model_file, saved_model_as_h5
from pipeline.process_limits import end_with
from pipeline.resource_errors import words_of
from pipeline.verify.layers import layer_errors

OPERATIONS: dict[str, Callable[..., Any]] = {
    "try_once": convert.try_once,
    "front_end": convert.front_end,
    "saved_model_as_h5": saved_model_as_h5,
    "read_model_file": read_model_file,
    "float_file": convert.float_file,
    "float16_file": convert.float16_file,
    "dynamic_file": convert.dynamic_file,
    "integer_file": convert.integer_file,
    "converted_integer_file": convert.converted_integer_file,
    "compile_file": compile_file,
    "layer_errors": layer_errors,
    "tensor_ranges": tensor_ranges,
    "clustered_kernels": clustered_kernels,
    "add_metadata": add_metadata,
    "ask_file": ask_file,
}


def serve(replies: Any) -> None:
    """Answer requests from standard input until it closes."""
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"result": OPERATIONS[asked["operation"]](**asked["arguments"])}
        except PipelineError as error:
            answer = {"error": str(error), "kind": type(error).__name__}
        except Exception as error:  # the traceback goes to the log; the pipeline gets the reason
            traceback.print_exc()
            short = words_of(error)
            said = f"{type(error).__name__}: {error}" if short is None else short
            answer = {
                "error": f"{asked['operation']}: {said}",
                "kind": "PipelineError" if short is None else ShortageError.__name__,
            }
        replies.write(json.dumps(answer) + "\n")
        replies.flush()


if __name__ == "__main__":
    end_with(int(sys.argv[2]))  # where that is not known, it ends when it finds the pipe closed
    serve(os.fdopen(int(sys.argv[1]), "w"))
