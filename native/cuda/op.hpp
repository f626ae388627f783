// One call of an op while it enqueues its work: scratch memory, launches, and the first thing that went wrong.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "device.hpp"

namespace kronroot::cuda {

// Holds the device's mutex. Nothing is enqueued before finish(), when all scratch memory is there: an op that fails has
// written nothing. Scratch memory is given back in the order of the stream, without waiting.
//
//   Op op(call, "gram");
//   if (op.recalls(CallKey("gram").add(options).add(a).add(c), &reports, a->batch)) return op.finish();
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

  // start(stream) enqueues something: when the op is finished, in the order of these calls.
  template <typename Start>
  void enqueue(Start start) {
    if (!failed()) steps_.emplace_back(std::move(start));
  }
  void fill(void* memory, unsigned char value, std::size_t bytes) {
    if (bytes == 0) return;
    enqueue([=](cudaStream_t stream) { return cudaMemsetAsync(memory, value, bytes, stream); });
  }

  // Whether the call came before and is replayed from its graph (graph_cache.hpp), so that nothing is left to do. Else
  // *reports, where given, may be moved to scratch memory; finish() copies them back. The op is one that makes many
  // launches and that decides nothing by anything but the key.
  bool recalls(const CallKey& key, kr_report** reports, int64_t count);

  // Scratch memory taken since `mark`, which stands before the loop over parts, serves again: what was enqueued with it
  // so far comes first.
  struct Mark {
    std::size_t blocks, bytes;
  };
  Mark mark() const { return {scratch_.size(), scratch_bytes_}; }
  void reuse_since(const Mark& mark);

  kr_code finish();

 private:
  struct Block {
    void* memory;
    std::size_t bytes;
    bool is_free;
  };
  void* allocate(int64_t count, std::size_t element_bytes);
  cudaError_t run_steps(cudaStream_t stream);
  bool record();
  void copy_reports(const kr_report* from);
  const void* keep_table(const std::string& name, const std::vector<unsigned char>& bytes);

  const kr_call* call_;
  const char* name_;
  kr_device& device_;
  std::unique_lock<std::mutex> lock_;
  std::vector<Block> scratch_;
  std::vector<std::function<cudaError_t(cudaStream_t)>> steps_;
  RecordedCall* recorded_ = nullptr;  // of this call, where the key of recalls() was new or is being recorded
  unsigned char* recorded_scratch_ = nullptr;
  std::size_t scratch_bytes_ = 0, most_scratch_bytes_ = 0;  // in use
  kr_report* given_reports_ = nullptr;
  int64_t report_count_ = 0;
  kr_code code_ = KR_OK;
};

}  // namespace kronroot::cuda
