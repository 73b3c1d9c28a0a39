#!/usr/bin/env bash
# litert-quantizer: the order of the calibration samples decides the range of the activations.
#
# Versions: litert-quantizer 0.11.0, ai-edge-litert 2.3.0.
# Input:    one dense layer with a float input; three calibration samples, whose values are all 1,
#           all 2 and all 10; the package's recipe for int8 weights and activations.
# Expected: calibration takes the least and largest value seen over all samples, in any order:
#           the input's range reaches to 10.
# Seen:     a moving average that starts at the first sample and moves by 5 % with each further
#           one: 1, 2, 10 gives a range up to 1.4975, and 10, 2, 1 one up to 9.17. So most of what
#           the model was calibrated on is cut off, the two files differ, and a data set that is
#           sorted by class gives another model than a shuffled one.
# Exits 0 while this holds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq litert-quantizer==0.11.0 ai-edge-litert==2.3.0

cat > calibrate.py <<'EOF'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from litert_quantizer import quantizer, recipe

model = schema.ModelT()
model.version, model.description = 3, "one dense layer"
model.buffers = [schema.BufferT(), schema.BufferT()]
weights = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
model.buffers[1].data = np.frombuffer(weights.tobytes(), np.uint8)


def tensor(name, shape, buffer=0):
    made = schema.TensorT()
    made.name, made.shape, made.buffer = name, shape, buffer
    made.type = schema.TensorType.FLOAT32
    return made


def name_of(tensor, name):
    made = schema.TensorMapT()
    made.tensorIndex, made.name = tensor, name
    return made


code, dense = schema.OperatorCodeT(), schema.OperatorT()
code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
dense.inputs, dense.outputs = [0, 1], [2]
dense.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
dense.builtinOptions = schema.FullyConnectedOptionsT()
graph = schema.SubGraphT()
graph.tensors = [tensor("x", [1, 4]), tensor("weights", [3, 4], 1), tensor("y", [1, 3])]
graph.inputs, graph.outputs, graph.operators = [0], [2], [dense]
signature = schema.SignatureDefT()
signature.signatureKey, signature.subgraphIndex = "serve", 0
signature.inputs, signature.outputs = [name_of(0, "x")], [name_of(2, "y")]
model.operatorCodes, model.subgraphs, model.signatureDefs = [code], [graph], [signature]
packed = flatbuffers.Builder(1024)
packed.Finish(model.Pack(packed), b"TFL3")
open("model.tflite", "wb").write(packed.Output())

tops, files = [], []
for values in [(1, 2, 10), (10, 2, 1)]:
    samples = [{"x": np.full((1, 4), value, np.float32)} for value in values]
    work = quantizer.Quantizer("model.tflite", recipe.static_wi8_ai8())
    ranges = work.calibrate({"serve": samples})
    files.append(bytes(work.quantize(ranges).quantized_model))
    interpreter = Interpreter(model_content=files[-1])
    scale, zero_point = interpreter.get_tensor_details()[0]["quantization"]
    tops.append(scale * (127 - zero_point))
    print("samples", values, "-> the int8 model's input reaches to", round(tops[-1], 4))
assert np.allclose(tops, [0.95 * (0.95 * 1 + 0.05 * 2) + 0.05 * 10, 0.95 * (0.95 * 10 + 0.05 * 2) + 0.05 * 1])
assert files[0] != files[1]
EOF
venv/bin/python calibrate.py 2> log | grep samples
echo "as found: calibration is a moving average, so the samples' order matters"
