"""A bundle made by hand: one dense layer in float32, int8 and int16x8, without TensorFlow."""

import copy
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import only
from pipeline.artifacts import (
    describe_files,
    read_json,
    sha256_file,
    write_arrays,
)
from pipeline.bundle.device_code import write_device_code
from pipeline.bundle.web import write_web
from pipeline.device.golden import LABELS
from pipeline.device.measure import run_file
from pipeline.documents.preprocess import Preprocess
from pipeline.ondevice.assemble import PROGRAM_FILE
from tests.documents.manifests import make_manifest

INPUTS, CLASSES, SAMPLES = 4, 3, 16
SOUND = 300  # values of a recording
STEPS = {"int8": (0.05, 3, 0.1, -5), "int16x8": (0.0005, 0, 0.001, 0)}  # scale, zero: in and out
WEIGHT_STEP = 0.02
PREPROCESS = {
    "schema": 2,
    "task": "classification",
    "labels": ["low", "middle", "high"],
    "target": None,
    "anomaly": None,
    "inputs": [
        {
            "name": "x", "kind": "table", "shape": [INPUTS], "raw_dtype": "float32",
            "offset": [0.0] * INPUTS, "scale": [1.0] * INPUTS, "columns": None, "sanitize": None,
        }
    ],
}  # fmt: skip


