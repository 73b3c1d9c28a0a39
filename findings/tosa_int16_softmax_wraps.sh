#!/usr/bin/env bash
# TOSA: an int16 SOFTMAX counts entries far below the largest one as if they were near it.
#
# Versions: tosa-converter-for-tflite 2026.2.0, tosa-tools 2026.8.0 (converter, serializer and
#           reference model), ai-edge-litert 2.3.0 as the comparison.
# Input:    a LiteRT file with one int16 SOFTMAX, logits 0, -1, -5, -10.5, -11, -15, -19.5.
# Expected: the last four weigh next to nothing (exp(-10.5) is 0.00003): about 24,000 of 32,768
#           for the first entry, at most 1 for each of the last four. LiteRT says so.
# Seen:     an entry d > 10 below the largest counts as d - 10: -10.5 gets the share of -0.5.
#           The converter brings the difference to the table's range by a rescale to int32, adds
#           32767 and casts to int16; no step clamps, so the cast wraps around.
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
from ai_edge_litert.interpreter import Interpreter

LOGITS = np.array([[0, -1, -5, -10.5, -11, -15, -19.5]])
SCALE = 20 / 32768


def tensor(name, scale):
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, LOGITS.shape, schema.TensorType.INT16, 0
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale = np.array([scale], np.float32)
    made.quantization.zeroPoint = np.array([0])
    return made


code = schema.OperatorCodeT()
code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SOFTMAX
softmax = schema.OperatorT()
softmax.inputs, softmax.outputs = [0], [1]
softmax.builtinOptionsType = schema.BuiltinOptions.SoftmaxOptions
softmax.builtinOptions = schema.SoftmaxOptionsT()
softmax.builtinOptions.beta = 1.0
graph = schema.SubGraphT()
graph.tensors = [tensor("logits", SCALE), tensor("shares", 1 / 32768)]
graph.inputs, graph.outputs, graph.operators = [0], [1], [softmax]
model = schema.ModelT()
model.version, model.description = 3, "one int16 softmax"
model.operatorCodes, model.subgraphs, model.buffers = [code], [graph], [schema.BufferT()]
packed = flatbuffers.Builder(1024)
packed.Finish(model.Pack(packed), b"TFL3")
open("model.tflite", "wb").write(packed.Output())

levels = np.round(LOGITS / SCALE).astype(np.int16)
np.save("logits.npy", levels)
interpreter = Interpreter("model.tflite")
interpreter.allocate_tensors()
interpreter.set_tensor(0, levels)
interpreter.invoke()
np.save("litert.npy", interpreter.get_tensor(1))
EOF
python model.py

tosa-converter-for-tflite model.tflite --text -o model.mlir
tosa-opt --tosa-serialize --tosa-flatbuffer-filename=model.tosa model.mlir > /dev/null
tosa_reference_model --tosa_file=model.tosa --ifm_name=TosaInput_0 --ifm_file=logits.npy \
    --ofm_name=TosaOutput_0 --ofm_file=tosa.npy

python - <<'EOF'
import numpy as np


def shares(logits):
    powers = np.exp(logits)
    return 32768 * powers / powers.sum()


np.set_printoptions(suppress=True)
logits = np.array([0, -1, -5, -10.5, -11, -15, -19.5])
litert, tosa = np.load("litert.npy")[0], np.load("tosa.npy")[0]
wrapped = shares(np.where(logits < -10, logits + 10, logits))
print("logits:                ", logits)
print("exact:                 ", shares(logits).round())
print("LiteRT:                ", litert)
print("TOSA:                  ", tosa)
print("exact, d > 10 as d - 10:", wrapped.round())
assert np.abs(litert - shares(logits)).max() < 20
assert np.abs(tosa - wrapped).max() < 20
EOF
echo "as found: in TOSA's int16 softmax a logit d > 10 below the largest counts as d - 10"
