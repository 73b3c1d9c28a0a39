// An interpreter that gives its input back, under tflite-micro's names; for tests.
#pragma once
#include <cstddef>
#include <cstdint>
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
namespace tflite {
struct Model;
class MicroInterpreter {
 public:
  template <class Resolver>
  MicroInterpreter(const Model*, const Resolver&, uint8_t* arena, size_t) : arena_(arena) {}
  // The arena has room for one allocation, as the smallest one has.
  TfLiteStatus AllocateTensors() { return allocations_++ == 0 ? kTfLiteOk : kTfLiteError; }
  TfLiteStatus Reset() {
    is_reset_ = true;
    return kTfLiteOk;
  }
  // A model with state answers right only after a reset.
  TfLiteStatus Invoke() {
    const bool was_reset = is_reset_;
    is_reset_ = false;
#ifdef MODEL_KEEPS_STATE
    return allocations_ == 1 && was_reset ? kTfLiteOk : kTfLiteError;
#else
    return allocations_ == 1 && !was_reset ? kTfLiteOk : kTfLiteError;
#endif
  }
  template <class T>
  T* typed_input_tensor(int) { return reinterpret_cast<T*>(arena_); }
  template <class T>
  T* typed_output_tensor(int) { return reinterpret_cast<T*>(arena_); }

 private:
  uint8_t* arena_;
  int allocations_ = 0;
  bool is_reset_ = false;
};
}  // namespace tflite
