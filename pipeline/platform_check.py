"""Whether this operating system is one that Edgeline runs on; asked before anything heavy loads."""

import sys
from importlib.util import find_spec

from pipeline.errors import ConfigError

NEEDED = ("fcntl", "resource")  # of Python's own library, where there are locks and limits


def check_platform() -> None:
    """Raise on native Windows, which has neither fork nor the locks and limits of Unix.

    Raises:
        ConfigError: it is such a system; the message says what to do.
    """
    if all(find_spec(name) is not None for name in NEEDED):
        return
    name = {"win32": "Windows"}.get(sys.platform, sys.platform)
    raise ConfigError(
        f"Edgeline needs Linux or macOS; this is {name}. On Windows, install WSL 2 "
        "(wsl --install, in PowerShell) and run the same command there"
    )
