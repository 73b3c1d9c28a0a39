#!/usr/bin/env bash
# ONNX: the reference evaluator's LpNormalization takes signed sums; its LpPool counts cells that
# are not there.
#
# Versions: onnx 1.23.2 (onnx.reference.ReferenceEvaluator), onnxruntime 1.31.1 as the comparison.
# Input:    LpNormalization with p=1 of [-3, 1] and [1, -1]; LpPool with p=2, a kernel of 2 x 2,
#           strides of 2 and ceil_mode=1 over a 3 x 3 image of ones.
# Expected: [-3, 1] / 4 and [1, -1] / 2; the square root of the ones in each window, of which those
#           at the right and lower edge have 2, 2 and 1: 2, 1.41, 1.41, 1. onnxruntime says so.
# Seen:     [-3, 1] is divided by -2, which turns the signs, and [1, -1], whose sum is 0, becomes
#           [0, 0]. LpPool says 2 in every window: it multiplies the mean of the cells that are
#           there by the size of a full kernel.
# Exits 0 while this holds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq onnx==1.23.2 onnxruntime==1.31.1

venv/bin/python - <<'EOF'
import numpy as np
import onnx
import onnxruntime
from onnx import helper
from onnx.reference import ReferenceEvaluator


def results(operator, x, shape, **attributes):
    """What the reference evaluator and onnxruntime make of x."""
    node = helper.make_node(operator, ["x"], ["y"], **attributes)
    given = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)
    made = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)
    graph = helper.make_graph([node], "one", [given], [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return ReferenceEvaluator(model).run(None, {"x": x})[0], session.run(None, {"x": x})[0]


rows = np.array([[-3, 1], [1, -1]], np.float32)
reference, runtime = results("LpNormalization", rows, [2, 2], p=1, axis=1)
print("LpNormalization, reference evaluator:", reference.tolist(), "onnxruntime:", runtime.tolist())
assert np.allclose(runtime, rows / np.abs(rows).sum(1, keepdims=True))
assert np.allclose(reference, [[1.5, -0.5], [0, 0]])

options = {"p": 2, "kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
reference, runtime = results("LpPool", np.ones((1, 1, 3, 3), np.float32), [1, 1, 2, 2], **options)
print("LpPool, reference evaluator:", reference.tolist(), "onnxruntime:", runtime.tolist())
assert np.allclose(runtime, np.sqrt([[4, 2], [2, 1]]))
assert np.allclose(reference, 2)
EOF
echo "as found: the reference evaluator is off for both operators, onnxruntime is right"
