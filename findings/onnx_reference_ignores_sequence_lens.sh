#!/usr/bin/env bash
# ONNX: the reference evaluator runs LSTM and GRU without their sequence_lens and clip, silently.
#
# Versions: onnx 1.23.2 (onnx.reference.ReferenceEvaluator), onnxruntime 1.31.1 as the comparison.
# Input:    an LSTM and a GRU over 3 steps and 2 sequences, of which the first has 1 step only
#           (sequence_lens 1, 3); an LSTM whose gates are clipped at 0.5.
# Expected: the first sequence's last state is its state after step 1 and its later outputs are 0;
#           a clipped LSTM differs from one that is not. Or at least an error: not implemented.
# Seen:     the results are those of the same model without sequence_lens and without clip. No
#           exception, no warning. onnxruntime does as the operators' definition says.
# Exits 0 while this holds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq onnx==1.23.2 onnxruntime==1.31.1

venv/bin/python -W error - <<'EOF'
import numpy as np
import onnx
import onnxruntime
from onnx import helper
from onnx.reference import ReferenceEvaluator

STEPS, SEQUENCES, FEATURES, UNITS = 3, 2, 4, 5
draw = np.random.default_rng(0)


def results(operator, lengths=None, **attributes):
    """The reference evaluator's and onnxruntime's outputs and last state of one recurrent layer."""
    names = ["x", "w", "r", "", "lengths" if lengths else ""]
    outputs = {"all": [STEPS, 1, SEQUENCES, UNITS], "last": [1, SEQUENCES, UNITS]}
    node = helper.make_node(operator, names, [*outputs], hidden_size=UNITS, **attributes)
    inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [STEPS, SEQUENCES, FEATURES])]
    feed = {"x": x}
    if lengths:
        inputs.append(helper.make_tensor_value_info("lengths", onnx.TensorProto.INT32, [SEQUENCES]))
        feed["lengths"] = np.array(lengths, np.int32)
    weights = [onnx.numpy_helper.from_array(w[operator], "w"), onnx.numpy_helper.from_array(r[operator], "r")]
    made = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    graph = helper.make_graph([node], "layer", inputs, made, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return ReferenceEvaluator(model).run(None, feed), session.run(None, feed)


def same(one, other):
    return all(np.allclose(a, b, atol=1e-5) for a, b in zip(one, other))


x = draw.normal(size=(STEPS, SEQUENCES, FEATURES)).astype(np.float32)
gates = {"LSTM": 4 * UNITS, "GRU": 3 * UNITS}
w = {name: draw.normal(size=(1, size, FEATURES)).astype(np.float32) for name, size in gates.items()}
r = {name: draw.normal(size=(1, size, UNITS)).astype(np.float32) for name, size in gates.items()}
for operator in gates:
    reference, runtime = results(operator)
    assert same(reference, runtime)
    shorter_reference, shorter_runtime = results(operator, [1, 3])
    print(operator, "without sequence_lens: the two agree")
    print("  last state of the sequence of one step, onnxruntime:", shorter_runtime[1][0, 0])
    print("  the same, reference evaluator:                      ", shorter_reference[1][0, 0])
    print("  state after step 1:                                 ", reference[0][0, 0, 0])
    assert np.allclose(shorter_runtime[1][0, 0], reference[0][0, 0, 0], atol=1e-5)
    assert not shorter_runtime[0][1:, 0, 0].any()
    assert same(shorter_reference, reference)
plain, _ = results("LSTM")
clipped_reference, clipped_runtime = results("LSTM", clip=0.5)
print("LSTM, clip 0.5: the reference evaluator as without clip:", same(clipped_reference, plain), end="; ")
print("onnxruntime as without clip:", same(clipped_runtime, plain))
assert same(clipped_reference, plain) and not same(clipped_runtime, plain)
EOF
echo "as found: the reference evaluator does not read sequence_lens and clip, and does not say so"
