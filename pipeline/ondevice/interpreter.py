"""Load a .tflite file into an interpreter, and run it in batches."""

import contextlib
import importlib
import io

import numpy as np

from pipeline.ondevice.micro import MicroInterpreter
from pipeline.ondevice.outputs import output_details
from pipeline.ondevice.quantize import quantize

BATCH = 32  # samples a call where the file can be resized; more does not get faster
QUOTED = 300  # characters of an interpreter's message
# runtime -> the module of its interpreter, and its distribution; the first one installed is used
MODULES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite-runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
    "tensorflow": ("tensorflow.lite.python.interpreter", "tensorflow"),
    "tflite-micro": ("tflite_micro.python.tflite_micro.runtime", "tflite-micro"),
    "litert-builtin": ("ai_edge_litert.interpreter", "ai-edge-litert"),  # without XNNPACK
}


class ModelError(Exception):
    """The interpreter does not run the model: it is damaged, or holds an unknown operation."""


@contextlib.contextmanager
def convert_model_errors():
    """Turn whatever an interpreter raises over a model into one ModelError of one line."""
    try:
        yield
    except (AttributeError, RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
        words = " ".join(str(error).split())[:QUOTED]
        raise ModelError(words) from error


def load_interpreter(path, threads=None, runtime=None):
    """Return (interpreter, name of the runtime, its version) for a .tflite file.

    Args:
        path: the file. One compiled for the Edge TPU is given its delegate.
        threads: of the interpreter; None: what it takes by default.
        runtime: a key of MODULES; None: the first that is installed.

    Raises:
        ValueError: no such runtime is installed.
        ModelError: the file is no model that it runs.
    """
    absent = []
    for name in MODULES if runtime is None else (runtime,):
        module, distribution = MODULES[name]
        try:
            lite = _import_quietly(module)
        except ImportError as error:
            absent.append(str(error))
            continue
        with open(path, "rb") as file:
            content = file.read()
        version = _find_version(distribution)
        if name == "tflite-micro":
            with convert_model_errors():
                return MicroInterpreter(lite, content), name, version
        settings = {"model_path": str(path), "num_threads": threads}
        if b"edgetpu-custom-op" in content:
            settings["experimental_delegates"] = [lite.load_delegate("libedgetpu.so.1")]
        if name == "litert-builtin":
            kernels = lite.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            settings["experimental_op_resolver_type"] = kernels
        with convert_model_errors():
            return lite.Interpreter(**settings), name, version
    wanted = MODULES[runtime or "litert"][1]
    pre = "--pre " if wanted == "tflite-micro" else ""  # nightly builds alone
    cure = "" if any("numpy<2" in words for words in absent) else "; pip install " + pre + wanted
    raise ValueError("; ".join(absent) + cure)


def _import_quietly(module):
    """Return a module; where it was built for another NumPy, what NumPy prints becomes one line.

    Raises:
        ImportError: it is not there, or NumPy does not fit it.
    """
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            return importlib.import_module(module)
    except (ImportError, AttributeError, SystemError) as error:
        words = printed.getvalue() + str(error)
        if "NumPy 1" in words or "_ARRAY_API" in words or "numpy.core" in words:
            raise ImportError(
                "%s is built for NumPy 1, and this is %s; pip install 'numpy<2', or "
                "ai-edge-litert" % (module.partition(".")[0], np.__version__)
            ) from None
        raise ImportError(" ".join(str(error).split())) from None


def _find_version(distribution):
    try:
        from importlib.metadata import version
    except ImportError:  # Python 3.7
        return "unknown"
    return version(distribution)


def invoke_model(interpreter, inputs, batch=BATCH):
    """Return the raw outputs of model inputs: name -> (N, ...), in the types of the file's outputs.

    Batches where the file can be resized, else one by one. State (a fused LSTM has some) is reset
    before every call: it would leak from sample to sample.

    Args:
        interpreter: as `load_interpreter` returns it.
        inputs: name -> float32 or int32 (N, ...).
        batch: samples a call.
    """
    count = len(next(iter(inputs.values())))
    size = _allocate(interpreter, min(batch, count))
    details = interpreter.get_input_details()
    outputs = output_details(interpreter)
    results = {name: [] for name in outputs}
    for start in range(0, count, size):
        part = {name: x[start : start + size] for name, x in inputs.items()}
        filled = len(next(iter(part.values())))
        for detail in details:
            x = part[match_input_name(detail, part)]
            if filled < size:  # the last batch: repeat its first sample, and drop the predictions
                x = np.concatenate([x, np.repeat(x[:1], size - filled, axis=0)])
            interpreter.set_tensor(detail["index"], quantize(x, detail))
        interpreter.reset_all_variables()
        interpreter.invoke()
        for name, detail in outputs.items():
            results[name].append(interpreter.get_tensor(detail["index"])[:filled].copy())
    return {name: np.concatenate(parts) for name, parts in results.items()}


def _allocate(interpreter, batch):
    """Resize to a batch and return its size; 1 where the file refuses, or keeps state.

    A size that it has already, and that would be at least half filled, stays: to resize costs more.
    """
    if isinstance(interpreter, MicroInterpreter):
        return 1
    current = int(interpreter.get_input_details()[0]["shape"][0])
    if current > 1 and batch <= current <= 2 * batch and _resize_batch(interpreter, current):
        return current
    ops = {op["op_name"] for op in interpreter._get_ops_details()} if batch > 1 else set()
    if batch > 1 and not keeps_state(ops):
        try:
            if _resize_batch(interpreter, batch):
                return batch
        except (RuntimeError, ValueError):
            pass
    if not _resize_batch(interpreter, 1):
        raise ValueError("the model's output has no batch axis of 1")
    return 1


def keeps_state(ops):
    """Tell from the names of a file's operations whether state lives on from call to call."""
    return any("LSTM" in op or "VARIABLE" in op for op in ops)


def _resize_batch(interpreter, batch):
    """Give every input a batch, and tell whether all outputs have it too."""
    for detail in interpreter.get_input_details():
        if detail["shape"][0] != batch:
            shape = [batch, *detail["shape"][1:]]
            interpreter.resize_tensor_input(detail["index"], shape)
    interpreter.allocate_tensors()
    return all(detail["shape"][0] == batch for detail in interpreter.get_output_details())


def match_input_name(detail, inputs):
    """Return which named input a tensor is: `serving_default_image:0` is `image`.

    Args:
        detail: of the tensor; its `name` counts.
        inputs: the names; a mapping by name will do.
    """
    plain = detail["name"].split(":")[0]
    for name in inputs:
        if plain == name or plain.endswith("_" + name):
            return name
    if len(inputs) == 1:
        return next(iter(inputs))
    raise ValueError("the model's input %s is none of %s" % (plain, ", ".join(sorted(inputs))))
