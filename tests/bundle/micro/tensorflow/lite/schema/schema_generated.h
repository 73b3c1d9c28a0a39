// What a README's program asks of a model, under its names; for tests.
#pragma once
namespace tflite {
struct Model {};
inline const Model* GetModel(const void* content) { return static_cast<const Model*>(content); }
}  // namespace tflite
