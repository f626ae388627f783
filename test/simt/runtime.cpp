// The calls of the CUDA runtime that native/cuda makes. Work is done where it is enqueued.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "launch.hpp"
#include "memory.hpp"

struct simt_stream {};
struct simt_event {};
struct simt_pool {};
struct simt_graph {};
struct simt_graph_exec {};

namespace simt {
namespace {

thread_local cudaError_t last_error = cudaSuccess;
cudaError_t sticky = cudaSuccess;
std::mutex mutex;

cudaError_t give(cudaError_t error) {
  if (error == cudaSuccess) error = sticky;
  if (error != cudaSuccess) last_error = error;
  return error;
}

uint64_t seed() {
  static const uint64_t value = [] {
    const char* text = std::getenv("KRONROOT_SIMT_SEED");
    return text == nullptr ? uint64_t{0} : std::strtoull(text, nullptr, 10);
  }();
  return value;
}

void* host_address(const void* address, std::size_t bytes) {
  if (!is_device_address(address)) return const_cast<void*>(address);
  return Memory::instance().resolve(address, bytes);
}

}  // namespace

std::map<std::string, int64_t>& kernels() {
  static auto& all = *std::make_unique<std::map<std::string, int64_t>>().release();
  return all;
}

Registration::Registration(const char* pretty) : name(pretty) { kernels().emplace(name, 0); }

cudaError_t launch(const Registration& kernel, const LaunchShape& shape, cudaStream_t, std::function<void()> body) {
  if (sticky != cudaSuccess) return give(sticky);
  const Grid& grid = shape.blocks;
  if (shape.threads < 1 || shape.threads > most_threads || grid.x < 1 || grid.x > most_blocks_x || grid.y < 1 ||
      grid.y > most_blocks_yz || grid.z < 1 || grid.z > most_blocks_yz || shape.shared_bytes > most_shared_bytes) {
    std::fprintf(stderr, "simt: %s: launch with %lld x %lld x %lld blocks of %d threads, %zu bytes shared\n",
                 kernel.name.c_str(), static_cast<long long>(grid.x), static_cast<long long>(grid.y),
                 static_cast<long long>(grid.z), shape.threads, shape.shared_bytes);
    return give(cudaErrorInvalidConfiguration);
  }
  const std::lock_guard lock(mutex);
  ++kernels()[kernel.name];
  static Block& block = *std::make_unique<Block>().release();
  for (int64_t z = 0; z < grid.z; ++z) {
    for (int64_t y = 0; y < grid.y; ++y) {
      for (int64_t x = 0; x < grid.x; ++x) {
        const std::string wrong = block.run(body, shape, {x, y, z}, seed());
        if (wrong.empty()) continue;
        std::fprintf(stderr, "simt: %s: %s\n", kernel.name.c_str(), wrong.c_str());
        sticky = cudaErrorLaunchFailure;
        return give(sticky);
      }
    }
  }
  return cudaSuccess;
}

}  // namespace simt

using simt::give;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver:
      return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorNoKernelImageForDevice:
      return "cudaErrorNoKernelImageForDevice";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    default:
      return "cudaError";
  }
}
const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }
cudaError_t cudaGetLastError() { return std::exchange(simt::last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return simt::last_error; }
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int ordinal) { return give(ordinal == 0 ? cudaSuccess : cudaErrorInvalidDevice); }
cudaError_t cudaGetDevice(int* ordinal) {
  *ordinal = 0;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "emulated SIMT device");
  properties->totalGlobalMem = simt::Memory::instance().capacity();
  properties->major = 9;
  properties->minor = 0;
  properties->multiProcessorCount = 4;
  return give(cudaSuccess);
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = 4;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = 9;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = 0;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(simt::most_shared_bytes);
      break;
  }
  return give(cudaSuccess);
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  static simt_pool only;
  *pool = &only;
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value) {
  *static_cast<uint64_t*>(value) = simt::Memory::instance().used();
  return cudaSuccess;
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, std::size_t) { return cudaSuccess; }
cudaError_t cudaDeviceSynchronize() { return give(cudaSuccess); }
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *total = simt::Memory::instance().capacity();
  *free = *total - simt::Memory::instance().used();
  return give(cudaSuccess);
}
cudaError_t cudaMalloc(void** address, std::size_t bytes) {
  *address = simt::Memory::instance().allocate(bytes);
  return give(*address == nullptr ? cudaErrorMemoryAllocation : cudaSuccess);
}
cudaError_t cudaFree(void* address) {
  if (address == nullptr) return give(cudaSuccess);
  return give(simt::Memory::instance().release(address) ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaMallocAsync(void** address, std::size_t bytes, cudaStream_t) { return cudaMalloc(address, bytes); }
cudaError_t cudaFreeAsync(void* address, cudaStream_t) { return cudaFree(address); }
cudaError_t cudaHostAlloc(void** address, std::size_t bytes, unsigned) {
  *address = std::malloc(bytes);
  return give(*address == nullptr ? cudaErrorMemoryAllocation : cudaSuccess);
}
cudaError_t cudaFreeHost(void* address) {
  std::free(address);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t) {
  if (bytes == 0 || simt::sticky != cudaSuccess) return give(cudaSuccess);
  void* const target = simt::host_address(to, bytes);
  const void* const source = simt::host_address(from, bytes);
  if (target == nullptr || source == nullptr) return give(cudaErrorInvalidValue);
  std::memcpy(target, source, bytes);
  return give(cudaSuccess);
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t) {
  if (bytes == 0 || simt::sticky != cudaSuccess) return give(cudaSuccess);
  void* const target = simt::host_address(to, bytes);
  if (target == nullptr) return give(cudaErrorInvalidValue);
  std::memset(target, value, bytes);
  return give(cudaSuccess);
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = std::make_unique<simt_stream>().release();
  return give(cudaSuccess);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::unique_ptr<simt_stream> gone(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) { return give(cudaSuccess); }
cudaError_t cudaStreamQuery(cudaStream_t) { return give(cudaSuccess); }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return give(cudaSuccess); }
cudaError_t cudaLaunchHostFunc(cudaStream_t, cudaHostFn_t function, void* argument) {
  function(argument);
  return give(cudaSuccess);
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = std::make_unique<simt_event>().release();
  return give(cudaSuccess);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const std::unique_ptr<simt_event> gone(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return give(cudaSuccess); }
cudaError_t cudaEventQuery(cudaEvent_t) { return give(cudaSuccess); }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return give(cudaSuccess); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  *milliseconds = 0;
  return give(cudaSuccess);
}
