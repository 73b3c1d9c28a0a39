"""Qualcomm Hexagon, emulated on x86-64 by Qualcomm's own library: no device, and no times.

LiteRT's plug-in compiles a file to operations DISPATCH_OP, each with a QNN context binary behind
the model; ONNX Runtime's QNN provider runs such a binary on the host. As a script it only
compiles.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

SOC = "SM8750"  # that the runtime emulates
LIMIT_S = 120  # of a compilation, which takes seconds or never ends
DISPATCH = b"DISPATCH_OP"
PROVIDER = "QNNExecutionProvider"
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


def load(path: str, borders: Mapping[str, Any]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Return a function that runs one sample.

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
        model = _wrap(compiled.read_bytes(), borders)
    onnxruntime.set_default_logger_severity(QUIET)
    onnxruntime.register_execution_provider_library(PROVIDER, onnxruntime_qnn.get_library_path())
    devices = [d for d in onnxruntime.get_ep_devices() if d.ep_name == PROVIDER]
    options = onnxruntime.SessionOptions()
    backend = {"backend_path": onnxruntime_qnn.get_qnn_htp_path()}
    options.add_provider_for_devices(devices[:1], backend)
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    session = onnxruntime.InferenceSession(model, options)
    names = [found.name for found in session.get_inputs()]

    def call(inputs: Sequence[Any]) -> Sequence[Any]:
        given = {n: np.ascontiguousarray(x) for n, x in zip(names, inputs, strict=True)}
        made: Sequence[Any] = session.run(None, given)
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
                list(map(str, command)), capture_output=True, text=True, errors="replace",
                timeout=LIMIT_S, check=False, env=os.environ | {"LD_LIBRARY_PATH": folder},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise ValueError(f"the compiler for {soc} did not end within {LIMIT_S} s") from None
    after = _operations(out.read_bytes()) if out.exists() and out.stat().st_size else []
    if done.returncode or DISPATCH.decode() not in after:
        said = [line for line in done.stdout.splitlines() if "ERROR" in line or "└" in line]
        why = said[-1].strip() if said else f"ends with status {done.returncode}, nothing compiled"
        raise ValueError(f"the compiler for {soc} refuses it: {why}")
    left = [name for name in after if name != DISPATCH.decode()]
    made_by = (
        f"LiteRT {version('ai-edge-litert')}, QNN of onnxruntime-qnn {version('onnxruntime-qnn')}"
    )
    return Report(len(before) - len(left), len(left), tuple(sorted(set(left))), made_by)


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


def _wrap(content: bytes, borders: Mapping[str, Any]) -> bytes:
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
    sides = [
        [
            helper.make_tensor_value_info(
                side["name"],
                helper.np_dtype_to_tensor_dtype(np.dtype(side["dtype"])),
                side["shape"],
            )
            for side in borders[kind]
        ]
        for kind in ("inputs", "outputs")
    ]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    made = helper.make_graph([context], "compiled", *sides)
    wrapped: bytes = helper.make_model(
        made, opset_imports=opsets, ir_version=10
    ).SerializeToString()
    return wrapped


def _describe(side: Mapping[str, Any]) -> Any:
    from onnx import helper

    dtype = helper.np_dtype_to_tensor_dtype(np.dtype(side["dtype"]))
    return helper.make_tensor_value_info(side["name"], dtype, side["shape"])


def _name(graph: Any, index: int) -> str:
    name: bytes = graph.tensors[index].name
    return name.decode()


if __name__ == "__main__":
    try:
        report = compile_file(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
        sys.stdout.write(json.dumps(asdict(report)) + "\n")
    except ValueError as error:
        sys.exit(f"error: {error}")
