#include "graph_cache.hpp"

#include <algorithm>

namespace kronroot::cuda {

CallKey& CallKey::add(const kr_batch* batch) {
  if (batch == nullptr) return add('-');
  return add(batch->data)
      .add(batch->dtype)
      .add(batch->batch)
      .add(batch->rows)
      .add(batch->cols)
      .add(batch->row_stride)
      .add(batch->batch_stride);
}

RecordedCall* GraphCache::find_or_remember(const CallKey& key) {
  const auto found =
      std::find_if(calls_.begin(), calls_.end(), [&](const RecordedCall& call) { return call.key == key.bytes(); });
  if (found != calls_.end()) {
    calls_.splice(calls_.begin(), calls_, found);
    return &calls_.front();
  }
  if (calls_.size() == most_calls) {
    // A graph that still runs is freed when it is done.
    if (calls_.back().graph != nullptr) cudaGraphExecDestroy(calls_.back().graph);
    calls_.pop_back();
  }
  calls_.emplace_front();
  calls_.front().key = key.bytes();
  return nullptr;
}

void* GraphCache::scratch(std::size_t bytes, std::size_t most_bytes, cudaStream_t stream) {
  if (bytes <= bytes_) return memory_;
  if (bytes > most_bytes) return nullptr;
  clear(stream);
  if (cudaMallocAsync(&memory_, bytes, stream) != cudaSuccess) {
    cudaGetLastError();
    memory_ = nullptr;
    return nullptr;
  }
  bytes_ = bytes;
  return memory_;
}

cudaStream_t GraphCache::recorder() {
  if (recorder_ == nullptr && cudaStreamCreateWithFlags(&recorder_, cudaStreamNonBlocking) != cudaSuccess) {
    cudaGetLastError();
    recorder_ = nullptr;
  }
  return recorder_;
}

void GraphCache::forget_graphs() {
  for (RecordedCall& call : calls_) {
    if (call.graph != nullptr) cudaGraphExecDestroy(call.graph);
    call.graph = nullptr;
  }
}

void GraphCache::clear(cudaStream_t stream) {
  forget_graphs();
  if (memory_ != nullptr) cudaFreeAsync(memory_, stream);
  if (recorder_ != nullptr) cudaStreamDestroy(recorder_);
  recorder_ = nullptr;
  memory_ = nullptr;
  bytes_ = 0;
}

}  // namespace kronroot::cuda
