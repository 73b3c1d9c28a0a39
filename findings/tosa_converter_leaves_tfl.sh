#!/usr/bin/env bash
# TOSA: the converter says "written" and exits 0 with an operation that is not TOSA in the file.
#
# Versions: tosa-converter-for-tflite 2026.2.0, tosa-tools 2026.8.0 (ai-edge-litert 2.3.0 only to
#           write the model).
# Input:    a LiteRT file with one float TOPK_V2, for which TOSA has no operation.
# Expected: an error that names the operation, and an exit status other than 0.
# Seen:     no word of it and exit status 0, for text as for bytecode; the output holds
#           "tfl.topk_v2" as it was. Only the next tool, tosa-opt, rejects it, and for another
#           reason: the dialect is unknown to it.
# Exits 0 while this holds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq tosa-converter-for-tflite==2026.2.0 tosa-tools==2026.8.0 ai-edge-litert==2.3.0
PATH=$work/venv/bin:$PATH

cat > model.py <<'EOF'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def tensor(name, shape, kind, buffer=0):
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, shape, kind, buffer
    return made


types = schema.TensorType
code, top = schema.OperatorCodeT(), schema.OperatorT()
code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TOPK_V2
top.inputs, top.outputs = [0, 1], [2, 3]
top.builtinOptionsType = schema.BuiltinOptions.TopKV2Options
top.builtinOptions = schema.TopKV2OptionsT()
graph = schema.SubGraphT()
graph.tensors = [tensor("scores", [1, 8], types.FLOAT32), tensor("k", [], types.INT32, 1)]
graph.tensors += [tensor("best", [1, 3], types.FLOAT32), tensor("places", [1, 3], types.INT32)]
graph.inputs, graph.outputs, graph.operators = [0], [2, 3], [top]
model = schema.ModelT()
model.version, model.description, model.buffers = 3, "top 3", [schema.BufferT(), schema.BufferT()]
model.buffers[1].data = np.frombuffer(np.int32(3).tobytes(), np.uint8)
model.operatorCodes, model.subgraphs = [code], [graph]
packed = flatbuffers.Builder(1024)
packed.Finish(model.Pack(packed), b"TFL3")
open("model.tflite", "wb").write(packed.Output())
EOF
python model.py

for kind in text bytecode; do
    tosa-converter-for-tflite model.tflite "--$kind" -o "model.$kind" > log 2>&1
    echo "converter, $kind: exit status 0, says: $(cat log)"
    if grep -qi "topk\|warn\|error" log; then exit 1; fi
done
echo "in the file: $(grep -o '"tfl.topk_v2".*' model.text)"
if tosa-opt model.text > log 2>&1; then exit 1; fi
echo "tosa-opt: exit status other than 0, says: $(head -1 log)"
echo "as found: a file that is not TOSA, written without a word"
