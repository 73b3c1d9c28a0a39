"""OPERATIONS: the requests that the worker takes, and the form of a request and of a reply."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

OPERATIONS = {  # function -> its module; arguments and results are plain JSON
    "start_up": "pipeline.models.given",
    "try_once": "pipeline.export.try_once",
    "front_end": "pipeline.export.convert",
    "float_file": "pipeline.export.convert",
    "float16_file": "pipeline.export.convert",
    "dynamic_file": "pipeline.export.convert",
    "integer_file": "pipeline.export.convert",
    "converted_integer_file": "pipeline.export.convert",
    "tensor_ranges": "pipeline.export.ranges",
    "add_metadata": "pipeline.export.metadata",
    "compile_file": "pipeline.export.compilers",
    "clustered_kernels": "pipeline.compress.centroids",
    "read_model_file": "pipeline.models.given",
    "layer_errors": "pipeline.verify.layers",
    "query_file": "pipeline.audit.file_queries",
}


@dataclass(frozen=True)
class Request:
    """One line to the worker."""

    operation: str
    """Key of OPERATIONS."""
    arguments: Mapping[str, Any]
    """Its keyword arguments, as JSON."""


@dataclass(frozen=True)
class Reply:
    """One line from the worker."""

    result: Any = None
    """What the operation returned, as JSON."""
    error: str | None = None
    """Why it failed; None: it did not."""
    kind: str = ""
    """Name of the error's class."""


def load_operation(name: str) -> Callable[..., Any]:
    """Return the function of an operation.

    Raises:
        KeyError: there is no such operation.
    """
    found: Callable[..., Any] = getattr(import_module(OPERATIONS[name]), name)
    return found
