// An open device: its stream, its memory, and what became of its context.
#pragma once

#include <cuda_runtime.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "../include/kronroot/backend.h"
#include "graph_cache.hpp"

// Calls of several host threads are enqueued one after the other: an op holds `mutex` while it enqueues.
struct kr_device {
  int ordinal = 0;
  cudaStream_t stream = nullptr;
  bool owns_stream = false;
  int multiprocessors = 0;
  int shared_bytes = 0;        // most that a block may ask for
  int compute_capability = 0;  // 90 for 9.0
  char name[128] = "";
  std::atomic<int64_t> bytes_allocated{0};
  std::mutex mutex;
  // Read-only tables that ops have uploaded, by name (Op::table); guarded by `mutex`.
  std::map<std::string, void*> tables;
  // Guarded by `mutex`.
  kronroot::cuda::GraphCache graphs;
  std::size_t most_recorded_bytes = 0;  // of scratch memory that calls replayed from a graph may keep
  // What an error that shows up later is said to come from.
  const char* last_op = "";
  // The error after which the context is of no use, and the op that met it; guarded by `mutex`.
  cudaError_t lost = cudaSuccess;
  std::string lost_message;
};

namespace kronroot::cuda {

kr_code open(const kr_call* call, const kr_device_options* options, kr_device** device);
void close(kr_device* device);
kr_code info(const kr_call* call, kr_device_info* info);
kr_code allocate(const kr_call* call, int64_t bytes, void** data);
void release(kr_device* device, void* data, int64_t bytes);
kr_code upload(const kr_call* call, void* to, const void* from_host, int64_t bytes);
kr_code download(const kr_call* call, void* to_host, const void* from, int64_t bytes);
kr_code synchronize(const kr_call* call);

}  // namespace kronroot::cuda