def tflite(form: str, shape: Sequence[int] = (INPUTS,)) -> bytes:
    """Return a file with one FULLY_CONNECTED and a signature."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    kinds = schema.TensorType
    weights = np.random.default_rng(3).integers(-100, 100, (CLASSES, INPUTS))
    if form == "float32":
        border, kernel, bias = kinds.FLOAT32, (weights * WEIGHT_STEP).astype("<f4"), "<f4"
        scales: tuple[Any, ...] = (None, None, None)
    else:
        border, kernel = kinds.INT8 if form == "int8" else kinds.INT16, weights.astype(np.int8)
        bias = "<i4" if form == "int8" else "<i8"
        scale_in, zero_in, scale_out, zero_out = STEPS[form]
        scales = ((scale_in, zero_in), (WEIGHT_STEP, 0), (scale_out, zero_out))
    types = {"<f4": kinds.FLOAT32, "<i4": kinds.INT32, "<i8": kinds.INT64}
    kernel_type = kinds.FLOAT32 if form == "float32" else kinds.INT8
    model = schema.ModelT()
    model.version, model.description = 3, b"tiny"
    model.buffers = [
        schema.BufferT(),
        _buffer(schema, kernel),
        _buffer(schema, np.zeros(CLASSES, bias)),
    ]
    joint = None if scales[0] is None else (scales[0][0] * WEIGHT_STEP, 0)
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor(schema, b"serving_default_x:0", [1, *shape], border, 0, scales[0]),
        _tensor(schema, b"kernel", [CLASSES, INPUTS], kernel_type, 1, scales[1]),
        _tensor(schema, b"bias", [CLASSES], types[bias], 2, joint),
        _tensor(schema, b"PartitionedCall:0", [1, CLASSES], border, 0, scales[2]),
    ]
    graph.inputs, graph.outputs = [0], [3]
    code, dense = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = {"float32": 1, "int8": 4, "int16x8": 7}[form]
    dense.opcodeIndex, dense.inputs, dense.outputs = 0, [0, 1, 2], [3]
    dense.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    dense.builtinOptions = schema.FullyConnectedOptionsT()
    graph.operators, model.operatorCodes, model.subgraphs = [dense], [code], [graph]
    model.signatureDefs = [_signature(schema)]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _buffer(schema: Any, values: np.ndarray) -> Any:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    return buffer


def _tensor(schema: Any, name: bytes, shape: list[int], kind: int, buffer: int, step: Any) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer = name, shape, kind, buffer
    if step is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [step[0]], [step[1]]
    return tensor


def _signature(schema: Any) -> Any:
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
    maps = []
    for name, index in ((b"x", 0), (b"answer", 3)):
        maps.append(schema.TensorMapT())
        maps[-1].name, maps[-1].tensorIndex = name, index
    signature.inputs, signature.outputs = maps[:1], maps[1:]
    return signature


def document(**changes: Any) -> Preprocess:
    """Return PREPROCESS with other values of some fields."""
    return Preprocess.model_validate(copy.deepcopy(PREPROCESS) | changes)


def write_bundle(folder: Path, **changes: Any) -> Path:
    """Write a bundle with its golden answers; `changes` go into preprocess.json."""
    folder.mkdir()
    preprocess = document(**changes)
    (entry,) = preprocess.inputs
    shape = entry.shape
    raw = {"x": np.random.default_rng(1).normal(0, 1.5, (SAMPLES, *shape)).astype(np.float32)}
    whole = {"image": (0, 256, np.uint8, shape), "audio": (-9000, 9000, np.int16, [SOUND])}
    if entry.kind in whole:
        low, high, dtype, own = whole[entry.kind]
        raw = {"x": np.random.default_rng(1).integers(low, high, (SAMPLES, *own), dtype)}
    golden = {"input_x": raw["x"], "ids": np.arange(SAMPLES)}
    if preprocess.labels is not None:
        golden[LABELS] = np.array(preprocess.labels)
    models = []
    for form in ("float32", *STEPS):
        file = folder / f"model_{form}.tflite"
        file.write_bytes(tflite(form, shape))
        golden[form] = only(run_file(file, preprocess, raw).raw_outputs)
        scale, zero = STEPS[form][2:] if form in STEPS else (None, None)
        dtype = str(golden[form].dtype)
        output = {"name": "answer", "shape": [1, CLASSES]} | _steps(dtype, scale, zero)
        given = STEPS[form][:2] if form in STEPS else (None, None)
        taken = {"name": "x", "shape": [1, *shape]} | _steps(dtype, *given)
        row = {"format": form, "file": file.name, "output": output, "float_ops_left": []}
        row |= {"inputs": [taken]}
        size = {"sha256": sha256_file(file), "bytes": file.stat().st_size}
        models.append({**row, **size, "metrics": {"accuracy": 0.5}})
    preprocess.write(folder / "preprocess.json")
    write_arrays(folder / "golden.npz", golden)
    shutil.copyfile(PROGRAM_FILE, folder / "run_on_device.py")
    manifest = {
        "name": folder.name, "ships": "int8", "models": models, "task": preprocess.task,
        "labels": preprocess.labels, "config": {"data": {"source": {}}},
        "reference": {"samples": SAMPLES}, "preprocess": preprocess.dump(),
    }  # fmt: skip
    write_web(folder, make_manifest(manifest), preprocess)
    write_device_code(folder, make_manifest(manifest))
    seal(folder, manifest)
    return folder


def _steps(dtype: str, scale: float | None, zero: int | None) -> dict[str, Any]:
    return {"dtype": dtype, "scale": scale, "zero_point": zero}


def remake(bundle: Path, folder: Path, *, ships: str = "int8", **changes: Any) -> Path:
    """Copy a bundle that ships another file, with `changes` in preprocess.json; nothing is run."""
    shutil.copytree(bundle, folder)
    shutil.rmtree(folder / "web")
    fields = read_json(folder / "preprocess.json") | changes
    preprocess = Preprocess.model_validate(fields)
    preprocess.write(folder / "preprocess.json")
    manifest = read_json(folder / "manifest.json") | {"ships": ships, "labels": preprocess.labels}
    with np.load(folder / "golden.npz") as stored:
        golden = {name: stored[name] for name in stored.files if name != LABELS}
    if preprocess.labels is not None:
        golden[LABELS] = np.array(preprocess.labels)
    write_arrays(folder / "golden.npz", golden)
    write_web(folder, make_manifest(manifest), preprocess)
    seal(folder, manifest)
    return folder


def seal(folder: Path, manifest: dict[str, Any]) -> None:
    """Write a manifest that describes the files as they are."""
    files = {name: asdict(entry) for name, entry in describe_files(folder).items()}
    make_manifest(manifest | {"files": files}).write(folder / "manifest.json")
