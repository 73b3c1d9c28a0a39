"""Run the chain as the command does, and print what the work took of the processor, as JSON.

python -m tests.e2e.timed ARGUMENT...   {"stages": {name: seconds}, "epochs": [seconds, …]}
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from pipeline import run
from pipeline.cli import main


def timed(function: Callable[..., Any], note: Callable[[float], None]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        started = time.process_time()
        result = function(*arguments)
        note(time.process_time() - started)
        return result

    return call


def watched() -> dict[str, Any]:
    """Have stages, and epochs of training, note what they took."""
    found: dict[str, Any] = {"stages": {}, "epochs": []}
    own = run._import

    def imported(stage: Any) -> Any:
        module = own(stage)
        if stage.name == "train":
            from pipeline.train import loop

            loop._run_epoch = timed(loop._run_epoch, found["epochs"].append)
        module.run = timed(module.run, lambda spent: found["stages"].update({stage.name: spent}))
        return module

    run._import = imported
    return found


if __name__ == "__main__":
    took = watched()
    code = main(sys.argv[1:])
    print(json.dumps(took))
    sys.exit(code)
