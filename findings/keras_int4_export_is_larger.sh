#!/usr/bin/env bash
# Keras: a model quantized to int4 exports to a larger LiteRT file than in float32; one quantized
# to int8 does not export at all.
#
# Versions: keras 3.15.1, tensorflow 2.21.0, ai-edge-litert 2.3.0.
# Input:    three dense layers (64-256-256-10, 85,002 parameters), each time after nothing,
#           model.quantize("int8") or model.quantize("int4"), then model.export(format="litert").
# Expected: about 340 KB, 85 KB and 43 KB.
# Seen:     339,512 bytes in float32 and 510,776 from int4: the weights lie there unpacked, and the
#           products are BATCH_MATMUL of float32, not FULLY_CONNECTED. int8 ends in a
#           ConverterError: fully_connected may not take int8 values without scales.
#           Before the export both predict in Keras (off by 2 % and 14 % of the largest value here),
#           with variables of 88,656 and 50,572 bytes.
# Exits 0 while this holds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq keras==3.15.1 tensorflow==2.21.0 ai-edge-litert==2.3.0

cat > export.py <<'EOF'
import os

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter

x = np.random.default_rng(0).normal(size=(32, 64)).astype(np.float32)
sizes = {}
for kind in ("float32", "int8", "int4"):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(256, "relu"), keras.layers.Dense(256, "relu"), keras.layers.Dense(10)]
    model = keras.Sequential([keras.Input((64,)), *layers])
    exact = model.predict(x, verbose=0)
    if kind != "float32":
        model.quantize(kind)
    off = np.abs(model.predict(x, verbose=0) - exact).max() / np.abs(exact).max()
    kept = sum(np.asarray(v.value).nbytes for v in model.variables)
    print(f"result: {kind}: {kept} bytes of variables, off by {off:.1%} of the largest value;", end=" ")
    try:
        model.export(f"{kind}.tflite", format="litert", verbose=False)
    except Exception as error:
        print("export:", type(error).__name__)
        continue
    sizes[kind] = os.path.getsize(f"{kind}.tflite")
    interpreter = Interpreter(f"{kind}.tflite")
    operators = {operator["op_name"] for operator in interpreter._get_ops_details()} - {"DELEGATE"}
    print("file:", sizes[kind], "bytes, operators", sorted(operators))
assert set(sizes) == {"float32", "int4"}
assert sizes["int4"] > 1.4 * sizes["float32"]
EOF
venv/bin/python export.py 2> log | grep result:
echo "as found: int4 is larger than float32, int8 is refused"
