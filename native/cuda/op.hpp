// One call of an op while it enqueues its work: scratch memory, launches, and the first thing that went wrong.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "device.hpp"

namespace kronroot::cuda {

// Holds the device's mutex. Scratch memory is given back in the order of the stream, without waiting.
//
//   Op op(call, "gram");
//   double* partial = op.scratch<double>(count);
//   launch<kernel>(op, shape, ...);
//   return op.finish();
class Op {
 public:
  Op(const kr_call* call, const char* name);
  ~Op();
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;

  // Uninitialised, aligned to 256 bytes; nullptr where there is none, and then the op has failed.
  template <typename T>
  T* scratch(int64_t count) {
    return static_cast<T*>(allocate(count, sizeof(T)));
  }

  // The bytes that make() returns, in memory of the device: made and uploaded by the first call that names them, kept
  // for the life of the device. nullptr where the op has failed.
  template <typename Make>
  const void* table(const std::string& name, const Make& make) {
    const auto found = device_.tables.find(name);
    return found != device_.tables.end() ? found->second : keep_table(name, make());
  }

  kr_device& device() const { return device_; }
  cudaStream_t stream() const { return device_.stream; }
  const kr_call* call() const { return call_; }

  // Remembers the first error; after it nothing is launched any more.
  void check(cudaError_t error);
  void fail(kr_code code);
  bool failed() const { return code_ != KR_OK; }
  bool is_cancelled() const {
    return call_->cancel != nullptr && __atomic_load_n(call_->cancel, __ATOMIC_RELAXED) != 0;
  }

  // Says that work was launched: errors that show up later are said to come from this op.
  void launched() { device_.last_op = name_; }

  kr_code finish() const { return code_; }

 private:
  void* allocate(int64_t count, std::size_t element_bytes);
  const void* keep_table(const std::string& name, const std::vector<unsigned char>& bytes);

  const kr_call* call_;
  const char* name_;
  kr_device& device_;
  std::unique_lock<std::mutex> lock_;
  std::vector<void*> scratch_;
  kr_code code_ = KR_OK;
};

}  // namespace kronroot::cuda
