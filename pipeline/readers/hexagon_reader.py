"""Qualcomm Hexagon, emulated on x86-64 by Qualcomm's own library: no device, and no times.

LiteRT's plug-in compiles a file to operations DISPATCH_OP, each with a QNN context binary behind
the model; ONNX Runtime's QNN provider runs such a binary on the host. As a script it only
compiles.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pipeline.readers.side import Call, Tensor, Values

SOC = "SM8750"  # that the runtime emulates
LIMIT_S = 60  # of a compilation, which takes seconds or never ends
DISPATCH = "DISPATCH_OP"
ERROR = re.compile(r"ERROR: \[[^]]*\] ?(.*)")
PROVIDER = "QNNExecutionProvider"
PR_SET_PDEATHSIG = 1  # linux/prctl.h
QUIET = 3  # ONNX Runtime's level of errors
# The plug-in links to this library and calls nothing of it on this path.
UNUSED, STANDING_IN = "libQnnLpai.so", "libQnnSystem.so"


@dataclass(frozen=True)
class Report:
    """What became of the operations of a file."""

    npu_ops: int
    cpu_ops: int
    cpu_names: tuple[str, ...]
    """TFLite's names of the operations that stay on the CPU, each once."""
    compiler_version: str


def load(path: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Call:
    """Return a function that runs one sample: arrays (1, ...) to arrays (1, ...).

    Raises:
        ValueError: the compiler refuses the file, or leaves operations on the CPU.
    """
    import onnxruntime
    import onnxruntime_qnn

    with tempfile.TemporaryDirectory(prefix="edgeline_hexagon_") as folder:
        compiled = Path(folder) / "compiled.tflite"
        report = compile_file(path, compiled, SOC)
        if report.cpu_ops:
            raise ValueError(
                f"{report.cpu_ops} operations stay on the CPU ({', '.join(report.cpu_names)}); "
                "only what runs on the NPU as a whole is emulated"
            )
        model = _wrap(compiled.read_bytes(), inputs, outputs)
    onnxruntime.set_default_logger_severity(QUIET)
    onnxruntime.register_execution_provider_library(PROVIDER, onnxruntime_qnn.get_library_path())
    devices = [d for d in onnxruntime.get_ep_devices() if d.ep_name == PROVIDER]
    options = onnxruntime.SessionOptions()
    backend = {"backend_path": onnxruntime_qnn.get_qnn_htp_path()}
    options.add_provider_for_devices(devices[:1], backend)
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    session = onnxruntime.InferenceSession(model, options)
    names = [found.name for found in session.get_inputs()]

    def call(values: Values) -> Values:
        given = {n: np.ascontiguousarray(x) for n, x in zip(names, values, strict=True)}
        made: Values = session.run(None, given)
        return made

    return call


def compile_file(path: str, out: Path, soc: str) -> Report:
    """Compile a file for a system on chip by LiteRT's plug-in, and count its operations.

    Raises:
        ValueError: the compiler refuses the file, does not end, or ends without a file.
    """
    import ai_edge_litert

    package = Path(str(ai_edge_litert.__file__)).parent
    plugins = package / "vendors" / "qualcomm" / "compiler"
    before = _operations(Path(path).read_bytes())
    with tempfile.TemporaryDirectory(prefix="edgeline_qnn_") as folder:
        _link_libraries(Path(folder))
        command = [
            package / "tools" / "apply_plugin_main", "--cmd=apply", f"--soc_model={soc}",
            "--soc_manufacturer=Qualcomm", f"--libs={plugins}", f"--model={path}", f"--o={out}",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors="replace", timeout=LIMIT_S, check=False,
                preexec_fn=_end_with_parent, env=os.environ | {"LD_LIBRARY_PATH": folder},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ValueError(f"the compiler for {soc} did not end within {LIMIT_S} s") from None
    after = _operations(out.read_bytes()) if out.exists() and out.stat().st_size else []
    if done.returncode or DISPATCH not in after:
        said = [words for words in ERROR.findall(done.stdout) if words.strip()]
        why = said[0] if said else f"it ends with status {done.returncode}, nothing compiled"
        raise ValueError(f"the compiler for {soc} refuses it: {why}")
    left = [name for name in after if name != DISPATCH]
    made_by = (
        f"LiteRT {version('ai-edge-litert')}, QNN of onnxruntime-qnn {version('onnxruntime-qnn')}"
    )
    return Report(len(before) - len(left), len(left), tuple(sorted(set(left))), made_by)


def _end_with_parent() -> None:
    """Have Linux kill this process when the one that started it is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _link_libraries(folder: Path) -> None:
    """Put links to Qualcomm's libraries, and to those that they need, into a folder."""
    spec = find_spec("onnxruntime_qnn")
    if spec is None or spec.origin is None:
        raise ValueError("onnxruntime-qnn is not installed")
    package = Path(spec.origin).parent
    beside = package.with_name("onnxruntime_qnn.libs")
    for library in [*package.glob("*.so"), *beside.glob("*.so*")]:
        (folder / library.name).symlink_to(library)
    if not (folder / UNUSED).exists():
        (folder / UNUSED).symlink_to(package / STANDING_IN)


def _operations(content: bytes) -> list[str]:
    """Return the names of a file's operations, in order."""
    from ai_edge_litert import schema_py_generated as schema

    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    codes = [
        code.customCode.decode() if code.customCode else names[code.builtinCode]
        for code in model.operatorCodes or ()
    ]
    return [codes[op.opcodeIndex] for op in model.subgraphs[0].operators or ()]


def _wrap(content: bytes, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bytes:
    """Return an ONNX model of one node: the context binary of a compiled file."""
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import flexbuffers
    from onnx import helper

    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0)).subgraphs[0]
    (node,) = graph.operators
    found: Any = flexbuffers.Loads(bytes(node.customOptions))
    start = found["bytecode_offset"]
    reads, writes = ([_name(graph, i) for i in side] for side in (node.inputs, node.outputs))
    context = helper.make_node(
        "EPContext", reads, writes,
        name=found["name"], domain="com.microsoft", embed_mode=1, main_context=1, source="Qnn",
        partition_name=found["name"],
        ep_cache_context=content[start : start + found["bytecode_size"]],
    )  # fmt: skip
    sides = [[_describe(tensor) for tensor in side] for side in (inputs, outputs)]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    made = helper.make_graph([context], "compiled", *sides)
    wrapped: bytes = helper.make_model(
        made, opset_imports=opsets, ir_version=10
    ).SerializeToString()
    return wrapped


def _describe(tensor: Tensor) -> Any:
    from onnx import helper

    dtype = helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
    return helper.make_tensor_value_info(tensor.name, dtype, tensor.shape)


def _name(graph: Any, index: int) -> str:
    name: bytes = graph.tensors[index].name
    return name.decode()


if __name__ == "__main__":
    try:
        report = compile_file(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
        counts = {"npu_ops": report.npu_ops, "cpu_ops": report.cpu_ops}
        sys.stdout.write(json.dumps(counts | {"compiler_version": report.compiler_version}) + "\n")
    except ValueError as error:
        sys.exit(f"error: {error}")
