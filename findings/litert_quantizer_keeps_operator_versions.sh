#!/usr/bin/env bash
# litert-quantizer: the int8 file has the operator versions, and the least runtime version, of float.
#
# Versions: litert-quantizer 0.11.0, ai-edge-litert 2.3.0.
# Input:    a float32 LiteRT file with one CONV_2D and one SOFTMAX, both of version 1, and metadata
#           min_runtime_version 1.5.0; quantized with the static int8 recipe of the package.
# Expected: what TensorFlow's own converter writes: CONV_2D version 3 and SOFTMAX version 2, which
#           stand for signed 8-bit integers, and min_runtime_version 1.14.0, which first had them
#           (tensorflow/lite/tools/versioning: op_version.cc, runtime_version.cc).
# Seen:     all tensors are int8; both operators keep version 1, and the metadata still says 1.5.0.
#           By the file, a runtime that knows only float and uint8 kernels is new enough for it.
# Exits 0 while this holds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq litert-quantizer==0.11.0 ai-edge-litert==2.3.0

cat > quantize.py <<'EOF'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from litert_quantizer import quantizer, recipe

KINDS, OPS, DRAW = schema.TensorType, schema.BuiltinOperator, np.random.default_rng(0)
WEIGHTS = DRAW.normal(0, 1, (4, 8, 8, 1)).astype(np.float32)


def tensor(name, shape, buffer):
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, shape, KINDS.FLOAT32, buffer
    return made


def operator(code, inputs, outputs, kind, options):
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code, inputs, outputs
    made.builtinOptionsType, made.builtinOptions = kind, options
    return made


def code_of(op):
    made = schema.OperatorCodeT()
    made.builtinCode = made.deprecatedBuiltinCode = op
    made.version = 1
    return made


def buffer_of(content):
    made = schema.BufferT()
    made.data = np.frombuffer(content, np.uint8)
    return made


conv, softmax = schema.Conv2DOptionsT(), schema.SoftmaxOptionsT()
conv.strideW = conv.strideH = 1
conv.padding = schema.Padding.VALID
softmax.beta = 1.0
graph = schema.SubGraphT()
graph.tensors = [
    tensor("image", [1, 8, 8, 1], 0), tensor("weights", [4, 8, 8, 1], 1), tensor("bias", [4], 2),
    tensor("logits", [1, 1, 1, 4], 0), tensor("shares", [1, 1, 1, 4], 0),
]
graph.inputs, graph.outputs = [0], [4]
graph.operators = [
    operator(0, [0, 1, 2], [3], schema.BuiltinOptions.Conv2DOptions, conv),
    operator(1, [3], [4], schema.BuiltinOptions.SoftmaxOptions, softmax),
]
model = schema.ModelT()
model.version, model.description = 3, "a convolution and a softmax"
model.buffers = [schema.BufferT(), buffer_of(WEIGHTS.tobytes()), buffer_of(bytes(16))]
model.buffers.append(buffer_of(b"1.5.0".ljust(16, b"\0")))
entry = schema.MetadataT()
entry.name, entry.buffer = "min_runtime_version", 3
key = schema.SignatureDefT()
key.signatureKey, key.subgraphIndex = "serving_default", 0
for side, name, index in (("inputs", "image", 0), ("outputs", "shares", 4)):
    named = schema.TensorMapT()
    named.name, named.tensorIndex = name, index
    setattr(key, side, [named])
model.metadata, model.subgraphs, model.signatureDefs = [entry], [graph], [key]
model.operatorCodes = [code_of(OPS.CONV_2D), code_of(OPS.SOFTMAX)]
packed = flatbuffers.Builder(1024)
packed.Finish(model.Pack(packed), b"TFL3")
open("float.tflite", "wb").write(packed.Output())

job = quantizer.Quantizer("float.tflite", recipe.static_wi8_ai8())
samples = [{"image": DRAW.normal(0, 1, (1, 8, 8, 1)).astype(np.float32)} for _ in range(16)]
content = job.quantize(job.calibrate({"serving_default": samples})).quantized_model
made = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytes(content), 0))
names = {value: name for name, value in vars(OPS).items() if isinstance(value, int)}
versions = {names[code.builtinCode]: code.version for code in made.operatorCodes}
kinds = {t.name.decode(): t.type for t in made.subgraphs[0].tensors}
least = {m.name: bytes(made.buffers[m.buffer].data).rstrip(b"\0") for m in made.metadata}
print("operator versions:", versions)
print("min_runtime_version:", least[b"min_runtime_version"].decode())
print("logits and shares are int8:", {kinds["logits"], kinds["shares"]} == {KINDS.INT8})
assert versions["CONV_2D"] == 1 and versions["SOFTMAX"] == 1
assert least[b"min_runtime_version"] == b"1.5.0"
assert kinds["logits"] == KINDS.INT8 and kinds["weights"] == KINDS.INT8
EOF
venv/bin/python quantize.py 2> /dev/null
echo "as found: int8 operators are written with the versions of float ones"
