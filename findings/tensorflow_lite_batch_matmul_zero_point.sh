#!/usr/bin/env bash
# TensorFlow Lite: int8 BATCH_MATMUL leaves out the second input's zero point.
#
# Versions: tensorflow 2.21.0 (tf.lite.Interpreter), ai-edge-litert 2.3.0 as the comparison.
# Input:    a LiteRT file with one int8 BATCH_MATMUL; all entries of both inputs are 1, the inner
#           dimension is 4, the second input's zero point is 0, -7 or 5.
# Expected: 4 * (1 - zero point): 4, 32 and -16, from every interpreter.
# Seen:     the interpreter as it comes, with its XNNPACK delegate, says 4 each time. Without the
#           delegate, and in ai-edge-litert with or without it, the results are right. A zero
#           point of the first input is handled by all.
# Exits 0 while this holds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq tensorflow==2.21.0 ai-edge-litert==2.3.0

cat > model.py <<'EOF'
import sys

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema


def tensor(name, shape, zero_point):
    made = schema.TensorT()
    made.name, made.shape, made.type, made.buffer = name, shape, schema.TensorType.INT8, 0
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale = np.array([0.1], np.float32)
    made.quantization.zeroPoint = np.array([zero_point])
    return made


def write(path, first, second):
    code, product = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.BATCH_MATMUL
    code.version = 2
    product.inputs, product.outputs = [0, 1], [2]
    product.builtinOptionsType = schema.BuiltinOptions.BatchMatMulOptions
    product.builtinOptions = schema.BatchMatMulOptionsT()
    graph = schema.SubGraphT()
    graph.tensors = [tensor("a", [1, 2, 4], first), tensor("b", [1, 4, 3], second)]
    graph.tensors.append(tensor("c", [1, 2, 3], 0))
    graph.tensors[2].quantization.scale = np.array([0.01], np.float32)
    graph.inputs, graph.outputs, graph.operators = [0, 1], [2], [product]
    model = schema.ModelT()
    model.version, model.description = 3, "one int8 product"
    model.operatorCodes, model.subgraphs, model.buffers = [code], [graph], [schema.BufferT()]
    packed = flatbuffers.Builder(1024)
    packed.Finish(model.Pack(packed), b"TFL3")
    open(path, "wb").write(packed.Output())


def results(path, Interpreter, resolver):
    interpreter = Interpreter(path, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    interpreter.set_tensor(0, np.ones((1, 2, 4), np.int8))
    interpreter.set_tensor(1, np.ones((1, 4, 3), np.int8))
    interpreter.invoke()
    return set(interpreter.get_tensor(2).flat)


if sys.argv[1] == "tensorflow":
    import tensorflow as tf

    Interpreter, kinds = tf.lite.Interpreter, tf.lite.experimental.OpResolverType
else:
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_litert.interpreter import OpResolverType as kinds

for first, second in [(0, 0), (0, -7), (0, 5), (3, 0), (3, 5)]:
    write("model.tflite", first, second)
    right = 4 * (1 - first) * (1 - second)
    default = results("model.tflite", Interpreter, kinds.AUTO)
    plain = results("model.tflite", Interpreter, kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    print(f"{sys.argv[1]}: zero points {first}, {second}: right {right},", end=" ")
    print(f"as it comes {[*map(int, default)]}, without delegate {[*map(int, plain)]}")
    assert plain == {right}
    assert default == {4 * (1 - first) if sys.argv[1] == "tensorflow" else right}
EOF
venv/bin/python model.py tensorflow 2> log
venv/bin/python model.py ai-edge-litert 2> log
echo "as found: tf.lite.Interpreter takes the second input's zero point for 0"
