// What a README's program asks of tflite-micro, under its names; for tests. It runs nothing.
#pragma once
namespace tflite {
template <unsigned int tOpCount>
struct MicroMutableOpResolver {
  void AddAdd() {}
  void AddAveragePool2D() {}
  void AddBatchMatMul() {}
  void AddConcatenation() {}
  void AddConv2D() {}
  void AddDepthwiseConv2D() {}
  void AddDequantize() {}
  void AddFullyConnected() {}
  void AddGather() {}
  void AddLeakyRelu() {}
  void AddLogistic() {}
  void AddMaxPool2D() {}
  void AddMean() {}
  void AddMul() {}
  void AddPadV2() {}
  void AddQuantize() {}
  void AddRelu6() {}
  void AddReshape() {}
  void AddResizeNearestNeighbor() {}
  void AddReverseV2() {}
  void AddRsqrt() {}
  void AddSoftmax() {}
  void AddSplit() {}
  void AddSplitV() {}
  void AddSquaredDifference() {}
  void AddStridedSlice() {}
  void AddSub() {}
  void AddTanh() {}
  void AddTranspose() {}
  void AddTransposeConv() {}
  void AddUnidirectionalSequenceLSTM() {}
  void AddUnpack() {}
};
}  // namespace tflite
