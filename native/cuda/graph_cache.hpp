// Calls that came before, as CUDA graphs: a root of order 1024 is thousands of launches, which cost the host more than
// the device, and one launch as a graph.
//
// The first call with certain arguments is enqueued launch by launch, the second is recorded and instantiated, the
// next ones are replayed. All graphs of a device share one piece of scratch memory, since its stream runs them one
// after the other.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <list>
#include <string>

#include "../include/kronroot/types.h"

namespace kronroot::cuda {

// Everything that decides what a call enqueues: its op, options, shapes and addresses, but not where its reports go.
class CallKey {
 public:
  explicit CallKey(const char* op) : bytes_(op) {}
  // A number, or a struct of the ABI.
  template <typename T>
  CallKey& add(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  // nullptr for an operand that is not given.
  CallKey& add(const kr_batch* batch);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

struct RecordedCall {
  std::string key;
  std::size_t scratch_bytes = 0;       // of the first time
  bool stays_eager = false;            // too short, too large, or the runtime refused
  cudaGraphExec_t graph = nullptr;     // once it is instantiated
  const kr_report* reports = nullptr;  // where it leaves them, in the shared scratch memory
};

class GraphCache {
 public:
  static constexpr std::size_t most_calls = 64;
  static constexpr std::size_t fewest_launches = 6;

  // The call of this key, the newest from now on; nullptr where it never came before, and it is remembered then.
  RecordedCall* find_or_remember(const CallKey& key);
  RecordedCall& newest() { return calls_.front(); }

  // Scratch memory for a call that is to be recorded: of at least so many bytes, or nullptr. Graphs recorded with
  // smaller memory are forgotten.
  void* scratch(std::size_t bytes, std::size_t most_bytes, cudaStream_t stream);

  // A stream of its own, which nobody else puts work on while it is captured; nullptr where there is none.
  cudaStream_t recorder();

  void clear(cudaStream_t stream);

 private:
  void forget_graphs();

  std::list<RecordedCall> calls_;  // the newest first
  cudaStream_t recorder_ = nullptr;
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace kronroot::cuda
