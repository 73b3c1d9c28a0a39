"""Keep TensorFlow's start off the terminal: its C++ logs before any setting can silence them."""

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from pipeline.errors import ConfigError

TRAINING = ("tensorflow", "keras", "tf_keras", "sklearn", "ai_edge_quantizer")


def check_training_packages() -> None:
    """Raise where the packages that make a bundle are not installed; nothing is imported.

    Raises:
        ConfigError: one is missing; the message says how to get them all.
    """
    missing = [name for name in TRAINING if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"a run needs {', '.join(missing)}, which this environment does not have; "
            "the installed packages load and run bundles. Install: pip install 'edgeline[train]'"
        )


def set_environment() -> None:
    """Set what TensorFlow needs to know before it is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Threads of scikit-learn that spin while they wait take 150 times as long on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.pop("TF_USE_LEGACY_KERAS", None)


def import_quietly(name: str) -> Any:
    """Import a module; where it is the first to need TensorFlow, without what that says."""
    is_first = "tensorflow" not in sys.modules
    with _held_back():
        module = importlib.import_module(name)
        if is_first and "tensorflow" in sys.modules:
            sys.modules["tensorflow"].config.list_physical_devices("GPU")
    return module


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; on an exception, write it out after all."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            os.dup2(kept, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
