"""Where the programs of this folder run: a Python of their own (`make runtimes`).

They import nothing of ours. device/readers.py runs them, and targets/qualcomm.py compiles by one.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("EDGELINE_READERS_PYTHON", ROOT / ".venv-readers" / "bin" / "python"))
FOLDER = Path(__file__).resolve().parent
CURE = "make runtimes"
