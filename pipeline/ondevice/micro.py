"""The interpreter of tflite-micro, under the method names of the others."""

import contextlib
import os
import re
import sys
import tempfile

import numpy as np

MICRO_ARENA = 1 << 28  # bytes, more than any microcontroller has; untouched memory costs nothing
ARENA_STEP = 16  # bytes that an arena is aligned to


class MicroInterpreter:
    """tflite-micro's interpreter, under the names that the others have: one sample a call."""

    def __init__(self, lite, content):
        self.lite, self.content = lite, content
        self.interpreter = self._call(self._make, MICRO_ARENA)
        self.inputs, self.outputs = self._describe("input"), self._describe("output")

    def _make(self, size):
        return self.lite.Interpreter.from_bytes(self.content, arena_size=size)

    def _read_model(self):
        """Return the file as tflite-micro's own schema reads it."""
        lite = self.lite  # until 2024 the schema was a module of its tools
        schema = lite.schema_fb if hasattr(lite, "schema_fb") else lite.flatbuffer_utils.schema_fb
        return schema.Model.GetRootAsModel(self.content, 0)

    def _describe(self, side):
        """Return the details of inputs or outputs; the names are in the file alone."""
        graph = self._read_model().Subgraphs(0)
        indices = (graph.InputsAsNumpy if side == "input" else graph.OutputsAsNumpy)()
        details = []
        for i, index in enumerate(indices):
            detail = getattr(self.interpreter, "get_%s_details" % side)(i)
            steps = detail["quantization_parameters"]
            pair = zip(steps["scales"], steps["zero_points"])
            detail["quantization"] = next(((float(s), int(z)) for s, z in pair), (0.0, 0))
            details.append(dict(detail, index=i, name=graph.Tensors(int(index)).Name().decode()))
        return details

    def get_input_details(self):
        return self.inputs

    def get_output_details(self):
        return self.outputs

    def _get_full_signature_list(self):
        model = self._read_model()
        indices = [int(index) for index in model.Subgraphs(0).OutputsAsNumpy()]
        signatures = {}
        for i in range(model.SignatureDefsLength()):
            signature = model.SignatureDefs(i)
            entries = [signature.Outputs(k) for k in range(signature.OutputsLength())]
            outputs = {e.Name().decode(): indices.index(e.TensorIndex()) for e in entries}
            signatures[i] = {"outputs": outputs}
        return signatures

    def set_tensor(self, index, values):
        self.interpreter.set_input(np.ascontiguousarray(values), index)

    def get_tensor(self, index):
        return self.interpreter.get_output(index)

    def reset_all_variables(self):
        self.interpreter.reset()

    def invoke(self):
        self._call(self.interpreter.invoke)

    def _call(self, action, *arguments):
        """Return what an action returns; if it fails, what it wrote to stderr is the error."""
        with tempfile.TemporaryFile() as log:
            try:
                with redirect_stderr(log):
                    return action(*arguments)
            except RuntimeError as error:
                log.seek(0)
                words = explain_micro_error(log.read().decode("utf-8", "replace"))
                raise ValueError(words or str(error)) from error

    def arena_bytes(self):
        """Return the size of the smallest arena in which the model runs, in bytes.

        `print_allocations` tells what stays allocated; setting up takes up to half as much again,
        for a while. Each size is tried in a process of its own: a small one may crash.
        """
        low, high = 0, MICRO_ARENA
        while high - low > ARENA_STEP:
            middle = (low + high) // 2 // ARENA_STEP * ARENA_STEP
            low, high = (low, middle) if self._fits(middle) else (middle, high)
        return high

    def _fits(self, size):
        import resource  # not on Windows, nor is tflite-micro

        child = os.fork()
        if child:
            return os.waitpid(child, 0)[1] == 0
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            interpreter = self._make(size)
            for i, detail in enumerate(self.inputs):
                interpreter.set_input(np.zeros(detail["shape"], detail["dtype"]), i)
            interpreter.invoke()
            os._exit(0)
        finally:
            os._exit(1)


@contextlib.contextmanager
def redirect_stderr(file):
    """Write to a file what C code writes to stderr."""
    sys.stderr.flush()
    original = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)


def explain_micro_error(log):
    """Return in one line why tflite-micro does not run a file, from what it wrote to stderr."""
    absent = re.search(r"Failed to get registration from op code (\w+)", log)
    if absent:
        return "tflite-micro has no operation %s" % absent.group(1)
    lines = [re.sub(r"^\S+\.(cc|h)(:\d+)?\s+", "", line.strip()) for line in log.splitlines()]
    lines = [line.rstrip(".") for line in lines if line]
    failed = re.match(r"Node (\w+) \(number (\d+)\) failed", lines[-1] if lines else "")
    if failed:
        return "%s (operation %s): %s" % (*failed.groups(), "; ".join(lines[:-1]) or lines[-1])
    return "; ".join(lines)
