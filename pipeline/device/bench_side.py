"""Time one file on one interpreter, a sample a call; a script for the Python that has it.

It is run by bench.py, beside run_on_device.py, and prints a line of JSON. NumPy alone; Python 3.7.
"""

import importlib.util
import json
import sys
import time
from typing import Any

import numpy as np

WARM = 10  # calls before the clock: caches fill, threads start
LEAST, MOST = 30, 5000  # calls that are timed


def main(path: str, model: str, arrays: str, runtime: str, threads: str, limit_s: str) -> int:
    """Print seconds of each call, and the version of the interpreter.

    What is timed is what a device repeats: input in, reset of states, invoke, output out. Inputs
    are made, and quantized, before.
    """
    spec = importlib.util.spec_from_file_location("run_on_device", path)
    assert spec is not None
    assert spec.loader is not None
    program: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    try:
        interpreter, _, version = program.load_interpreter(model, int(threads), runtime)
        with np.load(arrays) as found:
            samples = {name: found[name] for name in found.files}
        with program.convert_model_errors():
            program.invoke_model(interpreter, {name: x[:1] for name, x in samples.items()}, 1)
        seconds = time_calls(program, interpreter, samples, limit_s=float(limit_s))
    except (program.ModelError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 4
    sys.stdout.write(json.dumps({"seconds": seconds, "version": version}) + "\n")
    return 0


def time_calls(
    program: Any, interpreter: Any, samples: dict[str, Any], *, limit_s: float
) -> list[float]:
    """Return the seconds of each call, over all samples in turn."""
    details = interpreter.get_input_details()
    output = interpreter.get_output_details()[0]["index"]
    count = len(next(iter(samples.values())))
    fed = [
        [
            (
                d["index"],
                program.quantize(samples[program.match_input_name(d, samples)][i : i + 1], d),
            )
            for d in details
        ]
        for i in range(count)
    ]
    seconds, began = [], time.perf_counter()
    for call in range(WARM + MOST):
        start = time.perf_counter()
        for index, x in fed[call % count]:
            interpreter.set_tensor(index, x)
        interpreter.reset_all_variables()
        interpreter.invoke()
        interpreter.get_tensor(output)
        done = time.perf_counter()
        if call >= WARM:
            seconds.append(done - start)
        if done - began > limit_s and len(seconds) >= LEAST:
            break
    return seconds


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
