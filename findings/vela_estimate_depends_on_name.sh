#!/usr/bin/env bash
# Vela: the performance estimate depends on what the system configuration is called.
#
# Versions: ethos-u-vela 5.2.0 (ai-edge-litert 2.3.0 only to write the model).
# Input:    one int8 convolution; a configuration file with two system configurations of the same
#           content, "Ethos_U55_Board" and "My_Board". The accelerator, ethos-u55-128, is given by
#           its own option, --accelerator-config, both times.
# Expected: the name is a label: the same summary for both, but for the name itself.
# Seen:     SRAM and flash access cycles are half as many under "My_Board", and the inference time
#           is shorter (27.0 k cycles against 28.6 k). Vela says nothing about it, and the compiled
#           models themselves are the same, byte for byte.
# Exits 0 while this holds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -qq ethos-u-vela==5.2.0 ai-edge-litert==2.3.0
PATH=$work/venv/bin:$PATH

cat > model.py <<'EOF'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

draw = np.random.default_rng(0)
types = schema.TensorType
model = schema.ModelT()
model.version, model.description, model.buffers = 3, "one convolution", []


def tensor(name, shape, kind, scale, data=b""):
    made, buffer = schema.TensorT(), schema.BufferT()
    buffer.data = np.frombuffer(data, np.uint8) if data else None
    model.buffers.append(buffer)
    made.name, made.shape, made.type, made.buffer = name, shape, kind, len(model.buffers) - 1
    made.quantization = schema.QuantizationParametersT()
    made.quantization.scale = np.array([scale], np.float32)
    made.quantization.zeroPoint = np.array([0])
    return made


graph = schema.SubGraphT()
graph.tensors = [
    tensor("image", [1, 32, 32, 16], types.INT8, 0.05),
    tensor("kernel", [16, 3, 3, 16], types.INT8, 0.01, draw.integers(-127, 128, 2304, np.int8).tobytes()),
    tensor("bias", [16], types.INT32, 0.0005, bytes(64)),
    tensor("features", [1, 32, 32, 16], types.INT8, 0.1),
]
code, convolution = schema.OperatorCodeT(), schema.OperatorT()
code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
code.version = 3
convolution.inputs, convolution.outputs = [0, 1, 2], [3]
convolution.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
options = convolution.builtinOptions = schema.Conv2DOptionsT()
options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
graph.inputs, graph.outputs, graph.operators = [0], [3], [convolution]
model.operatorCodes, model.subgraphs = [code], [graph]
packed = flatbuffers.Builder(1024)
packed.Finish(model.Pack(packed), b"TFL3")
open("model.tflite", "wb").write(packed.Output())
EOF
python model.py

for name in Ethos_U55_Board My_Board; do
    cat >> systems.ini <<EOF
[System_Config.$name]
core_clock=500e6
axi0_port=Sram
axi1_port=OffChipFlash
Sram_clock_scale=1.0
Sram_burst_length=32
Sram_read_latency=32
Sram_write_latency=32
OffChipFlash_clock_scale=0.125
OffChipFlash_burst_length=128
OffChipFlash_read_latency=64
OffChipFlash_write_latency=64
EOF
done
cat >> systems.ini <<'EOF'
[Memory_Mode.Shared]
const_mem_area=Axi1
arena_mem_area=Axi0
cache_mem_area=Axi0
EOF
for name in Ethos_U55_Board My_Board; do
    vela model.tflite --accelerator-config ethos-u55-128 --config systems.ini \
        --system-config "$name" --memory-mode Shared --output-dir "$name" > "$name.txt"
done
cmp Ethos_U55_Board/model_vela.tflite My_Board/model_vela.tflite
echo "compiled models: the same, byte for byte"

python - <<'EOF'
import csv

found = {}
for name in ("Ethos_U55_Board", "My_Board"):
    with open(f"{name}/model_summary_{name}.csv") as lines:
        summary = next(csv.DictReader(lines))
    found[name] = {key: int(summary[key]) for key in summary if key.startswith("cycles_")}
    print(name, found[name])
one, other = found.values()
assert one["cycles_sram_access"] == 2 * other["cycles_sram_access"]
assert one["cycles_off_chip_flash_access"] == 2 * other["cycles_off_chip_flash_access"]
assert one["cycles_total"] > other["cycles_total"]
EOF
echo "as found: a system configuration not named Ethos_U55... halves the memory cycles"
