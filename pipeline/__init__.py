"""Edgeline: one YAML file in, a TFLite bundle out.

The wheel has this package under the name `edgeline`: see wheel.py. The names of the Python API are
here, too, and load when they are asked for: `edgeline.run`, `edgeline.load_bundle`.
"""

import importlib

API = ("Bundle", "Predictions", "Result", "load_bundle", "run")


def __getattr__(name: str) -> object:
    """Return what the Python API has under a name."""
    if name not in API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *API})
